/* SPDX-License-Identifier: MIT */
/*
 * The transport of one request, from accept to close, save the sending of the
 * answer.  The request's raw bytes stand in the slot's capture as far as they
 * fit, from the first on: whoever cleans up after a dead worker finds there
 * what it needs.  Each step of the state word is a compare-and-swap, and one
 * that fails means that the request is no longer ours.
 */
#include "lib/conn.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/transfer.h"

#define DRAIN_MS 250	  /* for what a peer sends that got its answer */
#define FIRST_READ 8192	  /* libfcgi reads so many bytes at once */
#define SPARE_BYTES 65536 /* body bytes that the capture has no room for */

/* A worker serves one connection at a time, so one of each is enough. */
static uint8_t spare[SPARE_BYTES];
static unsigned forks;

static void
note_fork(void)
{
	forks++;
}

int
conn_init(void)
{
	int error = pthread_atfork(NULL, note_fork, NULL);

	errno = error;
	return error == 0 ? 0 : -1;
}

int
conn_move(struct conn *c, enum slot_state to)
{
	uint32_t from = c->state;

	if (!atomic_compare_exchange_strong(&c->slot->state, &from, to)) {
		errno = ECANCELED;
		return -1;
	}
	c->state = to;
	return 0;
}

static void
conn_hold(struct conn *c, struct slot *slot, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->slot = slot;
	c->feed_fd = -1;
	c->forks = forks;
	slot->answer_used = 0;
	slot->answer_status = 0;
	slot->boundary = 1;
	transfer_reset(&slot->out);
}

void
conn_open(struct conn *c, struct slot *slot, int fd, int timeout_ms)
{
	conn_hold(c, slot, fd);
	slot->request_id[0] = slot->traceparent[0] = slot->client[0] = '\0';
	slot->fd = fd;
	slot->capture_used = 0;
	slot->tries = 0;
	slot->flags = 0;
	slot->route = 0; /* BOOKS_UNMATCHED */
	transfer_reset(&slot->in);
	c->accepted_us = clock_us();
	c->deadline_ms = c->accepted_us / 1000 + timeout_ms;
	slot->started_ms = c->accepted_us / 1000;
	slot->deadline_ms = c->deadline_ms;
	c->state = SLOT_ACCEPTING;
	conn_move(c, SLOT_UNREAD);
}

/* Nothing of a captured request may be touched: its worker may die again. */
static void
resume_captured(struct conn *c, struct slot *slot)
{
	conn_hold(c, slot, slot->fd);
	c->state = slot->state;
	c->received_bytes = slot->capture_used;
	c->is_probe = (slot->flags & SLOT_PROBE) != 0;
	c->accepted_us = slot->started_ms * 1000;
	c->deadline_ms = slot->deadline_ms;
}

void
conn_resume(struct conn *c, struct slot *slot, int timeout_ms)
{
	int64_t started_ms = slot->started_ms, deadline_ms = slot->deadline_ms;
	uint32_t flags = slot->flags;

	if (slot->state == SLOT_RUNNING || slot->state == SLOT_READING) {
		resume_captured(c, slot);
		return;
	}
	slot->state = SLOT_ACCEPTING;
	conn_open(c, slot, slot->fd, timeout_ms);
	slot->flags = flags;
	c->is_probe = (flags & SLOT_PROBE) != 0;
	if (started_ms == 0) /* it died before it could say when */
		return;
	c->accepted_us = started_ms * 1000;
	c->deadline_ms = deadline_ms;
	slot->started_ms = started_ms;
	slot->deadline_ms = deadline_ms;
}

/* ---- receiving ---------------------------------------------------------- */

