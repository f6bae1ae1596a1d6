/* SPDX-License-Identifier: MIT */
#include "ndsd/loop.h"

#include <stddef.h>
#include <sys/epoll.h>

#include "base/clock.h"

#define LOOP_EVENTS 64
#define LOOP_WAIT_MAX_MS 60000

int
loop_open(struct loop *loop)
{
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -1 : 0;
}

int
loop_add(struct loop *loop, struct watch *w, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data = {.ptr = w}};

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -1;
	w->fd = fd;
	return 0;
}

int
loop_change(struct loop *loop, struct watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data = {.ptr = w}};

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
}

void
loop_del(struct loop *loop, struct watch *w)
{
	if (w->fd < 0)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
}

void
loop_turn(struct loop *loop, int64_t deadline_ms)
{
	struct epoll_event ev[LOOP_EVENTS];
	int count = epoll_wait(loop->epoll_fd, ev, LOOP_EVENTS,
	    clock_left(deadline_ms, LOOP_WAIT_MAX_MS));

	for (int i = 0; i < count; i++) {
		struct watch *w = ev[i].data.ptr;

		if (w->fd >= 0)
			w->ready(w->arg, ev[i].events);
	}
}
