/* SPDX-License-Identifier: MIT */
/* What the health responder says is wrong, before all else. */
#ifndef NDSCTL_TROUBLE_H
#define NDSCTL_TROUBLE_H

#include <stdio.h>

#include <jansson.h>

#define TROUBLE_WORD 64

/* A line for each trouble in a document of /status (NULL: none), the worst
 * first: "NOT READY for 22 s: check database: away". */
void trouble_print(const json_t *health, int colours, FILE *out);

/* The worst one's kind in small letters, or state when there is none.  Returns
 * text. */
const char *
trouble_word(const json_t *health, const char *state, char text[TROUBLE_WORD]);

/* How many spans were lost, if any were, as a line. */
void trouble_print_spans(const json_t *health, FILE *out);

#endif
