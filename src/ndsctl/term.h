/* SPDX-License-Identifier: MIT */
/*
 * The terminal: what may be written to it, whether it has colours, and one
 * line of progress that is rewritten in place.
 */
#ifndef NDSCTL_TERM_H
#define NDSCTL_TERM_H

#include <stdint.h>
#include <stdio.h>

/* Replace in place what would steer a terminal: control characters (also the
 * C1 ones), and marks that turn the direction of writing. Returns text. */
char *term_safe(char *text);

/* 1 when colours may be written to the stream: a terminal, NO_COLOR not set,
 * TERM not dumb. */
int term_colours(FILE *stream);

/* 1 when the stream is a terminal that lines can be rewritten on. */
int term_is_terminal(FILE *stream);

#define TERM_BAR 24 /* bytes */

/* "[#####---------------] ", or "" when total is 0 or less. Returns out. */
char *term_bar(char out[TERM_BAR], int64_t done, int64_t total);

/* A line of progress on stderr, with a bar when total > 0: rewritten in place
 * on a terminal, a plain line each elsewhere.  The signature is that of
 * control_progress; arg is not used. */
void term_progress(const char *text, int done, int total, void *arg);

/* Take the line away, if there is one. SIGINT does so by itself. */
void term_progress_end(void);

#endif
