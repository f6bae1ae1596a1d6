/* SPDX-License-Identifier: MIT */
#include "lib/rescue.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "lib/nds.h"
#include "lib/own.h"
#include "lib/settle.h"
#include "lib/transfer.h"
#include "proto/tally.h"

static const char died[] = "the process that served this request died";

static void
count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void
lose(struct slot *s, enum board_event why)
{
	count(&s->count.lost);
	count(&s->event[why]);
}

/* ---- the unnoted connection ---------------------------------------------- */

static int
same_address(const struct sockaddr_storage *a, socklen_t a_bytes,
    const struct sockaddr_storage *b, socklen_t b_bytes)
{
	if (a->ss_family != b->ss_family)
		return 0;
	if (a->ss_family == AF_UNIX)
		return a_bytes == b_bytes && memcmp(a, b, a_bytes) == 0;
	/* the listener may stand on a wildcard address */
	return ((const struct sockaddr_in *)a)->sin_port ==
	    ((const struct sockaddr_in *)b)->sin_port;
}

struct search {
	struct sockaddr_storage wanted; /* the listener's own address */
	socklen_t wanted_bytes;
	int found;
};

static int
search_begin(struct search *search, int listen_fd)
{
	memset(search, 0, sizeof(*search));
	search->found = -1;
	search->wanted_bytes = sizeof(search->wanted);
	return getsockname(listen_fd, (struct sockaddr *)&search->wanted,
	    &search->wanted_bytes);
}

/* A connected socket that bears the listener's address came off it. */
static int
is_accepted(int fd, void *arg)
{
	struct search *search = arg;
	struct sockaddr_storage here = {0};
	socklen_t bytes = sizeof(here), four = sizeof(int);
	int listening;

	if (getsockname(fd, (struct sockaddr *)&here, &bytes) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &four) < 0 ||
	    listening ||
	    !same_address(&here, bytes, &search->wanted, search->wanted_bytes))
		return 0;
	search->found = fd;
	return 1;
}

/* Accepted, and the worker died before it could note the number: there is no
 * other than this one. */
static int
find_unnoted(int listen_fd)
{
	struct search search;

	if (search_begin(&search, listen_fd) == 0)
		own_visit(is_accepted, &search);
	return search.found;
}

/* A handler may have closed the number and opened a file of its own there. */
static int
is_connection(struct slot *s, int fd, int listen_fd)
{
	struct search search;

	return atomic_load(&s->flags) & SLOT_PROBE ||
	    search_begin(&search, listen_fd) < 0 || is_accepted(fd, &search);
}

/* ---- the states ---------------------------------------------------------- */

/* Bytes that were consumed and that the worker had no time to count. */
static void
count_captured(struct slot *s)
{
	uint64_t taken = transfer_done(&s->in);

	if (taken > atomic_load(&s->capture_used) && taken <= s->capture_bytes)
		atomic_store(&s->capture_used, (uint32_t)taken);
}

static int
is_in_time(struct slot *s)
{
	return atomic_load(&s->deadline_ms) > clock_ms();
}

static enum rescue
give_up(struct slot *s, int fd)
{
	lose(s, EVENT_LOST_DIED);
	settle_problem(s, fd, 502, died);
	return RESCUE_NOTHING;
}

/* All that was taken off the connection stands in the capture: the request is
 * whole, or its worker was still at it and there was room for more. */
static int
is_captured(struct slot *s)
{
	struct wire_scan scan;
	enum wire_verdict verdict = settle_scan(s, &scan);

	return verdict == WIRE_WHOLE ||
	    (verdict == WIRE_MORE && scan.params_ended &&
		atomic_load(&s->capture_used) < s->capture_bytes);
}

static int
is_replayable(struct slot *s, uint32_t replay_bytes)
{
	return atomic_load(&s->tries) == 0 &&
	    !(atomic_load(&s->flags) & SLOT_ONCE) &&
	    atomic_load(&s->capture_used) <= replay_bytes &&
	    is_in_time(s) && is_captured(s);
}

static enum rescue
rescue_running(struct slot *s, int fd, uint32_t replay_bytes)
{
	if (!is_replayable(s, replay_bytes))
		return give_up(s, fd);
	atomic_store(&s->replayed_ms, clock_ms());
	atomic_store(&s->tries, 1);
	atomic_store(&s->state, SLOT_RUNNING);
	count(&s->count.replayed);
	settle_name(s);
	nds_log(NDS_INFO, "request %s is run again", s->request_id);
	return RESCUE_CAPTURED;
}

/* No handler has seen it, so reading goes on whatever its method; but once, for
 * it may be the input that kills. */
