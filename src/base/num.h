/* SPDX-License-Identifier: MIT */
/*
 * Numbers that people write: whole numbers, times and sizes.  Strict: no
 * sign, no blank, nothing behind; out of range is an error, never a clamp.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdint.h>

/* Parse text into *value, which stays as it was on error.  Each returns 0, or
 * -1 with errno EINVAL (not a number of this kind) or ERANGE (outside
 * min..max). */

/* A whole decimal number. */
int num_whole(const char *text, int64_t min, int64_t max, int64_t *value);

/* A time: a bare number is seconds; `ms`, `s`, `m` may follow.  A fraction is
 * allowed (`0.5`, `1.5s`).  The value is in milliseconds. */
int num_time_ms(const char *text, int64_t min, int64_t max, int64_t *value);

/* A size: a bare number is bytes; `k`, `m`, `g` (powers of 1024) may follow. */
int num_bytes(const char *text, int64_t min, int64_t max, int64_t *value);

/* A share: `off`, which is -1, or a percentage (`1%`, `0.05%`); the value is in
 * millionths, 0..1000000. */
int num_share(const char *text, int64_t *value);

/* Write a time or a size the way people write it ("1500ms", "20s", "64k"),
 * at most 24 bytes with its NUL; returns text. */
char *num_show_ms(int64_t ms, char text[24]);
char *num_show_bytes(int64_t bytes, char text[24]);

#endif
