/* SPDX-License-Identifier: MIT */
#include "lib/limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "helper/refusal.h"
#include "lib/app.h"
#include "lib/request.h"
#include "lib/response.h"

#define SECOND_US 1000000
#define KEY_BYTES 256 /* of a header's value; the rest does not count */

/* The fields of the one answer that is being made. */
static char fields[RESPONSE_LIMITS_BYTES];

/* ---- description --------------------------------------------------------- */

static int
name_valid(const char *name)
{
	size_t bytes = name == NULL ? 0 : strlen(name);

	if (bytes == 0 || bytes >= BULKHEAD_NAME_BYTES)
		return 0;
	for (; *name != '\0'; name++)
		if (*name < 0x20 || *name > 0x7e)
			return 0;
	return 1;
}

static int
limit_wrong(const struct router *r, int why, const char *name,
    const char *words)
{
	if (r->wrong != NULL && r->wrong->text[0] == '\0')
		error_set(r->wrong, "the limit of group %.70s: %s",
		    name == NULL ? "(null)" : name, words);
	errno = why;
	return -1;
}

int
nds_route_limit(struct nds_route *route, const char *name, int concurrent)
{
	struct router *r = route == NULL ? NULL : route->router;
	struct route_group *group;

	if (r == NULL) { /* nds_route() has said why */
		errno = EINVAL;
		return -1;
	}
	if (!name_valid(name) || concurrent < 1 ||
	    concurrent > BULKHEAD_PLACES_MAX)
		return limit_wrong(r, EINVAL, name, "it needs a name of 1..63 "
		    "printable characters and a number from 1 to 1024");
	for (group = r->group; group < r->group + r->group_count; group++)
		if (strcmp(group->name, name) == 0)
			break;
	if (group == r->group + ROUTE_GROUPS_MAX)
		return limit_wrong(r, ENOSPC, name, "there are 32 already");
	if (group < r->group + r->group_count &&
	    group->places != (uint32_t)concurrent)
		return limit_wrong(r, EINVAL, name, "its routes give "
		    "different numbers");
	if (group == r->group + r->group_count)
		r->group_count++;
	snprintf(group->name, sizeof(group->name), "%s", name);
	group->places = (uint32_t)concurrent;
	route->group = group;
	return 0;
}

/* ---- opening ------------------------------------------------------------- */

/* What may come at once and how soon that is there again; of a burst that is
 * there again within the second, what may come in one. */
static void
policy_make(struct limits *l)
{
	int64_t quota = l->rate.burst;
	int64_t refill_us = l->rate.burst * l->rate.every_us;

	if (refill_us < SECOND_US)
		quota = SECOND_US / l->rate.every_us;
	snprintf(l->policy, sizeof(l->policy),
	    "RateLimit-Policy: \"client\";q=%" PRId64 ";w=%" PRId64 "\r\n",
	    quota, (refill_us + SECOND_US - 1) / SECOND_US);
}

static int
rate_open(struct nds_app *app, struct nds_error *err)
{
	static const char header[] = "header:";
	struct limits *l = &app->limits;
	const char *key = app->settings.rate_limit_key;
	const char *wrong = rate_parse(app->settings.rate_limit, &l->rate);

	if (wrong != NULL)
		return error_set(err, "APP_RATE_LIMIT: %s", wrong);
	if (l->rate.every_us == 0)
		return 0;
	if (strncmp(key, header, sizeof(header) - 1) == 0)
		l->key_header = key + sizeof(header) - 1;
	policy_make(l);
	if (bucket_open(&l->buckets, app->shared->area[SHARED_BUCKETS],
		app->shared->area_bytes[SHARED_BUCKETS]) < 0)
		return error_sys(err, "APP_RATE_LIMIT: no memory shared with "
		    "the pool");
	return 0;
}

