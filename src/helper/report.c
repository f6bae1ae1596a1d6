/* SPDX-License-Identifier: MIT */
/*
 * The judgement behind the probes.  Liveness asks whether supervisor and pool
 * make progress, so it stays good through drains and restarts of the
 * supervisor; readiness asks whether requests should be sent here now.
 */
#include "helper/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "proto/counters.h"

#define READ_TRIES 1000 /* a write of a check takes well under a microsecond */

static void
add(uint64_t *sum, const _Atomic uint64_t *from, int count)
{
	for (int i = 0; i < count; i++)
		sum[i] += atomic_load_explicit(&from[i], memory_order_relaxed);
}

void
report_sum_slots(const struct report *r, struct report_sums *sums)
{
	const struct slot *s;

	memset(sums, 0, sizeof(*sums));
	for (int i = 0; i < BOARD_SLOTS_MAX; i++) {
		s = r->slot[i];
		if (s == NULL)
			continue;
		counters_add(&sums->count, &s->count);
		add(sums->event, s->event, EVENTS);
		add(sums->queue_wait, s->queue_wait, BOARD_LATENCY_BUCKETS);
		sums->queue_wait_us += s->queue_wait_us;
		if (s->place == SLOT_STARTING)
			sums->starting++;
		else if (s->place == SLOT_RETIRING)
			sums->retiring++;
		else if (s->worker_pid > 0 && s->started_ms != 0)
			sums->busy++;
		else if (s->worker_pid > 0)
			sums->idle++;
	}
}

void
report_sum(const struct report *r, struct report_sums *sums)
{
	report_sum_slots(r, sums);
	add(sums->event, r->pool->event, EVENTS);
}

uint64_t
report_spans_early(const struct report *r)
{
	uint64_t early = r->pool->spans_dropped + r->pool->shed_dropped;

	for (int i = 0; i < BOARD_SLOTS_MAX; i++)
		if (r->slot[i] != NULL)
			early += r->slot[i]->trace_dropped;
	return early;
}

/* ---- dependency checks --------------------------------------------------- */

static void
check_judge(const struct report *r, const struct board_check *from,
    struct report_check *to)
{
	int64_t checked_ms = from->checked_ms;

	snprintf(to->name, sizeof(to->name), "%s", from->name);
	snprintf(to->message, sizeof(to->message), "%s", from->message);
	text_make_utf8(to->name);
	text_make_utf8(to->message);
	to->duration_ms = from->duration_ms;
	to->status = CHECK_FAILED;
	if (from->status == CHECK_PENDING || checked_ms == 0) {
		to->status = CHECK_PENDING;
		snprintf(to->message, sizeof(to->message), "not yet run");
	} else if (r->now_ms - checked_ms > (int64_t)from->good_for_ms) {
		snprintf(to->message, sizeof(to->message),
		    "the last result is %" PRId64 " s old",
		    (r->now_ms - checked_ms) / 1000);
	} else if (from->status == CHECK_OK) {
		to->status = CHECK_OK;
	}
}

/* A writer that died in the middle leaves what cannot be read: the check
 * counts as failed until the next writer comes. */
static void
check_read(const struct report *r, uint32_t i, struct report_check *to)
{
	const struct board_check *from = &r->pool->check[i];
	struct board_check copy;

	for (int tries = 0; tries < READ_TRIES; tries++)
		if (board_check_read(from, &copy) == 0) {
			check_judge(r, &copy, to);
			return;
		}
	memset(to, 0, sizeof(*to));
	snprintf(to->name, sizeof(to->name), "check %u", i + 1);
	snprintf(to->message, sizeof(to->message), "no whole result");
	to->status = CHECK_FAILED;
}

uint32_t
report_checks(const struct report *r,
    struct report_check check[BOARD_CHECKS_MAX])
{
	uint32_t count = r->pool->checks;

	if (count > BOARD_CHECKS_MAX)
		count = BOARD_CHECKS_MAX;
	for (uint32_t i = 0; i < count; i++)
		check_read(r, i, &check[i]);
	return count;
}

/* ---- probes -------------------------------------------------------------- */

