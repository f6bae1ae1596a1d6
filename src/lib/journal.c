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
	const struct nds_request *request; /* NULL outside a handler */
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
	journal.request = req;
}

void
journal_line(struct log_line *line, const struct nds_request *req,
    enum log_level level, const char *message)
{
	log_line_begin(line, log_is_json(), level, message);
	if (req == NULL)
		return;
	log_line_text(line, "request_id", req->request_id);
	log_line_text(line, "trace_id", req->trace.trace_id);
	log_line_text(line, "span_id", req->trace.span_id);
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
	journal_line(&line, journal.request, inner, message);
	bytes = log_line_end(&line);
	log_send(line.text, bytes);
}
