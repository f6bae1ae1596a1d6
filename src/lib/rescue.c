/* SPDX-License-Identifier: MIT */
#include "lib/rescue.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/nds.h"
#include "proto/wire.h"

#define SEND_MS 1000  /* for a front that is slow to read */
#define DRAIN_MS 250  /* for what a front still sends */
#define HANGUP_MS 50  /* a front closes behind a whole answer by then */
#define FD_SCAN_MAX 1024

static void
count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- talking to the front ------------------------------------------------ */

static int
send_bytes(int fd, const uint8_t *data, size_t bytes)
{
	int64_t deadline_ms = clock_ms() + SEND_MS;
	struct pollfd p = {fd, POLLOUT, 0};

	while (bytes > 0) {
		ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			data += n;
			bytes -= (size_t)n;
		} else if (errno != EAGAIN ||
		    poll(&p, 1, clock_left(deadline_ms, SEND_MS)) <= 0) {
			return -1;
		}
	}
	return 0;
}

/* Unread input at close() would reset the connection under the answer. */
static void
end_connection(int fd, int wait_ms)
{
	int64_t deadline_ms = clock_ms() + wait_ms;
	struct pollfd p = {fd, POLLIN, 0};
	char sink[16384];
	ssize_t n;

	shutdown(fd, SHUT_WR);
	do {
		n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN &&
		    poll(&p, 1, clock_left(deadline_ms, wait_ms)) <= 0)
			break;
	} while (n > 0 || (n < 0 && errno == EAGAIN));
	shutdown(fd, SHUT_RDWR); /* children of handlers may hold it too */
}

/* The id of the captured request; 0 when not even that came. */
static uint16_t
captured_id(struct slot *s, int *whole)
{
	struct wire_scan scan = {0};
	uint32_t used = atomic_load(&s->capture_used);
	enum wire_verdict verdict;

	if (used > s->capture_bytes)
		used = 0;
	verdict = wire_scan(&scan, slot_capture(s), used, s->capture_bytes);
	*whole = verdict == WIRE_WHOLE && !scan.aborted;
	return scan.begun ? scan.request_id : 0;
}

static size_t
problem_make(const struct slot *s, uint16_t id, int status, uint8_t *out,
    size_t room)
{
	const char *title = status == 504 ? "Gateway Timeout" : "Bad Gateway";
	const char *detail = status == 504
	    ? "The request took longer than it may."
	    : "The process that served this request died.";
	char *text = (char *)out + WIRE_HEADER_BYTES;
	char body[512];
	int bytes;

	snprintf(body, sizeof(body),
	    "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,"
	    "\"detail\":\"%s\",\"request_id\":\"%.63s\"}",
	    title, status, detail, s->request_id);
	bytes = snprintf(text, room - WIRE_HEADER_BYTES - WIRE_TRAILER_BYTES,
	    "Status: %d %s\r\nContent-Type: application/problem+json\r\n"
	    "Content-Length: %zu\r\nX-Request-Id: %.63s\r\n\r\n%s",
	    status, title, strlen(body), s->request_id, body);
	wire_header_put(out, WIRE_STDOUT, id, (uint16_t)bytes, 0);
	wire_trailer(out + WIRE_HEADER_BYTES + bytes, id);
	return WIRE_HEADER_BYTES + (size_t)bytes + WIRE_TRAILER_BYTES;
}

/* Answer for the worker.  Always an answer, never a bare EOF: a front would
 * take that for leave to try a poison request again. */
static void
answer_problem(struct slot *s, int fd, int status)
{
	uint8_t out[2048];
	int whole;
	uint16_t id = captured_id(s, &whole);

	nds_log(NDS_WARN, "request %s answered %d in place of its worker",
	    s->request_id[0] != '\0' ? s->request_id : "(not yet read)",
	    status);
	count(&s->count.requests);
	count(&s->count.status[5]);
	if (id != 0)
		send_bytes(fd, out,
		    problem_make(s, id, status, out, sizeof(out)));
	end_connection(fd, whole ? 0 : DRAIN_MS);
}

/* An invalid record, then the end: neither front takes what came for whole
 * then.  In the middle of a record it would be taken for content. */
static void
break_off(struct slot *s, int fd)
{
	uint8_t invalid[WIRE_HEADER_BYTES];

	memset(invalid, 0xff, sizeof(invalid));
	nds_log(NDS_WARN, "the answer to request %s was broken off: its worker "
			  "died while it was sent",
	    s->request_id);
	count(&s->count.requests);
	count(&s->count.status[5]);
	if (atomic_load(&s->boundary))
		send_bytes(fd, invalid, sizeof(invalid));
	end_connection(fd, 0);
}

/* ---- the states ---------------------------------------------------------- */

/* The kept answer of at most 64 KiB goes out in one system call or not at all:
 * it is out when the front has hung up, or when it still lies unread. */
static int
answer_is_out(int fd)
{
	struct pollfd p = {fd, POLLRDHUP, 0};
	int unread = 0;

	if (ioctl(fd, SIOCOUTQ, &unread) == 0 && unread > 0)
		return 1;
	if (poll(&p, 1, HANGUP_MS) > 0)
		return 1;
	return ioctl(fd, SIOCOUTQ, &unread) == 0 && unread > 0;
}

