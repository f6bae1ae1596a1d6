/* SPDX-License-Identifier: MIT */
/*
 * nds-observer: looks at the slots of the pool from outside, in a process of
 * its own.  It takes the spans of workers and of the shedder to a collector and
 * to a file, and tells where slow requests stand and how workers have crashed.
 * No worker ever waits for it, save while it looks at one's stack.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "observer/crash.h"
#include "observer/sender.h"
#include "observer/slow.h"
#include "observer/spool.h"
#include "proto/exit.h"
#include "proto/given.h"
#include "proto/order.h"
#include "proto/ring.h"
#include "proto/settings.h"

#define TURN_MS 100
#define GATHER_MS 1000 /* a span waits so long for others */
#define LEAVE_MS 400   /* ndsd gives 500 */

struct observer {
	struct settings settings;
	int control_fd;
	struct pool_board *pool;
	struct slot *slot[BOARD_SLOTS_MAX];
	uint32_t slots; /* numbers below may be mapped */
	const char *service; /* its name by the environment, or NULL */
	const char *program; /* the name of one that does not say its own */
	struct spool spool;
	struct sender sender;
	struct slow slow;
	uint64_t file_missed; /* spans that the file has not taken, in a row */
	int file_cut; /* it ends in the midst of a line */
	int64_t leave_ms; /* at the latest; 0 = nobody has told us to */
};

/* ---- orders -------------------------------------------------------------- */

static void
slot_take(struct observer *o, uint32_t number, int fd)
{
	struct nds_error err;
	struct slot *s;

	if (number >= BOARD_SLOTS_MAX || fd < 0)
		return;
	s = board_slot_map(fd, 1, &err);
	if (s == NULL) {
		log_errorx("slot %u: %s", number, err.text);
		return;
	}
	board_unmap(o->slot[number]);
	o->slot[number] = s;
	if (number >= o->slots)
		o->slots = number + 1;
}

static void
orders_take(struct observer *o)
{
	struct order order;
	int fd, got;

	while ((got = order_recv(o->control_fd, &order, &fd)) == 1) {
		if (order.type == ORDER_SLOT)
			slot_take(o, order.value, fd);
		if (fd >= 0)
			close(fd);
		if (order.type == ORDER_RETIRE && o->leave_ms == 0)
			o->leave_ms = clock_ms() + LEAVE_MS;
	}
	if ((got == 0 || errno != EAGAIN) && o->leave_ms == 0)
		o->leave_ms = clock_ms() + LEAVE_MS; /* ndsd is gone */
}

/* ---- spans --------------------------------------------------------------- */

/* All of it, or nothing: a line that is not whole would break the next.  What
 * a pipe has taken cannot be taken back: that line is ended by the next. */
static int
write_all(struct observer *o, int fd, const struct sender_body *b)
{
	ssize_t n;
	off_t end;

	if (o->file_cut && write(fd, "\n", 1) != 1)
		return -1;
	o->file_cut = 0;
	n = write(fd, b->text, b->bytes);
	if (n == (ssize_t)b->bytes)
		return 0;
	end = n > 0 ? lseek(fd, 0, SEEK_END) : -1;
	o->file_cut = n > 0 && (end < n || ftruncate(fd, end - n) < 0);
	if (n >= 0)
		errno = ENOSPC;
	return -1;
}

/* Opened for each batch, so that it may be rotated. */
static int
file_add(struct observer *o, const struct sender_body *b)
{
	const char *path = o->settings.trace_file;
	int fd, result;

	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
	    O_NONBLOCK, 0640);
	result = fd < 0 ? -1 : write_all(o, fd, b);
	if (result < 0 && o->file_missed == 0)
		log_error("cannot write traces to %s; spans are dropped", path);
	if (result == 0 && o->file_missed > 0)
		log_info("%s takes traces again; spans dropped: %llu", path,
		    (unsigned long long)o->file_missed);
	o->file_missed = result < 0 ? o->file_missed + b->spans : 0;
	if (fd >= 0)
		close(fd);
	return result;
}

/* Of those that are gathered. */
static void
spans_drop(struct observer *o, unsigned spans)
{
	atomic_fetch_add(&o->pool->spans_dropped, spans);
	atomic_fetch_sub(&o->pool->spans_gathered, spans);
}

static void
ship(struct observer *o)
{
	struct sender_body b;

	if (o->spool.spans == 0)
		return;
	b.text = spool_take(&o->spool, &b.spans, &b.bytes);
	if (b.text == NULL) {
		spans_drop(o, b.spans);
		return;
	}
	if (o->settings.trace_file[0] != '\0')
		atomic_fetch_add(file_add(o, &b) < 0 ?
		    &o->pool->spans_unwritten : &o->pool->spans_written,
		    b.spans);
	atomic_fetch_sub(&o->pool->spans_gathered, b.spans);
	sender_push(&o->sender, b);
	atomic_store(&o->pool->spans_queued, sender_queued(&o->sender));
}

