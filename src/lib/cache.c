/* SPDX-License-Identifier: MIT */
#include "lib/cache.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "lib/app.h"
#include "lib/cache_store.h"
#include "lib/freshness.h"
#include "lib/request.h"
#include "lib/response.h"

#define WAIT_MAX_MS 2000   /* for another's answer */
#define OWN_FIELDS 3 /* Vary, Age, Cache-Status */
#define VAIN_MS 1000 /* nobody waits so long after one that was not kept */

/* Of the request in hand: one at a time. */
static struct {
	int opened;
	struct cache_store store;
	struct cache_key key;
	struct cache_claim claim;
	struct buffer copy;
	int keeps;	     /* the answer may be kept */
	int leased;	     /* others leave it to us */
	const char *forward; /* why the handler runs, as Cache-Status says */
} now;

/* ---- the key ------------------------------------------------------------- */

static int
key_text(const char *text)
{
	return cache_key_add(&now.key, text, strlen(text));
}

/* Absent is not the same as empty. */
static int
key_value(const char *value)
{
	return key_text(value == NULL ? "-" : "+") != 0 ||
	    key_text(value == NULL ? "" : value) != 0;
}

static int
key_header(const char *name, void *request)
{
	return key_value(nds_header(request, name));
}

/* All that an answer may depend on: the application, the whole target (RFC
 * 9111, 2) and the headers that the route names. */
static int
key_make(const struct nds_app *app, const struct nds_request *req)
{
	const char *https = nds_fcgi_param(req, "HTTPS");

	now.key.bytes = 0;
	if (key_text(app->name) != 0 || key_text(app->version) != 0 ||
	    key_text(https == NULL ? "" : https) != 0 ||
	    key_value(nds_fcgi_param(req, "HTTP_HOST")) != 0 ||
	    cache_key_add(&now.key, req->target, req->target_bytes) != 0 ||
	    key_text(req->query) != 0 ||
	    freshness_list(req->route->cache_vary, key_header,
		(void *)(uintptr_t)req) != 0)
		return -1;
	cache_key_end(&now.key);
	return 0;
}

/* ---- what may be kept ---------------------------------------------------- */

static int
is_get(const struct nds_request *req)
{
	return strcmp(req->method, "GET") == 0;
}

/* RFC 9111, 3.5: what was authorized for one is not for another.  A body is no
 * part of the key. */
static int
request_fits(const struct nds_request *req)
{
	return (is_get(req) || strcmp(req->method, "HEAD") == 0) &&
	    !req->route->stream_body && req->body.used == 0 &&
	    nds_fcgi_param(req, "HTTP_AUTHORIZATION") == NULL;
}

/* Returns 1 with what *e may last by itself, or 0. */
static int
answer_fits(const struct nds_request *req, const struct nds_response *res,
    struct cache_entry *e)
{
	struct freshness f = {UINT32_MAX, UINT32_MAX};

	if (res->status != 200 || res->streamed ||
	    res->field_count > RESPONSE_FIELDS_MAX - OWN_FIELDS ||
	    !freshness_limit(&f, res->fields, res->fields_used,
		req->route->cache_vary))
		return 0;
	e->fresh_ms = (uint32_t)f.fresh_ms;
	e->stale_ms = (uint32_t)f.stale_ms;
	return 1;
}

/* ---- answering ----------------------------------------------------------- */

static int64_t
age_ms(const struct cache_entry *e)
{
	int64_t age = clock_ms() - e->stored_ms;

	return age < 0 ? 0 : age;
}

/* Make the answer of an entry. Returns 1, or 0 without memory. */
static int
entry_answer(const struct cache_entry *e, struct nds_response *res)
{
	int64_t age = age_ms(e);
	char text[64], *to;

	response_clear(res);
	if (e->fields_bytes > sizeof(res->fields) ||
	    e->field_count > RESPONSE_FIELDS_MAX ||
	    nds_data(res, 200, NULL, e->body, e->body_bytes) != 0)
		return 0;
	memcpy(res->fields, e->fields, e->fields_bytes);
	res->fields_used = e->fields_bytes;
	res->field_count = e->field_count;
	text_put_number(text, age / 1000);
	nds_set_header(res, "Age", text);
	to = text_put(text, "nds; hit; ttl=");
	text_put_number(to, (e->fresh_ms - age) / 1000);
	nds_set_header(res, "Cache-Status", text);
	return 1;
}

static uint32_t
least(uint32_t a, int b)
{
	return a < (uint32_t)b ? a : (uint32_t)b;
}

static int
is_fresh(const struct cache_entry *e)
{
	return age_ms(e) < e->fresh_ms;
}

/* The entry of the key while it is fresh, or may serve at least when stale;
 * what it may last is cut to what its route gives it today. */