static void
finish_answer(struct slot *s, int fd)
{
	uint32_t bytes = atomic_load(&s->answer_used);

	if (bytes > 0 && bytes <= s->answer_bytes && !answer_is_out(fd)) {
		nds_log(NDS_INFO, "the answer to request %s was sent in place "
				  "of its worker",
		    s->request_id);
		send_bytes(fd, slot_answer(s), bytes);
	}
	count(&s->count.requests);
	count(&s->count.delivered);
	end_connection(fd, 0);
}

static int
is_replayable(struct slot *s, uint32_t replay_bytes)
{
	int whole;

	captured_id(s, &whole);
	return whole && atomic_load(&s->tries) == 0 &&
	    !(atomic_load(&s->flags) & SLOT_ONCE) &&
	    atomic_load(&s->capture_used) <= replay_bytes &&
	    atomic_load(&s->deadline_ms) > clock_ms();
}

static enum rescue
rescue_running(struct slot *s, int fd, uint32_t replay_bytes)
{
	if (is_replayable(s, replay_bytes)) {
		atomic_store(&s->tries, 1);
		count(&s->count.replayed);
		nds_log(NDS_INFO, "request %s is run again", s->request_id);
		return RESCUE_REPLAY;
	}
	count(&s->count.lost);
	answer_problem(s, fd, 502);
	return RESCUE_NOTHING;
}

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

/* Accepted, and the worker died before it could note the number: the one
 * connected socket that bears the listener's own address. */
static int
find_unnoted(int listen_fd)
{
	struct sockaddr_storage wanted = {0}, here;
	socklen_t wanted_bytes = sizeof(wanted), bytes, four = sizeof(int);
	int listening;

	if (getsockname(listen_fd, (struct sockaddr *)&wanted,
		&wanted_bytes) < 0)
		return -1;
	for (int fd = 3; fd < FD_SCAN_MAX; fd++) {
		bytes = sizeof(here);
		memset(&here, 0, sizeof(here));
		if (getsockname(fd, (struct sockaddr *)&here, &bytes) < 0 ||
		    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening,
			&four) < 0 ||
		    listening)
			continue;
		if (same_address(&here, bytes, &wanted, wanted_bytes))
			return fd;
	}
	return -1;
}

static enum rescue
rescue_connection(struct slot *s, uint32_t state, int fd, uint32_t replay_bytes)
{
	switch (state) {
	case SLOT_UNREAD:
		return RESCUE_UNREAD;
	case SLOT_READING: /* what was consumed and not counted is lost */
		count(&s->count.lost);
		answer_problem(s, fd, 502);
		break;
	case SLOT_RUNNING:
		return rescue_running(s, fd, replay_bytes);
	case SLOT_SENDING:
		finish_answer(s, fd);
		break;
	case SLOT_STREAMING:
		count(&s->count.lost);
		break_off(s, fd);
		break;
	case SLOT_SENT:
		end_connection(fd, DRAIN_MS);
		break;
	default: /* EXPIRED: settled while the worker lived */
		break;
	}
	return RESCUE_NOTHING;
}

/* What else stands in the slot may still be of the request before. */
static enum rescue
hand_on_noted(struct slot *s)
{
	atomic_store(&s->flags, 0);
	atomic_store(&s->started_ms, 0);
	return RESCUE_UNREAD;
}

enum rescue
rescue_dead(struct slot *s, int listen_fd, uint32_t replay_bytes)
{
	uint32_t state = atomic_load(&s->state);
	int fd = atomic_load(&s->fd);
	enum rescue next;

	if (state == SLOT_ACCEPTING && fd < 0) {
		fd = find_unnoted(listen_fd);
		state = SLOT_UNREAD;
		atomic_store(&s->fd, fd);
		atomic_store(&s->flags, 0);
	}
	if (fd < 0)
		next = RESCUE_NOTHING;
	else if (state == SLOT_ACCEPTING) /* noted, word not yet moved */
		next = hand_on_noted(s);
	else
		next = rescue_connection(s, state, fd, replay_bytes);
	if (next == RESCUE_NOTHING) {
		atomic_store(&s->state, SLOT_ACCEPTING);
		atomic_store(&s->fd, -1);
		atomic_store(&s->started_ms, 0);
		atomic_store(&s->deadline_ms, 0);
	}
	return next;
}

int
rescue_expired(struct slot *s)
{
	static const uint32_t takeable[] = {SLOT_UNREAD, SLOT_READING,
	    SLOT_RUNNING, SLOT_STREAMING};
	int fd = atomic_load(&s->fd);

	for (size_t i = 0; i < sizeof(takeable) / sizeof(takeable[0]); i++) {
		uint32_t from = takeable[i];

		if (fd < 0 || !atomic_compare_exchange_strong(&s->state, &from,
				  SLOT_EXPIRED))
			continue;
		count(&s->count.expired);
		if (from == SLOT_STREAMING)
			break_off(s, fd);
		else
			answer_problem(s, fd, 504);
		return 1;
	}
	return 0;
}