/* A batch is of one service in one version. */
static void
service_set(struct observer *o, const struct slot *s)
{
	char name[sizeof(s->service)], version[sizeof(s->service_version)];

	snprintf(name, sizeof(name), "%.*s", (int)sizeof(name) - 1,
	    o->service != NULL ? o->service :
	    s->service[0] != '\0' ? s->service : o->program);
	snprintf(version, sizeof(version), "%.*s", (int)sizeof(version) - 1,
	    s->service_version);
	if (strcmp(name, o->spool.service) == 0 &&
	    strcmp(version, o->spool.version) == 0)
		return;
	ship(o);
	memcpy(o->spool.service, name, sizeof(name));
	memcpy(o->spool.version, version, sizeof(version));
}

static void
line_take(struct observer *o, const char *line, size_t bytes)
{
	int rc = spool_add(&o->spool, line, bytes, clock_ms());

	if (rc > 0) {
		ship(o);
		rc = spool_add(&o->spool, line, bytes, clock_ms());
	}
	if (rc != 0)
		spans_drop(o, 1);
}

/* A line is a span. */
static unsigned
count_lines(const char *text, size_t bytes)
{
	unsigned lines = 0;

	for (size_t i = 0; i < bytes; i++)
		lines += text[i] == '\n';
	return lines;
}

/* The spans of a slot; of the shedder where it is NULL. */
static void
spans_collect(struct observer *o, struct slot *s)
{
	static char text[16 * RING_LINE_MAX];
	const char *at, *end, *next;
	size_t n;

	/* no longer than this at a time: others have rings too */
	for (int turns = 0; turns < 16; turns++) {
		n = s == NULL ? ring_shed_read(o->pool, text, sizeof(text)) :
		    ring_span_read(s, text, sizeof(text));
		if (n == 0)
			return;
		atomic_fetch_add(&o->pool->spans_gathered,
		    count_lines(text, n));
		if (s != NULL)
			service_set(o, s);
		end = text + n;
		for (at = text; at < end; at = next) {
			next = memchr(at, '\n', (size_t)(end - at));
			next = next == NULL ? end : next + 1;
			line_take(o, at, (size_t)(next - at));
		}
	}
}

/* ---- the loop ------------------------------------------------------------ */

static void
turn(struct observer *o)
{
	int64_t now;

	for (uint32_t i = 0; i < o->slots; i++)
		if (o->slot[i] != NULL) {
			spans_collect(o, o->slot[i]);
			crash_look(o->slot[i], i);
		}
	spans_collect(o, NULL);
	now = clock_ms();
	slow_look(&o->slow, o->slot, o->slots, o->settings.slow_ms, now);
	if (o->leave_ms > 0 || now - o->spool.since_ms >= GATHER_MS)
		ship(o);
	sender_step(&o->sender, now);
	atomic_store(&o->pool->spans_queued, sender_queued(&o->sender));
	atomic_fetch_add(&o->pool->observer_turns, 1);
}

/* What one before us had in hand when it died. */
static void
inherit(struct pool_board *pool)
{
	atomic_fetch_add(&pool->spans_dropped,
	    atomic_exchange(&pool->spans_gathered, 0));
	atomic_fetch_add(&pool->spans_unsent,
	    atomic_exchange(&pool->spans_queued, 0));
}

static void
run(struct observer *o)
{
	inherit(o->pool);
	do {
		sender_wait(&o->sender, o->leave_ms > 0 ? -1 : o->control_fd,
		    TURN_MS);
		orders_take(o);
		turn(o);
	} while (o->leave_ms == 0 ||
	    (o->sender.count > 0 && clock_ms() < o->leave_ms));
	sender_close(&o->sender);
	atomic_store(&o->pool->spans_queued, 0);
}

/* What is known of the service before any worker has said more. */
static void
service_open(struct observer *o, const char *program)
{
	o->program = program == NULL ? "unknown_service" : program;
	o->service = getenv("OTEL_SERVICE_NAME");
	if (o->service != NULL && *o->service == '\0')
		o->service = NULL;
	snprintf(o->spool.service, sizeof(o->spool.service), "%s",
	    o->service != NULL ? o->service : o->program);
}

int
main(int argc, char **argv)
{
	struct observer *o = calloc(1, sizeof(*o));
	struct nds_error err;

	if (o == NULL)
		return EXIT_REFUSED;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* the group's, not meant for us */
	signal(SIGHUP, SIG_IGN);
	if (settings_load_environment(&o->settings, environ, &err) < 0)
		goto failed;
	log_open(o->settings.log_format == LOG_FORMAT_JSON,
	    (enum log_level)o->settings.log_level, NULL, NULL);
	service_open(o, argc > 1 ? argv[1] : NULL);
	o->pool = given_pool(1, &err);
	if (o->pool == NULL ||
	    given_fd(BOARD_ENV_CONTROL, &o->control_fd, &err) < 0 ||
	    sender_open(&o->sender, strcmp(o->settings.trace, "off") == 0 ?
		"" : o->settings.trace_endpoint, o->pool, &err) < 0)
		goto failed;
	run(o);
	free(o);
	return EXIT_DONE;
failed:
	fprintf(stderr, "nds-observer: %s\n", err.text);
	free(o);
	return EXIT_REFUSED;
}
