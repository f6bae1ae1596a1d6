/* SPDX-License-Identifier: MIT */
/* Numbers and strings as people, JSON and HTML read them. */
#ifndef PROVE_SHOW_H
#define PROVE_SHOW_H

#include <stdint.h>
#include <stdio.h>

/* Microseconds as milliseconds with three digits that count: "0.123", "4.56",
 * "1234". Returns text. */
char *show_ms(uint64_t us, char text[24]);

/* A whole number with its thousands apart by `apart`. Returns text. */
char *show_count(uint64_t number, const char *apart, char text[48]);

/* A string of JSON with its quotes: bytes that are no ASCII text are
 * escaped, those above 0x7f are passed on. */
void show_json(FILE *out, const char *text);

/* Text of HTML, also inside an attribute's quotes. */
void show_html(FILE *out, const char *text);

/* Text for a terminal: control characters as '?'. */
void show_safe(FILE *out, const char *text);

#endif
