/* SPDX-License-Identifier: MIT */
/*
 * Time.  Durations and deadlines are CLOCK_MONOTONIC, shared by all processes
 * of a host, so that they may stand on the board; wall time is for log lines
 * alone.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Monotonic time in milliseconds, microseconds. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* What clock_us() is behind the wall clock (Unix time) at the moment. */
int64_t clock_wall_us(void);

/* Wall time as RFC 3339 UTC with milliseconds, 24 characters and a NUL. */
#define CLOCK_STAMP_BYTES 25
void clock_stamp(char stamp[CLOCK_STAMP_BYTES]);

/* For people: "at once", "in 1500ms". Returns text. */
#define CLOCK_SOON_BYTES 32
const char *clock_soon(int64_t wait_ms, char text[CLOCK_SOON_BYTES]);

/* Milliseconds from now to deadline_ms for poll(2): 0 when it has passed,
 * at most cap_ms. */
int clock_left(int64_t deadline_ms, int cap_ms);

#endif
