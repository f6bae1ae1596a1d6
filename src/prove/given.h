/* SPDX-License-Identifier: MIT */
/* Checks of what the command line gives: URLs, headers, digests, files. */
#ifndef PROVE_GIVEN_H
#define PROVE_GIVEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Is it a token of HTTP (RFC 9110), such as a method? */
int given_token(const char *text);

/* Is it "Name: value" with nothing in it that would break the head? */
int given_header(const char *text);

/* 2 * bytes hexadecimal digits, and nothing else. -1 when it is not. */
int given_hex(const char *text, uint8_t *value, size_t bytes);

/* The bytes of a file, the caller's to free (never NULL for an empty one);
 * NULL with err filled. */
char *given_file(const char *path, size_t *bytes, struct nds_error *err);

/* An http or https URL with a host. 0, or -1 with err filled. */
int given_url(const char *url, struct nds_error *err);

#endif