static void
groups_open(struct nds_app *app)
{
	struct router *r = &app->router;

	for (unsigned i = 0; i < r->group_count; i++)
		r->group[i].bulkhead = bulkhead_find(app->shared,
		    r->group[i].name, r->group[i].places);
	for (unsigned i = 0; i < r->group_count; i++)
		if (r->group[i].bulkhead == NULL &&
		    bulkhead_tell_full(app->shared))
			nds_log(NDS_ERROR, "group %s is not limited: this pool "
			    "has had %d groups, and forgets them when ndsd "
			    "is started anew", r->group[i].name,
			    BULKHEADS_MAX);
}

int
limits_open(struct nds_app *app, struct nds_error *err)
{
	struct limits *l = &app->limits;

	memset(l, 0, sizeof(*l));
	l->retry_after_ms = app->settings.retry_after_ms;
	l->slot = app->slot->number;
	client_rule_open(&l->client, &app->settings);
	groups_open(app);
	return rate_open(app, err);
}

/* ---- clients ------------------------------------------------------------- */

/* The first byte tells the two kinds apart. */
static size_t
key_make(const struct limits *l, const struct nds_request *req,
    char key[KEY_BYTES])
{
	const char *value = NULL;
	size_t bytes;

	if (l->key_header != NULL)
		value = nds_header(req, l->key_header);
	if (value == NULL || *value == '\0') {
		key[0] = 'a';
		return 1 + client_key(req->client, key + 1, KEY_BYTES - 1);
	}
	bytes = strnlen(value, KEY_BYTES - 1);
	key[0] = 'h';
	memcpy(key + 1, value, bytes);
	return 1 + bytes;
}

static int64_t
seconds_up(int64_t us)
{
	return (us + SECOND_US - 1) / SECOND_US;
}

/* As in draft-ietf-httpapi-ratelimit-headers-10. */
static void
fields_make(const struct limits *l, const struct bucket_answer *answer,
    struct nds_response *res)
{
	char *to = text_put(fields, l->policy);

	to = text_put(to, "RateLimit: \"client\";r=");
	to = text_put_number(to, answer->left);
	to = text_put(to, ";t=");
	to = text_put_number(to, seconds_up(answer->full_us));
	to = text_put(to, "\r\n");
	if (!answer->admitted) {
		to = text_put(to, "Retry-After: ");
		to = text_put_number(to, seconds_up(answer->next_us));
		text_put(to, "\r\n");
	}
	res->limits = fields;
}

int
limits_take(struct limits *l, struct nds_request *req,
    struct nds_response *res)
{
	struct bucket_answer answer;
	char key[KEY_BYTES];
	uint64_t hash;

	if (l->rate.every_us == 0 || req->conn->is_probe ||
	    nds_is_replay(req))
		return 1;
	hash = bucket_hash(&l->buckets, &l->rate, key,
	    key_make(l, req, key));
	bucket_take(&l->buckets, hash, &l->rate, clock_us(), &answer);
	fields_make(l, &answer, res);
	return answer.admitted;
}

/* ---- groups -------------------------------------------------------------- */

static void
retry_after(const struct limits *l, struct nds_response *res)
{
	size_t used = 0;

	if (res->limits != NULL)
		used = strlen(fields);
	snprintf(fields + used, sizeof(fields) - used,
	    "Retry-After: %u\r\n", refusal_retry_after_s(l->retry_after_ms));
	res->limits = fields;
}

int
limits_enter(const struct limits *l, const struct nds_request *req,
    struct nds_response *res)
{
	const struct route_group *group = req->route->group;
	int place;

	if (group->bulkhead == NULL)
		return 0;
	place = bulkhead_enter(group->bulkhead, group->places, l->slot,
	    nds_is_replay(req));
	if (place < 0)
		retry_after(l, res);
	return place;
}

void
limits_leave(const struct limits *l, const struct route_group *group,
    int place)
{
	if (group->bulkhead != NULL)
		bulkhead_leave(group->bulkhead, place, l->slot);
}
