/* SPDX-License-Identifier: MIT */
/*
 * The word to a service manager: the protocol of sd_notify(3), datagrams of
 * KEY=VALUE lines to the socket that NOTIFY_SOCKET names, without its library.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdint.h>

struct notify {
	char path[108];	     /* "" = nobody wants to hear; @name is abstract */
	int64_t watchdog_us; /* to be told that often that we live; 0 = not */
};

/* Read NOTIFY_SOCKET and WATCHDOG_USEC.  They stay in the environment. */
void notify_open(struct notify *n);

/* Take both, and WATCHDOG_PID, out of the environment, so that no child
 * speaks in our name by accident. */
void notify_hide(void);

/* Send a message, and fd with it (-1 = none; it stays the caller's). Never
 * blocks. Returns 0, or -1 with errno: EAGAIN when the manager is behind,
 * ENOTCONN when there is none. */
int notify_send(const struct notify *n, const char *text, int fd);

#endif