static enum rescue
rescue_reading(struct slot *s, int fd)
{
	if (atomic_load(&s->flags) & SLOT_RESUMED || !is_in_time(s))
		return give_up(s, fd);
	atomic_fetch_or(&s->flags, SLOT_RESUMED);
	return RESCUE_CAPTURED;
}

/* What has begun to stream may have got no byte out, or all of them. */
static enum rescue
rescue_streaming(struct slot *s, int fd, uint32_t replay_bytes)
{
	uint64_t sent = transfer_done(&s->out);

	if (sent == 0)
		return rescue_running(s, fd, replay_bytes);
	if (sent == atomic_load(&s->out.goal)) {
		count(&s->count.delivered);
		settle_sent(s, fd);
		return RESCUE_NOTHING;
	}
	lose(s, EVENT_LOST_BROKEN);
	settle_broken(s, fd, died);
	return RESCUE_NOTHING;
}

static enum rescue
rescue_connection(struct slot *s, uint32_t state, int fd, uint32_t replay_bytes)
{
	count_captured(s);
	switch (state) {
	case SLOT_UNREAD:
		return is_in_time(s) ? RESCUE_UNREAD : give_up(s, fd);
	case SLOT_READING:
		return rescue_reading(s, fd);
	case SLOT_RUNNING:
		return rescue_running(s, fd, replay_bytes);
	case SLOT_STREAMING:
		return rescue_streaming(s, fd, replay_bytes);
	case SLOT_SENDING:
		count(&s->count.delivered);
		settle_kept(s, fd);
		break;
	case SLOT_SENT:
		settle_sent(s, fd);
		break;
	default: /* EXPIRED: settled while the worker lived */
		break;
	}
	return RESCUE_NOTHING;
}

/* Accepted, and perhaps noted; what else stands in the slot may still be of the
 * request before.  Its time begins here: the next worker may die, or hang,
 * before it comes to it. */
static enum rescue
rescue_accepted(struct slot *s, int listen_fd, int64_t timeout_ms)
{
	int64_t now = clock_ms();

	if (atomic_load(&s->fd) < 0)
		atomic_store(&s->fd, find_unnoted(listen_fd));
	if (atomic_load(&s->fd) < 0)
		return RESCUE_NOTHING;
	s->request_id[0] = s->traceparent[0] = s->client[0] = '\0';
	atomic_store(&s->capture_used, 0);
	atomic_store(&s->tries, 0);
	atomic_store(&s->flags, 0);
	atomic_store(&s->started_ms, now);
	atomic_store(&s->deadline_ms, now + timeout_ms);
	atomic_store(&s->state, SLOT_UNREAD);
	return RESCUE_UNREAD;
}

enum rescue
rescue_dead(struct slot *s, int listen_fd, uint32_t replay_bytes,
    int64_t timeout_ms)
{
	uint32_t state = atomic_load(&s->state);
	int fd = atomic_load(&s->fd);
	enum rescue next = RESCUE_NOTHING;

	tally_settle(s);
	if (state == SLOT_ACCEPTING)
		next = rescue_accepted(s, listen_fd, timeout_ms);
	else if (fd >= 0 && is_connection(s, fd, listen_fd))
		next = rescue_connection(s, state, fd, replay_bytes);
	else if (fd >= 0) {
		lose(s, EVENT_LOST_CLOSED);
		nds_log(NDS_ERROR, "a handler closed its own connection: "
				   "nobody is answered");
	}
	if (next == RESCUE_NOTHING) {
		atomic_store(&s->state, SLOT_ACCEPTING);
		atomic_store(&s->fd, -1);
		atomic_store(&s->started_ms, 0);
		atomic_store(&s->deadline_ms, 0);
	}
	return next;
}

static void
settle_taken(struct slot *s, uint32_t from, int status, const char *why)
{
	int fd = atomic_load(&s->fd);

	if (status == 504)
		count(&s->count.expired);
	else
		lose(s, EVENT_LOST_MEMORY);
	count_captured(s);
	if (from == SLOT_STREAMING && transfer_done(&s->out) > 0)
		settle_broken(s, fd, why);
	else
		settle_problem(s, fd, status, why);
}

int
rescue_take(struct slot *s, int status, const char *why)
{
	static const uint32_t takeable[] = {SLOT_UNREAD, SLOT_READING,
	    SLOT_RUNNING, SLOT_STREAMING};

	if (atomic_load(&s->fd) < 0 || (status == 504 && is_in_time(s)))
		return 0;
	for (size_t i = 0; i < sizeof(takeable) / sizeof(takeable[0]); i++) {
		uint32_t from = takeable[i];

		if (!atomic_compare_exchange_strong(&s->state, &from,
			SLOT_EXPIRED))
			continue;
		settle_taken(s, takeable[i], status, why);
		return 1;
	}
	return 0;
}
