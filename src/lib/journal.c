/* SPDX-License-Identifier: MIT */
#include "lib/journal.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/request.h"
#include "proto/order.h"
#include "proto/ring.h"

static struct {
	struct slot *slot;
	const int *control_fd;
	const char *request_id; /* NULL outside a handler */
	struct ident_trace trace;
} journal;

static void
journal_ring(const char *line, size_t bytes, void *arg)
{
	(void)arg;
	/* A poke that cannot be sent is no loss: the ring is also emptied by
	 * the clock. */
	if (ring_write(journal.slot, line, bytes) == 1 &&
	    *journal.control_fd >= 0)
		order_send(*journal.control_fd, ORDER_POKE, 0, -1);
}

void
journal_open(const struct settings *s, struct slot *slot,
    const int *control_fd)
{
	journal.slot = slot;
	journal.control_fd = control_fd;
	log_open(s->log_format == LOG_FORMAT_JSON,
	    (enum log_level)s->log_level,
	    slot == NULL || slot->ring_bytes == 0 ? NULL : journal_ring, NULL);
}

void
journal_enter(const struct nds_request *req)
{
	journal.request_id = req == NULL ? NULL : req->request_id;
	if (req != NULL)
		journal.trace = req->trace;
}

void
journal_enter_slot(struct slot *slot)
{
	uint32_t state = slot == NULL ? SLOT_ACCEPTING :
	    atomic_load(&slot->state);

	journal.request_id = NULL;
	if (state == SLOT_ACCEPTING || state == SLOT_UNREAD ||
	    ident_again(&journal.trace, slot->traceparent, NULL) < 0)
		return;
	slot->request_id[sizeof(slot->request_id) - 1] = '\0';
	journal.request_id = slot->request_id;
}

static void
journal_line(struct log_line *line, enum log_level level, const char *message)
{
	log_line_begin(line, log_is_json(), level, message);
	if (journal.request_id == NULL)
		return;
	log_line_text(line, "request_id", journal.request_id);
	log_line_text(line, "trace_id", journal.trace.trace_id);
	log_line_text(line, "span_id", journal.trace.span_id);
}

void
nds_log(enum nds_level level, const char *fmt, ...)
{
	/* The public levels are the inner ones, in the same order. */
	enum log_level inner = (enum log_level)level;
	struct log_line line;
	char message[2048];
	size_t bytes;
	va_list ap;

	if (level < NDS_DEBUG || level > NDS_ERROR || !log_wants(inner))
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	journal_line(&line, inner, message);
	bytes = log_line_end(&line);
	log_send(line.text, bytes);
}