static const char *
check_word(enum check_status status)
{
	return status == CHECK_OK ? "ok" :
	    status == CHECK_PENDING ? "pending" : "error";
}

static void
add_check(json_t *list, const char *name, enum check_status status,
    const char *message)
{
	json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", name,
	    "status", check_word(status), "message", message));
}

int64_t
report_seen_ms(const struct report *r)
{
	int64_t seen = r->pool->heartbeat_ms;

	if (seen == 0)
		seen = r->pool->started_ms;
	return seen == 0 || seen > r->now_ms ? 0 : r->now_ms - seen;
}

static int
supervisor_check(const struct report *r, json_t *list)
{
	int64_t age = report_seen_ms(r);
	int fine = age <= REPORT_HEARTBEAT_MS;
	char message[64] = "";

	if (!fine)
		snprintf(message, sizeof(message), "not seen for %" PRId64
		    " s", age / 1000);
	add_check(list, "supervisor", fine ? CHECK_OK : CHECK_FAILED, message);
	return fine;
}

static void
workers_check(const struct report *r, json_t *list, int fine)
{
	uint32_t stuck = r->pool->stuck;
	char message[64], overdue[32] = "";

	if (stuck > 0)
		snprintf(overdue, sizeof(overdue), ", %u overdue", stuck);
	snprintf(message, sizeof(message), "%u of %u ready%s", r->pool->ready,
	    r->pool->wanted, overdue);
	add_check(list, "workers", fine ? CHECK_OK : CHECK_FAILED, message);
}

/* No reason to be unready: what served before the reload serves on. */
static void
reload_check(const struct report *r, json_t *list)
{
	if (r->pool->behind != 0)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}",
		    "name", "reload", "status", "warn", "message",
		    "the last one failed: what was before it serves on"));
}

static json_t *
document(const char *status, json_t *list)
{
	return json_pack("{s:s, s:o}", "status", status, "checks", list);
}

int
report_live(const struct report *r, json_t **body)
{
	json_t *list = json_array();
	uint32_t ready = r->pool->ready;
	int serves = !(r->pool->wanted > 0 && ready > 0 &&
	    r->pool->stuck >= ready);
	int fine = supervisor_check(r, list) && serves;

	workers_check(r, list, serves);
	*body = document(fine ? "ok" : "error", list);
	return fine ? 200 : 503;
}

int
report_startup(const struct report *r, json_t **body)
{
	json_t *list = json_array();
	int fine = r->pool->started != 0;

	supervisor_check(r, list);
	workers_check(r, list, fine);
	*body = document(fine ? "ok" : "error", list);
	return fine ? 200 : 503;
}

static void
dependencies_check(const struct report *r, json_t *list)
{
	struct report_check check[BOARD_CHECKS_MAX];
	uint32_t count = report_checks(r, check);

	for (uint32_t i = 0; i < count; i++)
		add_check(list, check[i].name, check[i].status,
		    check[i].message);
}

/* Half of the workers are enough, one at least. */
static int
enough(const struct report *r)
{
	uint32_t wanted = r->pool->wanted, half = wanted / 2 + wanted % 2;

	return r->pool->ready >= (half > 1 ? half : 1);
}

/* The first check that is not good, and how many more. */
static int
unready_check(const struct report *r, char why[REPORT_WHY])
{
	struct report_check check[BOARD_CHECKS_MAX];
	uint32_t count = report_checks(r, check), bad = 0, first = 0;
	char more[32] = "";

	for (uint32_t i = count; i-- > 0;)
		if (check[i].status != CHECK_OK) {
			first = i;
			bad++;
		}
	if (bad == 0)
		return 0;
	if (bad > 1)
		snprintf(more, sizeof(more), ", and %u more", bad - 1);
	snprintf(why, REPORT_WHY, "check %s: %s%s", check[first].name,
	    check[first].message[0] == '\0' ? "failed" : check[first].message,
	    more);
	return 1;
}