static int
entry_find(const struct nds_request *req, struct cache_entry *e,
    int may_be_stale)
{
	if (cache_store_get(&now.store, &now.key, &now.copy, e) != 0)
		return 0;
	e->fresh_ms = least(e->fresh_ms, req->route->cache_ttl_ms);
	e->stale_ms = least(e->stale_ms, req->route->cache_stale_ms);
	return age_ms(e) < (int64_t)e->fresh_ms +
	    (may_be_stale ? e->stale_ms : 0);
}

/* A HEAD takes what there is, and makes nothing that could be kept. */
static enum cache_lease
lease_ask(const struct nds_app *app, const struct nds_request *req)
{
	int64_t now_ms = clock_ms(), until_ms = req->conn->deadline_ms;
	enum cache_lease lease;

	if (!is_get(req))
		return CACHE_VAIN;
	if (until_ms > now_ms + CACHE_LEASE_MAX_MS)
		until_ms = now_ms + CACHE_LEASE_MAX_MS;
	now.claim.owner = (uint16_t)(app->slot->number + 1);
	now.claim.now_ms = now_ms;
	now.claim.until_ms = until_ms;
	lease = cache_store_lease(&now.store, &now.key, &now.claim);
	now.leased = lease == CACHE_LEASED;
	return lease;
}

static void
lease_return(int kept)
{
	if (now.leased)
		cache_store_release(&now.store, &now.key, now.claim.owner,
		    kept ? 0 : clock_ms() + VAIN_MS);
	now.leased = 0;
}

static int64_t
wait_end_ms(const struct nds_request *req)
{
	int64_t half_ms = nds_deadline_left_ms(req) / 2;

	return clock_ms() + (half_ms < WAIT_MAX_MS ? half_ms : WAIT_MAX_MS);
}

/* Find an answer: 1 = it is in *e, 0 = the handler makes it. */
static int
entry_seek(const struct nds_app *app, const struct nds_request *req,
    struct cache_entry *e)
{
	int64_t until_ms = wait_end_ms(req);
	int wait_ms;

	for (;;) {
		enum cache_lease lease;

		if (entry_find(req, e, 0))
			return 1;
		lease = lease_ask(app, req);
		if (lease == CACHE_LEASED)
			break;
		if (entry_find(req, e, 1))
			return 1;
		wait_ms = lease == CACHE_VAIN ? 0 :
		    clock_left(until_ms, WAIT_MAX_MS);
		if (wait_ms == 0)
			return 0;
		cache_store_wait(&now.store, &now.key, now.claim.bell,
		    wait_ms);
	}
	if (!entry_find(req, e, 1))
		return 0;
	now.forward = "stale";
	if (!is_fresh(e))
		return 0;
	lease_return(1); /* made by another while we asked */
	return 1;
}

static void
cache_open(const struct nds_app *app)
{
	const struct shared *shared = app->shared;

	now.opened = 1;
	cache_store_open(&now.store, shared->area[SHARED_CACHE],
	    shared->area_bytes[SHARED_CACHE]);
}

static void
note(const struct nds_app *app, enum board_event what)
{
	atomic_fetch_add_explicit(&app->slot->event[what], 1,
	    memory_order_relaxed);
}

int
cache_answer(struct nds_app *app, const struct nds_request *req,
    struct nds_response *res)
{
	struct cache_entry e;
	int answered;

	if (!now.opened)
		cache_open(app);
	now.forward = "bypass";
	now.keeps = now.store.ring != NULL && request_fits(req) &&
	    key_make(app, req) == 0;
	if (!now.keeps) {
		note(app, EVENT_CACHE_BYPASS);
		return 0;
	}
	now.forward = "uri-miss";
	answered = entry_seek(app, req, &e) && entry_answer(&e, res);
	note(app, !answered ? EVENT_CACHE_MISS :
	    is_fresh(&e) ? EVENT_CACHE_HIT : EVENT_CACHE_STALE);
	buffer_reset(&now.copy);
	return answered;
}

void
cache_keep(const struct nds_request *req, struct nds_response *res, int ok)
{
	const char *vary = req->route->cache_vary;
	struct cache_entry e = {.stored_ms = clock_ms(),
	    .body_bytes = res->body.used, .body = res->body.data,
	    .fields = res->fields};
	char text[64];
	int kept;

	kept = now.keeps && ok && is_get(req) && answer_fits(req, res, &e);
	if (kept && *vary != '\0')
		nds_set_header(res, "Vary", vary);
	e.fields_bytes = res->fields_used;
	e.field_count = res->field_count;
	kept = kept && cache_store_put(&now.store, &now.key, &e) == 0;
	lease_return(kept);
	text_put(text_put(text_put(text, "nds; fwd="), now.forward),
	    kept ? "; stored" : "");
	nds_set_header(res, "Cache-Status", text);
}
