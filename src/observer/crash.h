/* SPDX-License-Identifier: MIT */
/*
 * Workers that a fault has killed: a log line with signal, address, stack,
 * request and what became of that.
 */
#ifndef OBSERVER_CRASH_H
#define OBSERVER_CRASH_H

#include "proto/board.h"

/* Tell of the last crash of a slot, unless that was done, also by an observer
 * before this one.  Those before it of which none told are counted in its
 * line. */
void crash_look(struct slot *s, uint32_t number);

#endif
