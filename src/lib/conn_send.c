/* SPDX-License-Identifier: MIT */
/*
 * The sending half of a connection.  An answer that fits is framed into the
 * slot's answer area first and goes out from there in one system call, so that
 * it survives the worker; a larger one goes out from the caller's memory.  A
 * failed answer is never ended as if it were complete.
 */
#include "lib/conn.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "lib/transfer.h"

/* Content of one record of a large answer.  With its header it fits into one
 * buffer of the kernel's, so that on a unix socket it is sent whole or not at
 * all: whenever the worker dies, the stream stands between two records. */
#define RECORD_BYTES 32760

/* Drop sent bytes from the front of the list. */
static void
iov_skip(struct iovec **iov, size_t *count, size_t sent)
{
	while (*count > 0 && sent >= (*iov)->iov_len) {
		sent -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count > 0) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + sent;
		(*iov)->iov_len -= sent;
	}
}

/* Send all of it, waiting to the deadline. */
static int
send_all(struct conn *c, struct iovec *iov, size_t count)
{
	ssize_t n;

	while (count > 0) {
		n = transfer_send(&c->slot->out, c->fd, iov, count);
		if (n >= 0) {
			c->sent_bytes += (uint64_t)n;
			iov_skip(&iov, &count, (size_t)n);
			atomic_store(&c->slot->boundary, count == 0);
		} else if (errno == EAGAIN && conn_wait(c, POLLOUT) == 0) {
			continue;
		} else if (errno != EINTR) {
			c->torn = 1;
			errno = errno == ETIMEDOUT ? ETIMEDOUT : EPIPE;
			return -1;
		}
	}
	return 0;
}

/* Send what the answer ends with: once that is out, the answer is. */
static int
send_last(struct conn *c, void *data, size_t bytes)
{
	struct iovec iov = {data, bytes};

	atomic_store(&c->slot->out.goal, c->sent_bytes + bytes);
	return send_all(c, &iov, 1);
}

static int
send_record(struct conn *c, uint8_t *content, size_t bytes)
{
	uint8_t header[WIRE_HEADER_BYTES];
	struct iovec iov[2] = {{header, sizeof(header)}, {content, bytes}};

	wire_header_put(header, WIRE_STDOUT, c->scan.request_id,
	    (uint16_t)bytes, 0);
	return send_all(c, iov, 2);
}

static int
send_content(struct conn *c, const void *data, size_t bytes)
{
	uint8_t *at = (uint8_t *)(uintptr_t)data; /* iovec has no const */
	size_t step;

	for (; bytes > 0; bytes -= step, at += step) {
		step = bytes < RECORD_BYTES ? bytes : RECORD_BYTES;
		if (send_record(c, at, step) < 0)
			return -1;
	}
	return 0;
}

/* Frame a whole answer into the slot. Returns its bytes, 0 when it does not
 * fit. */
static size_t
answer_keep(struct conn *c, const void *head, size_t head_bytes,
    const void *body, size_t body_bytes)
{
	uint8_t *out = slot_answer(c->slot);
	size_t content = head_bytes + body_bytes;
	size_t bytes = WIRE_HEADER_BYTES + content + WIRE_TRAILER_BYTES;

	if (content > WIRE_CHUNK_BYTES || bytes > c->slot->answer_bytes)
		return 0;
	wire_header_put(out, WIRE_STDOUT, c->scan.request_id,
	    (uint16_t)content, 0);
	out += WIRE_HEADER_BYTES;
	memcpy(out, head, head_bytes);
	if (body_bytes > 0)
		memcpy(out + head_bytes, body, body_bytes);
	wire_trailer(out + content, c->scan.request_id);
	return bytes;
}

/* An answer too large to be kept: from the caller's memory. */
static int
answer_pass(struct conn *c, const void *head, size_t head_bytes,
    const void *body, size_t body_bytes)
{
	uint8_t trailer[WIRE_TRAILER_BYTES];

	if (conn_move(c, SLOT_STREAMING) < 0)
		return -1;
	c->streaming = 1;
	wire_trailer(trailer, c->scan.request_id);
	if (send_content(c, head, head_bytes) < 0 ||
	    send_content(c, body, body_bytes) < 0 ||
	    send_last(c, trailer, sizeof(trailer)) < 0)
		return -1;
	c->streaming = 0;
	return conn_move(c, SLOT_SENT);
}

static int
answered(const struct conn *c)
{
	errno = EALREADY;
	return c->state > SLOT_RUNNING;
}

int
conn_answer(struct conn *c, const void *head, size_t head_bytes,
    const void *body, size_t body_bytes)
{
	struct slot *s = c->slot;
	size_t bytes;
	int result, saved;

	if (answered(c))
		return -1;
	bytes = answer_keep(c, head, head_bytes, body, body_bytes);
	if (bytes == 0)
		return answer_pass(c, head, head_bytes, body, body_bytes);
	s->answer_used = (uint32_t)bytes;
	if (conn_move(c, SLOT_SENDING) < 0)
		return -1;
	result = send_last(c, slot_answer(s), bytes);
	saved = errno;
	if (conn_move(c, SLOT_SENT) < 0)
		return -1;
	errno = saved;
	return result;
}

int
conn_stream(struct conn *c, const void *data, size_t bytes)
{
	if (!c->streaming && (answered(c) || conn_move(c, SLOT_STREAMING) < 0))
		return -1;
	c->streaming = 1;
	if (c->torn) {
		errno = EPIPE;
		return -1;
	}
	return send_content(c, data, bytes);
}

int
conn_stream_end(struct conn *c, int ok)
{
	uint8_t tail[WIRE_TRAILER_BYTES];
	struct iovec broken = {tail, WIRE_HEADER_BYTES};
	int result = -1;

	if (!c->streaming) {
		errno = EINVAL;
		return -1;
	}
	wire_trailer(tail, c->scan.request_id);
	if (!ok)
		memset(tail, 0xff, WIRE_HEADER_BYTES);
	errno = EPIPE;
	if (!c->torn)
		result = ok ? send_last(c, tail, sizeof(tail)) :
		    send_all(c, &broken, 1);
	c->streaming = 0;
	if (!ok)
		shutdown(c->fd, SHUT_WR);
	return conn_move(c, SLOT_SENT) < 0 ? -1 : result;
}
