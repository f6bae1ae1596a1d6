/* SPDX-License-Identifier: MIT */
/*
 * Text as HTTP writes it: tokens, percent-encoding, UTF-8.  Pure functions
 * over memory; no allocation.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* 1 when the bytes are a token (RFC 9110, 5.6.2): not empty, no separators. */
int text_is_token(const char *text, size_t bytes);

#define TEXT_NUMBER_BYTES 21 /* of any number, with its NUL */

/* Write a string, or a number, and a NUL.  Each returns where the NUL is: what
 * is made for each request is written so, at a tenth of what printf costs. */
char *text_put(char *to, const char *text);
char *text_put_number(char *to, int64_t number);

/* 1 when the bytes are UTF-8: shortest form, no surrogates. */
int text_is_utf8(const char *text, size_t bytes);

/* Make a string UTF-8 in place: each byte that is not becomes '?'. */
void text_make_utf8(char *text);

/* The byte that the escape `%XX` at text stands for, or -1 when it is none. */
int text_escape(const char *text, size_t bytes);

#endif
