/* SPDX-License-Identifier: MIT */
/*
 * A terminal that is drawn anew: the alternate screen, keys as they are typed,
 * and all of it put back at the end, by a signal too.
 */
#ifndef NDSCTL_SCREEN_H
#define NDSCTL_SCREEN_H

#include <stddef.h>

/* Returns -1 when stdin and stdout are no terminal. */
int screen_open(void);
void screen_close(void);

/* Draw text, lines that end with a newline: as many as there are rows; one
 * that is wider than the screen ends in `>`. */
void screen_draw(const char *text);

/* Wait so long for a key.  Returns it; 0 when none came or the size of the
 * screen has changed; -1 when a signal or the end of input says to leave. */
int screen_key(int timeout_ms);

#endif
