/* SPDX-License-Identifier: MIT */
#include "lib/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* The first bits of every router. */
enum { GET_BIT = 1u << 0, HEAD_BIT = 1u << 1, OPTIONS_BIT = 1u << 2 };
static const char *const usual_methods[] = {"GET", "HEAD", "OPTIONS", "POST",
    "PUT", "PATCH", "DELETE"};

struct search {
	const struct route_path *path;
	uint32_t method; /* its bit, 0 = one that no route names */
	int is_probe;
	uint32_t allowed;
};

/* ---- paths --------------------------------------------------------------- */

/* Begin the next segment at this offset of the text. */
static void
path_segment(struct route_path *path, size_t at)
{
	unsigned last = path->count;

	if (last > 0 && last <= ROUTE_SEGMENTS_MAX)
		path->bytes[last - 1] =
		    (uint16_t)(at - path->start[last - 1] - 1);
	if (path->count < ROUTE_SEGMENTS_MAX)
		path->start[path->count] = (uint16_t)at;
	path->count++;
}

/* Split into path. Returns its bytes, or -1 with errno. */
static ssize_t
path_decode(struct route_path *path, const char *raw, size_t bytes, int decode)
{
	size_t i, used = 0;
	int c;

	errno = EINVAL;
	for (i = 0; i < bytes; i++) {
		if (used == ROUTE_PATH_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		if (raw[i] == '/') {
			path->text[used] = '/';
			path->parts[used++] = '\0';
			path_segment(path, used);
			continue;
		}
		c = raw[i];
		if (decode && c == '%') {
			c = text_escape(raw + i, bytes - i);
			i += 2;
			if (c <= 0)
				return -1;
		}
		path->text[used] = path->parts[used] = (char)c;
		used++;
	}
	return text_is_utf8(path->text, used) ? (ssize_t)used : -1;
}

int
route_split(struct route_path *path, const char *raw, size_t bytes,
    int decode)
{
	ssize_t used = -1;

	path->count = 0;
	errno = EINVAL;
	if (bytes > 0 && raw[0] == '/')
		used = path_decode(path, raw, bytes, decode);
	if (used < 0) { /* nothing of it, nor of the path before, is left */
		path->count = 0;
		path->text[0] = '\0';
		return -1;
	}
	path->text[used] = path->parts[used] = '\0';
	if (path->count <= ROUTE_SEGMENTS_MAX)
		path->bytes[path->count - 1] =
		    (uint16_t)(used - path->start[path->count - 1]);
	return 0;
}

/* ---- building ------------------------------------------------------------ */

/* The bit of a method, given one if there is room; 0 if not. */
static uint32_t
method_bit(struct router *r, const char *name, size_t bytes)
{
	unsigned i;

	for (i = 0; i < r->method_count; i++)
		if (strncmp(r->methods[i], name, bytes) == 0 &&
		    r->methods[i][bytes] == '\0')
			return 1u << i;
	if (r->method_count == ROUTE_METHODS_MAX)
		return 0;
	r->methods[i] = strndup(name, bytes);
	if (r->methods[i] == NULL)
		return 0;
	r->method_count++;
	return 1u << i;
}

static int
router_begin(struct router *r)
{
	size_t i;

	if (r->root != NULL)
		return 0;
	for (i = 0; i < sizeof(usual_methods) / sizeof(*usual_methods); i++)
		if (method_bit(r, usual_methods[i],
			strlen(usual_methods[i])) == 0)
			return -1;
	r->root = calloc(1, sizeof(*r->root));
	return r->root == NULL ? -1 : 0;
}

/* "GET,POST" or "*" to bits; 0 when it is neither. */
static uint32_t
methods_parse(struct router *r, const char *list)
{
	uint32_t bits = 0, bit;
	size_t bytes;

	if (strcmp(list, "*") == 0)
		return ROUTE_ANY;
	for (;; list++) {
		list += strspn(list, " ");
		bytes = strcspn(list, ", ");
		if (!text_is_token(list, bytes))
			return 0;
		bit = method_bit(r, list, bytes);
		if (bit == 0)
			return 0;
		bits |= bit;
		list += bytes;
		list += strspn(list, " ");
		if (*list == '\0')
			return bits;
		if (*list != ',')
			return 0;
	}
}

static struct route_node *
node_new(const char *literal, size_t bytes)
{
	struct route_node *n = calloc(1, sizeof(*n) + bytes + 1);

	if (n == NULL)
		return NULL;
	n->bytes = bytes;
	memcpy(n->literal, literal, bytes);
	return n;
}

static struct route_node *
node_literal(struct route_node *parent, const char *text, size_t bytes)
{
	struct route_node **at = &parent->literals;

	for (; *at != NULL; at = &(*at)->next)
		if ((*at)->bytes == bytes &&
		    memcmp((*at)->literal, text, bytes) == 0)
			return *at;
	*at = node_new(text, bytes);
	return *at;
}

static struct route_node *
node_wild(struct route_node **at)
{
	if (*at == NULL)
		*at = node_new("", 0);
	return *at;
}

/* Note the parameter `{name}` or `{name...}` (without its braces) of the
 * pattern's segment in the route. Returns 0, or -1 when it is wrong. */
static int
route_name(struct nds_route *route, const char *name, size_t bytes,
    unsigned segment)
{
	int rest = bytes >= 3 && memcmp(name + bytes - 3, "...", 3) == 0;
	unsigned i, count = route->param_count;
	char *copy = route->names;

	bytes -= rest ? 3 : 0;
	if (count == ROUTE_PARAMS_MAX || !text_is_token(name, bytes))
		return -1;
	for (i = 0; i < count; i++) {
		if (strncmp(copy, name, bytes) == 0 && copy[bytes] == '\0')
			return -1;
		copy += strlen(copy) + 1;
	}
	memcpy(copy, name, bytes);
	copy[bytes] = '\0';
	route->param[count].name = copy;
	route->param[count].segment = segment;
	route->param[count].rest = rest;
	route->param_count++;
	return 0;
}

/* The child of a node for one segment of a pattern, made if it is new; NULL
 * with *wrong set, or without memory. */
static struct route_node *
node_child(struct route_node *parent, struct nds_route *route,
    const char *segment, size_t bytes, unsigned at)
{
	if (memchr(segment, '{', bytes) == NULL &&
	    memchr(segment, '}', bytes) == NULL)
		return node_literal(parent, segment, bytes);
	errno = EINVAL;
	if (bytes < 3 || segment[0] != '{' || segment[bytes - 1] != '}' ||
	    route_name(route, segment + 1, bytes - 2, at) != 0)
		return NULL;
	if (!route->param[route->param_count - 1].rest)
		return node_wild(&parent->param);
	if (segment[bytes] != '\0')
		return NULL;
	return node_wild(&parent->rest);
}

/* Walk the pattern from the root, making what is missing. */
static struct route_node *
node_of(struct router *r, struct nds_route *route, const char *pattern)
{
	struct route_node *node = r->root;
	const char *segment = pattern;
	unsigned at = 0;
	size_t bytes;

	errno = EINVAL;
	if (*segment != '/')
		return NULL;
	while (node != NULL && *segment == '/') {
		errno = EINVAL;
		if (at == ROUTE_SEGMENTS_MAX)
			return NULL;
		segment++;
		bytes = strcspn(segment, "/");
		errno = ENOMEM;
		node = node_child(node, route, segment, bytes, at++);
		segment += bytes;
	}
	return node;
}

static int
node_holds(const struct route_node *node, uint32_t methods)
{
	const struct nds_route *route;

	for (route = node->routes; route != NULL; route = route->next)
		if ((route->methods & methods) != 0)
			return 1;
	return 0;
}

static void
route_free(struct nds_route *route)
{
	if (route == NULL)
		return;
	free(route->names);
	free(route->pattern);
	free(route);
}

static struct nds_route *
route_new(const char *pattern, nds_handler handler)
{
	struct nds_route *route = calloc(1, sizeof(*route));

	if (route == NULL)
		return NULL;
	route->handler = handler;
	route->names = calloc(1, strlen(pattern) + 1);
	route->pattern = strdup(pattern);
	if (route->names != NULL && route->pattern != NULL)
		return route;
	route_free(route);
	return NULL;
}

struct nds_route *
router_add(struct router *r, const char *methods, const char *pattern,
    nds_handler handler, struct nds_error *err)
{
	struct nds_route *route;
	struct route_node *node;

	if (methods == NULL || pattern == NULL || handler == NULL) {
		error_set(err, "a route needs methods, a pattern and a "
		    "handler");
		return NULL;
	}
	route = route_new(pattern, handler);
	if (route == NULL || router_begin(r) != 0) {
		error_sys(err, "route %s %s", methods, pattern);
		goto wrong;
	}
	route->methods = methods_parse(r, methods);
	if (route->methods == 0) {
		error_set(err, "route %s %s: the methods are names with commas "
		    "between, or *", methods, pattern);
		goto wrong;
	}
	node = node_of(r, route, pattern);
	if (node == NULL) {
		error_set(err, "route %s %s: %s", methods, pattern,
		    errno == ENOMEM ? "no memory" :
		    "a pattern is /literal, /{name} or, at its end, "
		    "/{name...}; names differ");
		goto wrong;
	}
	if (node_holds(node, route->methods)) {
		error_set(err, "route %s %s: routed twice", methods, pattern);
		goto wrong;
	}
	*(r->last == NULL ? &r->first : &r->last->after) = route;
	r->last = route;
	route->router = r;
	route->next = node->routes;
	node->routes = route;
	return route;
wrong:
	route_free(route);
	return NULL;
}

/* ---- finding ------------------------------------------------------------- */

/* The route of a node for the method: its own, or GET's for HEAD, or any. */
static const struct nds_route *
node_pick(const struct route_node *node, struct search *s)
{
	const struct nds_route *route, *get = NULL, *any = NULL;

	for (route = node->routes; route != NULL; route = route->next) {
		if (route->probe_only && !s->is_probe)
			continue;
		s->allowed |= route->methods;
		if ((route->methods & s->method) != 0)
			return route;
		if ((route->methods & GET_BIT) != 0 && s->method == HEAD_BIT)
			get = route;
		if (route->methods == ROUTE_ANY)
			any = route;
	}
	return get != NULL ? get : any;
}

static const struct nds_route *
node_find(const struct route_node *node, unsigned depth, struct search *s)
{
	const struct route_path *path = s->path;
	const struct nds_route *found = NULL;
	const struct route_node *n;
	const char *segment;

	if (depth == path->count)
		return node_pick(node, s);
	if (depth == ROUTE_SEGMENTS_MAX)
		return NULL;
	segment = path->parts + path->start[depth];
	for (n = node->literals; n != NULL; n = n->next)
		if (n->bytes == path->bytes[depth] &&
		    memcmp(n->literal, segment, n->bytes) == 0)
			found = node_find(n, depth + 1, s);
	if (found == NULL && node->param != NULL && path->bytes[depth] > 0)
		found = node_find(node->param, depth + 1, s);
	if (found == NULL && node->rest != NULL)
		found = node_pick(node->rest, s);
	return found;
}

struct route_match
router_find(const struct router *r, const char *method,
    const struct route_path *path, int is_probe)
{
	struct search s = {.path = path, .is_probe = is_probe};
	struct route_match match = {NULL, 0};
	unsigned i;

	for (i = 0; i < r->method_count; i++)
		if (strcmp(r->methods[i], method) == 0)
			s.method = 1u << i;
	if (r->root != NULL)
		match.route = node_find(r->root, 0, &s);
	match.allowed = s.allowed;
	return match;
}

const char *
route_param(const struct nds_route *route, const struct route_path *path,
    const char *name)
{
	unsigned i;

	for (i = 0; i < route->param_count; i++)
		if (strcmp(route->param[i].name, name) == 0)
			return (route->param[i].rest ? path->text :
				       path->parts) +
			    path->start[route->param[i].segment];
	return NULL;
}

char *
router_allow(const struct router *r, uint32_t allowed, char *text,
    size_t bytes)
{
	size_t used = 0, length;
	unsigned i;

	if ((allowed & GET_BIT) != 0)
		allowed |= HEAD_BIT;
	allowed |= (allowed & ROUTE_ANY) != 0 ? ~0u : OPTIONS_BIT;
	for (i = 0; i < r->method_count; i++) {
		length = strlen(r->methods[i]);
		if ((allowed & 1u << i) == 0 || used + length + 3 > bytes)
			continue;
		if (used > 0) {
			memcpy(text + used, ", ", 2);
			used += 2;
		}
		memcpy(text + used, r->methods[i], length);
		used += length;
	}
	text[used] = '\0';
	return text;
}

static void
node_free(struct route_node *node)
{
	struct route_node *next;
	struct nds_route *route;

	for (; node != NULL; node = next) {
		next = node->next;
		node_free(node->literals);
		node_free(node->param);
		node_free(node->rest);
		while ((route = node->routes) != NULL) {
			node->routes = route->next;
			route_free(route);
		}
		free(node);
	}
}

void
router_free(struct router *r)
{
	unsigned i;

	node_free(r->root);
	for (i = 0; i < r->method_count; i++)
		free(r->methods[i]);
	memset(r, 0, sizeof(*r));
}
