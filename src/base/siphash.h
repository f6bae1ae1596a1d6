/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
 * INDOCRYPT 2012): a hash whose collisions nobody can aim at without its key.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* The hash of the bytes at data under the key. */
uint64_t siphash(const uint64_t key[2], const void *data, size_t bytes);

#endif
