/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's event loop: epoll, and one deadline a wait.  A watch lies
 * in memory of its owner that is never freed, so that an event for a watch
 * deleted a moment ago finds fd = -1 and is passed over.
 */
#ifndef NDSD_LOOP_H
#define NDSD_LOOP_H

#include <stdint.h>

struct watch {
	int fd; /* -1 = not watched */
	void (*ready)(void *arg, uint32_t events); /* EPOLL* bits */
	void *arg;
};

struct loop {
	int epoll_fd;
};

/* Return 0 or -1 with errno. loop_add with EPERM: a regular file, which is
 * always ready. */
int loop_open(struct loop *loop);
int loop_add(struct loop *loop, struct watch *w, int fd, uint32_t events);
int loop_change(struct loop *loop, struct watch *w, uint32_t events);

/* Stop watching and forget the fd, which stays open. */
void loop_del(struct loop *loop, struct watch *w);

/* Wait until deadline_ms (clock_ms) and run what is ready. */
void loop_turn(struct loop *loop, int64_t deadline_ms);

#endif
