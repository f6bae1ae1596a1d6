/* SPDX-License-Identifier: MIT */
/*
 * What a worker was doing when a fault killed it: it notes signal, address,
 * registers and the top of its stack in its slot on the way out, its guardian
 * adds what became of the request, and the observer makes a log line of it.
 */
#ifndef LIB_CRASH_H
#define LIB_CRASH_H

#include <sys/types.h>

#include "proto/board.h"

/* Note the faults of this process from here on, unless they are handled
 * already.  They still kill it, and as they would without this. */
void crash_watch(struct slot *slot);

/* Tell of the dead worker pid, if it has noted anything; fate is what became
 * of its request.  The slot still bears the ids of that. */
void crash_tell(struct slot *slot, pid_t pid, enum crash_fate fate);

#endif
