/* SPDX-License-Identifier: MIT */
/*
 * Workers that a fault has killed: one log line each, with signal, address,
 * stack, request and what became of that.
 */
#ifndef OBSERVER_CRASH_H
#define OBSERVER_CRASH_H

#include "proto/board.h"

/* Tell of the last crash of a slot, if it is another than *told. */
void crash_look(uint32_t *told, const struct slot *s);

#endif
