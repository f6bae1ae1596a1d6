/* SPDX-License-Identifier: MIT */
/*
 * What becomes of the connection that a dead (or hung) worker held.  The
 * slot's state word tells what was on it; everything here is done by the
 * guardian, which shares the worker's descriptors.
 */
#ifndef LIB_RESCUE_H
#define LIB_RESCUE_H

#include "proto/board.h"

enum rescue {
	RESCUE_NOTHING, /* no connection, or it is settled */
	RESCUE_UNREAD,	/* the next worker serves slot->fd from its start */
	RESCUE_CAPTURED /* the next worker goes on with what is captured */
};

/* Settle the connection of a dead worker.  listen_fd tells an accepted and
 * never noted connection by its local address; replay_bytes is the largest
 * capture that is run again; timeout_ms is the time of a request that has not
 * been noted yet.  Answers, breaks off or hands on; slot->fd is -1 unless it is
 * handed on. May block for a moment while the front reads. */
enum rescue rescue_dead(struct slot *s, int listen_fd, uint32_t replay_bytes,
    int64_t timeout_ms);

/* Take the request away from a living worker, which is stopped, and answer
 * status (504 counts as expired, all else as lost) for the reason given; or
 * break a stream off.  504 is for what stands in the slot and is overdue now:
 * another may have begun since the caller looked.  Returns 1 when it was taken
 * (the worker must die), 0 when there was nothing to take. */
int rescue_take(struct slot *s, int status, const char *why);

#endif
