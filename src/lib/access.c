/* SPDX-License-Identifier: MIT */
#include "lib/access.h"

#include <stdatomic.h>

#include "base/log.h"
#include "lib/span.h"
#include "proto/books.h"
#include "proto/tally.h"

/* What became of a request that was run again. */
static enum board_event
access_fate(const struct access *a)
{
	if (a->status == ACCESS_GONE)
		return EVENT_REPLAY_CANCELLED;
	if (a->fate != 0)
		return a->fate;
	return a->broken ? EVENT_REPLAY_LOST : EVENT_REPLAY_ANSWERED;
}

/* By route, where the slot has books. */
static void
access_route(struct tally *t, const struct access *a, int bucket)
{
	struct books *books = board_books(t->slot);
	uint32_t code = a->broken ? BOOKS_CODE_BROKEN : (uint32_t)a->status;
	uint32_t at = t->slot->route;

	if (books == NULL)
		return;
	if (at >= BOOKS_ROUTES)
		at = BOOKS_OTHER;
	tally_add(t, books_count(books, books_key(at,
	    books_method(a->method), code)), 1);
	tally_add(t, &books->route[at].latency[bucket], 1);
	tally_add(t, &books->route[at].latency_us, (uint64_t)a->us);
}

static void
access_answered(struct tally *t, const struct access *a)
{
	struct slot_counters *c = &t->slot->count;
	int bucket = board_latency_bucket(a->us);

	tally_add(t, &c->requests, 1);
	/* A broken answer is a failure, whatever its head has said. */
	tally_add(t, &c->status[a->broken ? 5 : a->status / 100], 1);
	tally_add(t, &c->latency[bucket], 1);
	tally_add(t, &c->latency_us, (uint64_t)a->us);
	access_route(t, a, bucket);
}

static void
access_count(struct slot *slot, const struct access *a)
{
	struct slot_counters *c = &slot->count;
	struct tally t;

	tally_begin(&t, slot);
	tally_add(&t, &c->bytes_in, a->received_bytes);
	tally_add(&t, &c->bytes_out, a->sent_bytes);
	if (slot->tries > 0)
		tally_add(&t, &slot->event[access_fate(a)], 1);
	if (a->status == ACCESS_GONE)
		tally_add(&t, &c->cancelled, 1);
	else
		access_answered(&t, a);
	tally_end(&t);
}

static void
access_line(const struct slot *slot, const struct access *a)
{
	int is_ours =
	    a->status != ACCESS_GONE && (a->status >= 500 || a->broken);
	enum log_level level = is_ours ? LOG_WARN : LOG_INFO;
	struct log_line line;
	size_t bytes;

	if (!log_wants(level))
		return;
	log_line_begin(&line, log_is_json(), level, "request");
	log_line_text(&line, "request_id", a->request_id);
	log_line_text(&line, "trace_id", a->trace->trace_id);
	log_line_text(&line, "span_id", a->trace->span_id);
	log_line_text(&line, "method", a->method);
	log_line_text(&line, "path", a->path);
	if (a->route != NULL)
		log_line_text(&line, "route", a->route);
	log_line_number(&line, "status", a->status);
	log_line_number(&line, "bytes", (int64_t)a->body_bytes);
	log_line_milli(&line, "duration_ms", a->us);
	log_line_number(&line, "worker", slot->number);
	log_line_number(&line, "generation",
	    atomic_load_explicit(&slot->generation, memory_order_relaxed));
	if (slot->tries > 0)
		log_line_number(&line, "tries", slot->tries);
	log_line_text(&line, "client", a->client);
	if (a->error != NULL)
		log_line_text(&line, "error", a->error);
	bytes = log_line_end(&line);
	log_send(line.text, bytes);
}

void
access_end(struct slot *slot, const struct access *a)
{
	tally_settle(slot);
	if (atomic_load_explicit(&slot->flags, memory_order_relaxed) &
	    (SLOT_COUNTED | SLOT_PROBE))
		return;
	access_count(slot, a);
	access_line(slot, a);
	span_request(slot, a);
}
