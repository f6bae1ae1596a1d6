/* SPDX-License-Identifier: MIT */
/*
 * Bytes onto and off a connection, counted so that the count holds whatever the
 * worker dies of, and whenever.  send(2) tells its caller alone how much went
 * out; a worker killed behind it takes that to the grave.  sendmmsg(2) and
 * recvmmsg(2) write the same number to memory before they return, and a signal
 * that kills is only obeyed on the way out of the kernel.  That memory is the
 * slot.
 */
#ifndef LIB_TRANSFER_H
#define LIB_TRANSFER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "proto/board.h"

/* Nothing has moved yet. */
void transfer_reset(struct slot_transfer *t);

/* As sendmsg(2) and recv(2) that never block. */
ssize_t transfer_send(struct slot_transfer *t, int fd, struct iovec *iov,
    size_t count);
ssize_t transfer_recv(struct slot_transfer *t, int fd, void *to, size_t room);

/* For whoever cleans up after a worker: the bytes that have moved, and whether
 * the last call moved only a part of what it was given. */
uint64_t transfer_done(const struct slot_transfer *t);
int transfer_cut(const struct slot_transfer *t);

#endif
