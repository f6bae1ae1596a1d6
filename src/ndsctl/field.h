/* SPDX-License-Identifier: MIT */
/* Members of an answer's JSON, as people may see them. */
#ifndef NDSCTL_FIELD_H
#define NDSCTL_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* 0 when it is missing or no whole number. */
int64_t field_number(const json_t *object, const char *key);

/* A string, harmless to a terminal and cut to the room; "-" when it is missing
 * or empty.  Returns text. */
const char *
field_word(const json_t *object, const char *key, char *text, size_t bytes);

#endif
