/* SPDX-License-Identifier: MIT */
#include "lib/access.h"

#include <stdatomic.h>

#include "base/log.h"

static void
count(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static void
access_count(struct slot_counters *c, const struct access *a)
{
	count(&c->bytes_in, a->received_bytes);
	count(&c->bytes_out, a->sent_bytes);
	if (a->status == ACCESS_GONE) {
		count(&c->cancelled, 1);
		return;
	}
	count(&c->requests, 1);
	/* A broken answer is a failure, whatever its head has said. */
	count(&c->status[a->broken ? 5 : a->status / 100], 1);
	count(&c->latency[board_latency_bucket(a->us)], 1);
	count(&c->latency_us, (uint64_t)a->us);
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
	log_line_number(&line, "status", a->status);
	log_line_number(&line, "bytes", (int64_t)a->body_bytes);
	log_line_milli(&line, "duration_ms", a->us);
	log_line_number(&line, "worker", slot->number);
	log_line_number(&line, "generation",
	    atomic_load_explicit(&slot->generation, memory_order_relaxed));
	log_line_text(&line, "client", a->client);
	if (a->error != NULL)
		log_line_text(&line, "error", a->error);
	bytes = log_line_end(&line);
	log_send(line.text, bytes);
}

/* The flag goes first: a death in between leaves one uncounted rather than
 * counted twice. */
void
access_end(struct slot *slot, const struct access *a)
{
	uint32_t flags =
	    atomic_load_explicit(&slot->flags, memory_order_relaxed);

	if (flags & (SLOT_COUNTED | SLOT_PROBE))
		return;
	atomic_store_explicit(&slot->flags, flags | SLOT_COUNTED,
	    memory_order_release);
	access_count(&slot->count, a);
	access_line(slot, a);
}
