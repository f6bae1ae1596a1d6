/* SPDX-License-Identifier: MIT */
/*
 * What stands in the slot is read only once the worker is dead or stopped, so
 * only the order of its own stores matters.  At every instant the bytes moved
 * are the larger of `done` and `from` + msg_len: msg_len is zero before `from`
 * goes up to `done`, and `done` follows only after the call.
 */
#include "lib/transfer.h"

#include <sys/socket.h>
#include <string.h>

static void
put(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_release);
}

static uint64_t
get(const _Atomic uint64_t *from)
{
	return atomic_load_explicit(from, memory_order_acquire);
}

void
transfer_reset(struct slot_transfer *t)
{
	t->call.msg_len = 0;
	put(&t->from, 0);
	put(&t->goal, 0);
	put(&t->done, 0);
}

static void
call_begin(struct slot_transfer *t, struct iovec *iov, size_t count)
{
	uint32_t wanted = 0;

	for (size_t i = 0; i < count; i++)
		wanted += (uint32_t)iov[i].iov_len;
	memset(&t->call, 0, sizeof(t->call));
	t->call.msg_hdr.msg_iov = iov;
	t->call.msg_hdr.msg_iovlen = count;
	put(&t->from, get(&t->done));
	atomic_store_explicit(&t->wanted, wanted, memory_order_release);
}

static ssize_t
call_end(struct slot_transfer *t, int calls)
{
	if (calls < 1)
		return -1;
	put(&t->done, get(&t->from) + t->call.msg_len);
	return (ssize_t)t->call.msg_len;
}

ssize_t
transfer_send(struct slot_transfer *t, int fd, struct iovec *iov, size_t count)
{
	call_begin(t, iov, count);
	return call_end(t, sendmmsg(fd, &t->call, 1,
	    MSG_NOSIGNAL | MSG_DONTWAIT));
}

ssize_t
transfer_recv(struct slot_transfer *t, int fd, void *to, size_t room)
{
	struct iovec iov = {to, room};

	call_begin(t, &iov, 1);
	return call_end(t, recvmmsg(fd, &t->call, 1, MSG_DONTWAIT, NULL));
}

uint64_t
transfer_done(const struct slot_transfer *t)
{
	uint64_t done = get(&t->done);
	uint64_t latest = get(&t->from) + t->call.msg_len;

	return latest > done ? latest : done;
}

int
transfer_cut(const struct slot_transfer *t)
{
	return t->call.msg_len > 0 && t->call.msg_len <
	    atomic_load_explicit(&t->wanted, memory_order_acquire);
}
