/* SPDX-License-Identifier: MIT */
/* "Did you mean …?": the word of a list that was probably intended. */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include <stddef.h>

/* The word of list (count entries) that is at most two letters away from word
 * (inserted, removed or changed), the nearest of them; NULL when none is or
 * word is longer than any sensible one. */
const char *near_word(const char *word, const char *const *list, size_t count);

#endif