int
report_unready(const struct report *r, char why[REPORT_WHY])
{
	const struct pool_board *pool = r->pool;
	uint32_t unready = pool->unready;

	why[0] = '\0';
	if (unready == BOARD_UNREACHABLE)
		snprintf(why, REPORT_WHY, "a socket is not at its place");
	else if (unready != 0)
		snprintf(why, REPORT_WHY, "draining");
	else if (pool->started == 0)
		snprintf(why, REPORT_WHY, "starting");
	else if (!enough(r))
		snprintf(why, REPORT_WHY, "%u of %u workers ready",
		    pool->ready, pool->wanted);
	else
		return unready_check(r, why);
	return 1;
}

int
report_ready(const struct report *r, json_t **body)
{
	json_t *list = json_array();
	uint32_t unready = r->pool->unready;
	int draining = unready != 0 && unready != BOARD_UNREACHABLE;
	char why[REPORT_WHY];
	int fine = !report_unready(r, why);

	supervisor_check(r, list);
	workers_check(r, list, enough(r));
	dependencies_check(r, list);
	reload_check(r, list);
	*body = document(draining ? "draining" : fine ? "ok" : "error", list);
	return fine ? 200 : 503;
}

/* ---- status -------------------------------------------------------------- */

static const char *
worker_word(const struct slot *s)
{
	if (s->place == SLOT_STARTING)
		return "starting";
	if (s->place == SLOT_RETIRING)
		return "retiring";
	return s->started_ms == 0 ? "idle" : "busy";
}

static json_t *
worker_entry(const struct report *r, const struct slot *s)
{
	int64_t started = s->started_ms;
	int64_t request_ms = started == 0 ? 0 : r->now_ms - started;

	return json_pack("{s:I, s:I, s:I, s:s, s:I, s:I}",
	    "slot", (json_int_t)s->number, "pid", (json_int_t)s->worker_pid,
	    "generation", (json_int_t)s->generation,
	    "state", worker_word(s),
	    "requests", (json_int_t)s->count.requests,
	    "request_ms", (json_int_t)(request_ms < 0 ? 0 : request_ms));
}

static json_t *
workers_list(const struct report *r)
{
	json_t *list = json_array();

	for (int i = 0; i < BOARD_SLOTS_MAX; i++)
		if (r->slot[i] != NULL && r->slot[i]->worker_pid > 0)
			json_array_append_new(list,
			    worker_entry(r, r->slot[i]));
	return list;
}

static json_t *
counters(const struct report *r)
{
	struct report_sums sums;

	report_sum(r, &sums);
	return counters_json(&sums.count, r->pool);
}

const char *
report_state(const struct report *r)
{
	const struct pool_board *pool = r->pool;

	if (pool->stopping)
		return "stopping";
	if (pool->draining || pool->unready == 1)
		return "draining";
	return pool->started ? "running" : "starting";
}

/* Lost for the collector, the file, or before both. */
static json_t *
spans_lost(const struct report *r)
{
	return json_pack("{s:I, s:I, s:I}",
	    "collector", (json_int_t)r->pool->spans_unsent,
	    "file", (json_int_t)r->pool->spans_unwritten,
	    "any", (json_int_t)report_spans_early(r));
}

json_t *
report_status(const struct report *r)
{
	const struct pool_board *pool = r->pool;
	json_t *list = json_array();
	int64_t up = pool->started_ms == 0 ? 0 : r->now_ms - pool->started_ms;

	dependencies_check(r, list);
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
	    "s:I, s:o, s:{s:I,s:I,s:o}, s:o, s:o, s:o}",
	    "version", NDS_VERSION, "state", report_state(r),
	    "supervisor_seen_ms", (json_int_t)report_seen_ms(r),
	    "generation", (json_int_t)pool->generation,
	    "pid", (json_int_t)(r->orphaned ? 0 : pool->main_pid),
	    "uptime_s", (json_int_t)(up / 1000),
	    "wanted", (json_int_t)pool->wanted,
	    "wanted_min", (json_int_t)pool->wanted_min,
	    "wanted_max", (json_int_t)pool->wanted_max,
	    "ready", (json_int_t)pool->ready, "workers", workers_list(r),
	    "queue", "length", (json_int_t)pool->queue_length,
	    "wait_ms", (json_int_t)pool->queue_wait_ms,
	    "shed", counters_shed_json(pool),
	    "spans_lost", spans_lost(r),
	    "counters", counters(r), "checks", list);
}