int
conn_wait(const struct conn *c, short events)
{
	struct pollfd p = {c->fd, events, 0};
	int n;

	do {
		n = poll(&p, 1, clock_left(c->deadline_ms, INT_MAX));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 ? 0 : -1;
}

/* Bytes from the peer, waited for to the deadline; for the capture (noted) such
 * that no death makes their number doubtful.  0 = it has closed; -1 with
 * ETIMEDOUT or ECONNRESET. */
static ssize_t
conn_recv(struct conn *c, void *to, size_t room, int flags, int noted)
{
	ssize_t n;

	for (;;) {
		n = noted ? transfer_recv(&c->slot->in, c->fd, to, room) :
		    recv(c->fd, to, room, flags | MSG_DONTWAIT);
		if (n >= 0)
			return n;
		if (errno == EAGAIN && conn_wait(c, POLLIN) < 0)
			return -1;
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	errno = ECONNRESET;
	return -1;
}

/* Carry the capture on by what has come. Returns as conn_recv(). */
static ssize_t
capture_recv(struct conn *c)
{
	struct slot *s = c->slot;
	uint32_t used = s->capture_used;
	ssize_t n;

	n = conn_recv(c, slot_capture(s) + used, s->capture_bytes - used, 0, 1);
	if (n <= 0)
		return n;
	s->capture_used = used + (uint32_t)n;
	c->received_bytes += (uint64_t)n;
	return n;
}

static int
refuse(struct conn *c, int status, const char *why)
{
	c->refusal = status;
	c->why = why;
	return -1;
}

/* The scan said no. An answer is due when the framing was right as far as it
 * went. */
static int
refuse_bad(struct conn *c)
{
	const struct wire_scan *s = &c->scan;

	if (s->oversized)
		return refuse(c, 431, s->why);
	return refuse(c, s->params_ended && !s->name_values ? 400 : 0, s->why);
}

static int
refuse_short(struct conn *c, ssize_t n)
{
	if (n < 0 && errno == ETIMEDOUT)
		return refuse(c, c->scan.begun ? 408 : 0,
		    "request not whole at its deadline");
	return refuse(c, 0, c->received_bytes == 0 ? NULL :
	    "closed in the middle of a request");
}

static void
body_begin(struct conn *c)
{
	c->body.request_id = c->scan.request_id;
	c->raw = slot_capture(c->slot) + c->scan.params_end;
	c->raw_bytes = c->slot->capture_used - c->scan.params_end;
}

/* A copy of the PARAMS for libfcgi, in a file in memory: unlike a socketpair
 * it takes any size at once.  The write leaves the reader's offset at 0. */
static int
feed(struct conn *c)
{
	uint8_t end[WIRE_HEADER_BYTES];
	struct iovec iov[2] = {
		{slot_capture(c->slot), c->scan.params_end},
		{end, sizeof(end)},
	};

	wire_header_put(end, WIRE_STDIN, c->scan.request_id, 0, 0);
	c->feed_fd = memfd_create("nds-params", MFD_CLOEXEC);
	if (c->feed_fd < 0 || pwritev(c->feed_fd, iov, 2, 0) !=
	    (ssize_t)(c->scan.params_end + sizeof(end)))
		return refuse(c, 503, "no memory for the PARAMS");
	body_begin(c);
	if (conn_move(c, SLOT_RUNNING) < 0)
		return refuse(c, 0, NULL);
	return c->feed_fd;
}

/* Consume into the capture, behind what it holds, until the PARAMS are in.
 * Waiting for more while leaving the bytes in the socket could deadlock: they
 * still fill the sender's budget. */
static int
read_consume(struct conn *c)
{
	struct slot *s = c->slot;
	ssize_t n;

	memset(&c->scan, 0, sizeof(c->scan));
	for (;;) {
		if (wire_scan(&c->scan, slot_capture(s), s->capture_used,
		    s->capture_bytes) == WIRE_BAD)
			return refuse_bad(c);
		if (c->scan.params_ended)
			return feed(c);
		if (s->capture_used == s->capture_bytes)
			return refuse(c, c->scan.begun ? 431 : 0,
			    "PARAMS too large");
		n = capture_recv(c);
		if (n <= 0)
			return refuse_short(c, n);
	}
}

int
conn_read(struct conn *c)
{
	struct slot *s = c->slot;
	enum wire_verdict verdict;
	ssize_t n;

	n = conn_recv(c, slot_capture(s), s->capture_bytes, MSG_PEEK, 0);
	if (n <= 0)
		return refuse_short(c, n);
	verdict = wire_scan(&c->scan, slot_capture(s), (size_t)n,
	    s->capture_bytes);
	if (verdict == WIRE_MORE && conn_move(c, SLOT_READING) < 0)
		return refuse(c, 0, NULL);
	if (verdict == WIRE_MORE)
		return read_consume(c);
	s->capture_used = (uint32_t)n;
	c->received_bytes = (uint64_t)n;
	if (verdict == WIRE_BAD)
		return refuse_bad(c);
	body_begin(c);
	if (conn_move(c, SLOT_RUNNING) < 0)
		return refuse(c, 0, NULL);
	return c->fd;
}

/* What the capture has of the request is fed again, and what it has not yet
 * follows from the connection.  When it has the whole, what of that still waits
 * in the socket has to go, lest it be taken for another. */
int
conn_replay(struct conn *c)
{
	struct slot *s = c->slot;

	if (c->state == SLOT_READING)
		return read_consume(c);
	if (wire_scan(&c->scan, slot_capture(s), s->capture_used,
		s->capture_bytes) == WIRE_WHOLE)
		while (recv(c->fd, spare, sizeof(spare), MSG_DONTWAIT) > 0)
			;
	if (!c->scan.params_ended)
		return refuse(c, 502, "the captured request is not whole");
	return feed(c);
}

/* How much more than the PARAMS libfcgi took is known only for its first read;
 * the whole request waited in the socket, so all that is left can go. */
void
conn_read_done(struct conn *c)
{
	if (c->feed_fd >= 0 || c->received_bytes <= FIRST_READ)
		return;
	while (recv(c->fd, spare, sizeof(spare), MSG_DONTWAIT) ==
	    (ssize_t)sizeof(spare))
		;
}

/* ---- the body ----------------------------------------------------------- */

/* More raw bytes: into the capture while it has room, so that it holds the
 * whole of any request that fits. */
static int
body_fill(struct conn *c)
{
	struct slot *s = c->slot;
	uint32_t used = s->capture_used;
	ssize_t n;

	if (used < s->capture_bytes) {
		c->raw = slot_capture(s) + used;
		n = capture_recv(c);
	} else {
		c->raw = spare;
		n = conn_recv(c, spare, sizeof(spare), 0, 0);
		c->received_bytes += n > 0 ? (uint64_t)n : 0;
	}
	if (n == 0)
		errno = ECONNRESET;
	if (n <= 0)
		return -1;
	c->raw_bytes = (size_t)n;
	return 0;
}

/* Find the next piece of content. Returns 1, 0 at the end, -1 with errno. */
static int
body_next(struct conn *c)
{
	size_t taken;

	while (c->chunk_bytes == 0) {
		if (c->body.ended)
			return 0;
		if (c->body.aborted || c->body.why != NULL) {
			errno = c->body.aborted ? ECONNRESET : EPROTO;
			return -1;
		}
		if (c->raw_bytes == 0 && body_fill(c) < 0)
			return -1;
		taken = wire_body_take(&c->body, c->raw, c->raw_bytes,
		    &c->chunk, &c->chunk_bytes);
		c->raw += taken;
		c->raw_bytes -= taken;
	}
	return 1;
}

ssize_t
conn_body_read(struct conn *c, void *to, size_t bytes)
{
	int found = body_next(c);

	if (found <= 0)
		return found;
	if (bytes > c->chunk_bytes)
		bytes = c->chunk_bytes;
	memcpy(to, c->chunk, bytes);
	c->chunk += bytes;
	c->chunk_bytes -= bytes;
	return (ssize_t)bytes;
}

/* The whole request is in. */
static int
input_done(const struct conn *c)
{
	return c->feed_fd < 0 ? c->scan.body_ended : c->body.ended;
}

/* Behind a whole request only an ABORT_REQUEST or the end can come: in our
 * hands already, or still in the socket. */
static int
aborted_behind(const struct conn *c)
{
	int fed = c->feed_fd >= 0;
	const uint8_t *rest = fed ? c->raw :
	    slot_capture(c->slot) + c->scan.at;
	size_t bytes = fed ? c->raw_bytes :
	    c->slot->capture_used - c->scan.at;
	uint8_t header[WIRE_HEADER_BYTES];
	ssize_t n;

	if (bytes >= WIRE_HEADER_BYTES && rest[1] == WIRE_ABORT_REQUEST)
		return 1;
	n = recv(c->fd, header, sizeof(header), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	return n == 0 || (n == (ssize_t)sizeof(header) &&
	    header[1] == WIRE_ABORT_REQUEST);
}

int
conn_cancelled(const struct conn *c)
{
	struct pollfd p = {c->fd, POLLRDHUP, 0};

	if (c->body.aborted)
		return 1;
	if (input_done(c))
		return aborted_behind(c);
	return poll(&p, 1, 0) > 0;
}

/* ---- closing ------------------------------------------------------------ */

/* A close with unread bytes resets the connection, and the peer may then lose
 * the answer that it has not yet read.  Time is the only bound: what a peer
 * can send in it costs nothing but that time. */
static void
drain(struct conn *c)
{
	int64_t limit_ms = clock_ms() + DRAIN_MS;

	shutdown(c->fd, SHUT_WR);
	c->deadline_ms = limit_ms;
	c->chunk_bytes = 0;
	while (c->body.request_id != 0 && body_next(c) > 0)
		c->chunk_bytes = 0;
	while (!input_done(c) && clock_ms() < limit_ms &&
	    conn_recv(c, spare, sizeof(spare), 0, 0) > 0)
		;
}

/* A child of fork() may hold the connection as well: only shutdown(2) ends it
 * then.  Without one, close(2) does, and children that exec lose it by
 * CLOEXEC. The fd leaves the slot before its number can mean another file. */
static void
let_go(struct conn *c)
{
	if (c->sent_bytes > 0 && !input_done(c))
		drain(c);
	if (c->forks != forks)
		shutdown(c->fd, SHUT_RDWR);
	c->slot->fd = -1;
	close(c->fd);
}

int
conn_close(struct conn *c)
{
	struct slot *s = c->slot;

	if (c->feed_fd >= 0)
		close(c->feed_fd);
	if (c->state != SLOT_SENT && conn_move(c, SLOT_SENT) < 0)
		return -1;
	if (c->fd >= 0)
		let_go(c);
	c->fd = -1;
	s->fd = -1;
	memset(slot_capture(s), 0, s->capture_used); /* others' secrets */
	s->started_ms = 0;
	s->deadline_ms = 0;
	s->request_id[0] = '\0';
	return conn_move(c, SLOT_ACCEPTING);
}
