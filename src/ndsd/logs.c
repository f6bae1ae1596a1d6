/* SPDX-License-Identifier: MIT */
#include "ndsd/logs.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "proto/ring.h"

#define LOGS_FD 1

static size_t
room(struct logs *logs)
{
	if (logs->begin == logs->end)
		logs->begin = logs->end = 0;
	return LOGS_BYTES - logs->end;
}

static void
make_room(struct logs *logs)
{
	if (logs->begin == 0)
		return;
	memmove(logs->text, logs->text + logs->begin, logs->end - logs->begin);
	logs->end -= logs->begin;
	logs->begin = 0;
}

static uint64_t
count_lines(const char *text, size_t bytes)
{
	const char *end = text + bytes;
	uint64_t lines = 0;

	while ((text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
		lines++;
		text++;
	}
	return lines;
}

static void
logs_append(const char *line, size_t bytes, void *arg)
{
	struct logs *logs = arg;

	recent_add(logs->recent, line, bytes);
	if (room(logs) < bytes)
		make_room(logs);
	if (room(logs) < bytes) {
		atomic_fetch_add(logs->dropped, 1);
		return;
	}
	memcpy(logs->text + logs->end, line, bytes);
	logs->end += bytes;
}

/* The largest run of whole lines of at most PIPE_BUF bytes: poll's word holds
 * for so much, and the kernel does not mix it with another writer's. */
static size_t
next_batch(const struct logs *logs)
{
	size_t bytes = logs->end - logs->begin;
	const char *text = logs->text + logs->begin;
	const char *last;

	if (bytes <= LOG_LINE_MAX)
		return bytes;
	last = memrchr(text, '\n', LOG_LINE_MAX);
	return last != NULL ? (size_t)(last + 1 - text) : LOG_LINE_MAX;
}

static void
logs_discard(struct logs *logs)
{
	atomic_fetch_add(logs->dropped,
	    count_lines(logs->text + logs->begin, logs->end - logs->begin));
	logs->begin = logs->end = 0;
}

/* Returns 0 when stdout takes no more now. */
static int
write_batch(struct logs *logs)
{
	struct pollfd out = {.fd = LOGS_FD, .events = POLLOUT};
	ssize_t n;

	if (poll(&out, 1, 0) <= 0)
		return 0;
	n = write(LOGS_FD, logs->text + logs->begin, next_batch(logs));
	if (n <= 0) {
		logs_discard(logs); /* nobody reads any more, or disk full */
		return 1;
	}
	logs->begin += (size_t)n;
	return 1;
}

void
logs_flush(struct logs *logs)
{
	while (logs->begin < logs->end && write_batch(logs))
		;
	if (logs->begin == logs->end)
		loop_del(logs->loop, &logs->out);
	else if (logs->out.fd < 0)
		loop_add(logs->loop, &logs->out, LOGS_FD, EPOLLOUT);
}

/* Lines of a ring into the text, or aside when nobody takes that. */
static size_t
ring_take(struct logs *logs, struct slot *slot, const char **lines)
{
	size_t left = room(logs), n;

	if (left < RING_LINE_MAX) {
		*lines = logs->aside;
		n = ring_read(slot, logs->aside, sizeof(logs->aside));
		atomic_fetch_add(logs->dropped, count_lines(*lines, n));
		return n;
	}
	*lines = logs->text + logs->end;
	n = ring_read(slot, logs->text + logs->end, left);
	logs->end += n;
	return n;
}

void
logs_collect(struct logs *logs, struct slot *slot, struct tail *tail)
{
	const char *lines;
	size_t n;

	do {
		if (room(logs) < 16 * RING_LINE_MAX) {
			logs_flush(logs);
			make_room(logs);
		}
		n = ring_take(logs, slot, &lines);
		recent_add(logs->recent, lines, n);
		if (tail != NULL)
			tail_add(tail, lines, n);
	} while (n > 0);
}

static void
out_ready(void *arg, uint32_t events)
{
	(void)events;
	logs_flush(arg);
}

void
logs_open(struct logs *logs, struct loop *loop, _Atomic uint64_t *dropped,
    struct recent *recent)
{
	logs->recent = recent;
	logs->dropped = dropped;
	logs->loop = loop;
	logs->out = (struct watch){.fd = -1, .ready = out_ready, .arg = logs};
	logs->begin = logs->end = 0;
}

void
logs_format(struct logs *logs, const struct settings *s)
{
	log_open(s->log_format == LOG_FORMAT_JSON, (enum log_level)s->log_level,
	    logs_append, logs);
}
