/* SPDX-License-Identifier: MIT */
/*
 * A JSON API with a path parameter:
 *
 *	GET    /orders		every order
 *	POST   /orders		add one; the body is a JSON object with "item"
 *	GET    /orders/{id}	one of them
 *	DELETE /orders/{id}
 *
 * The orders live in the memory of one worker, so try it with APP_WORKERS=1;
 * a real service keeps them in a database, opened by nds_on_start().
 */
#include <nds.h>
#include <stdio.h>
#include <string.h>

static json_t *orders; /* {"1": {"id": "1", "item": "tea"}, …} */
static unsigned last_id;

static int
list_orders(struct nds_request *req, struct nds_response *res)
{
	json_t *list = json_array(), *order;
	const char *id;

	(void)req;
	json_object_foreach(orders, id, order)
		json_array_append(list, order);
	return nds_json(res, 200, list);
}

static int
add_order(struct nds_request *req, struct nds_response *res)
{
	char id[16], location[32];
	json_error_t error;
	json_t *body, *order;
	const char *item;

	body = nds_body_json(req, &error);
	if (body == NULL)
		return nds_problem(res, 400, "not JSON: %s", error.text);
	item = json_string_value(json_object_get(body, "item"));
	if (item == NULL || *item == '\0') {
		json_decref(body);
		return nds_problem(res, 422, "an order needs an \"item\"");
	}
	snprintf(id, sizeof(id), "%u", ++last_id);
	order = json_pack("{s:s, s:s}", "id", id, "item", item);
	json_decref(body);
	if (json_object_set(orders, id, order) != 0) {
		json_decref(order);
		return -1; /* answered 500 */
	}
	snprintf(location, sizeof(location), "/orders/%s", id);
	nds_set_header(res, "Location", location);
	return nds_json(res, 201, order);
}

static int
show_order(struct nds_request *req, struct nds_response *res)
{
	json_t *order = json_object_get(orders, nds_param(req, "id"));

	if (order == NULL)
		return nds_problem(res, 404, "no such order");
	return nds_json(res, 200, json_incref(order));
}

static int
delete_order(struct nds_request *req, struct nds_response *res)
{
	if (json_object_del(orders, nds_param(req, "id")) != 0)
		return nds_problem(res, 404, "no such order");
	return nds_empty(res, 204);
}

/* In each worker, before its first request. */
static int
open_orders(void *arg)
{
	(void)arg;
	orders = json_object();
	return orders == NULL ? -1 : 0;
}

static int
close_orders(void *arg)
{
	(void)arg;
	json_decref(orders);
	return 0;
}

int
main(int argc, char **argv)
{
	struct nds_app *app = nds_app_new("orders", "1.0");

	nds_route(app, "GET", "/orders", list_orders);
	nds_route(app, "POST", "/orders", add_order);
	nds_route(app, "GET", "/orders/{id}", show_order);
	nds_route(app, "DELETE", "/orders/{id}", delete_order);
	nds_on_start(app, open_orders, NULL);
	nds_on_stop(app, close_orders, NULL);
	return nds_run(app, argc, argv);
}
