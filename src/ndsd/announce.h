/* SPDX-License-Identifier: MIT */
/*
 * What a service manager is told: that we are ready, reload, stop or live, and
 * which sockets it shall hold for the ndsd after one that was killed.  Each
 * supervisor says all of it anew, so there is nothing to remember.
 */
#ifndef NDSD_ANNOUNCE_H
#define NDSD_ANNOUNCE_H

#include <stdint.h>

#include "base/notify.h"
#include "ndsd/listen.h"

struct supervisor;

struct announce {
	struct notify notify;
	int said;	     /* which of our states it knows */
	char status[96];     /* the line that it knows */
	int64_t status_ms;   /* no other line before */
	int64_t extend_ms;   /* ask for more time then */
	int64_t watchdog_ms; /* tell it then that we live */
};

/* In a supervisor: learn whom to tell, and hide it from children. */
void announce_open(struct announce *a);

/* Tell what has changed since the last call.  Never blocks; what could not be
 * sent is sent by a later call. */
void announce_step(struct supervisor *sup, int64_t now_ms);

/* Somebody has asked for a reload: a manager that did waits for word of it,
 * and of its end, even when it is refused at once. */
void announce_reload(struct supervisor *sup, int64_t now_ms);

/* In the main process: have those sockets held that are our own.  They come
 * back as LISTEN_FDS; handed_take() knows their names. */
void announce_keep(const struct listeners *l);

/* In the main process, when all has stopped: they are gone. */
void announce_release(const struct listen_made *made);

/* The name under which a socket is held: its kind, and which file is its
 * place, so that one whose place is another's is told. */
#define ANNOUNCE_NAME_BYTES 64
void announce_name(char name[ANNOUNCE_NAME_BYTES], int which,
    const struct listen_made *place);

#endif
