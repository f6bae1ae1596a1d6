/* SPDX-License-Identifier: MIT */
/*
 * Addresses of hosts and ranges of them (RFC 4632, RFC 4291).  Inside all are
 * IPv6: an IPv4 address is its IPv4-mapped one (::ffff:0:0/96), so the two
 * ways to write one are equal.
 */
#ifndef BASE_CIDR_H
#define BASE_CIDR_H

#include <stddef.h>
#include <stdint.h>

struct cidr {
	uint8_t address[16];
	unsigned bits; /* of the prefix, 0..128 */
};

/* Parse the address that the bytes at text are, IPv4 or IPv6, nothing around
 * it. Returns 0, or -1 when they are none. */
int cidr_address(const char *text, size_t bytes, uint8_t address[16]);

/* 1 when it stands for an IPv4 address. */
int cidr_is_v4(const uint8_t address[16]);

/* Parse addresses and ADDRESS/BITS, separated by commas or blanks, into list,
 * which has room for so many (NULL: they are only checked); *list_count is how
 * many there are.
 * Returns NULL, or a few words that say what is wrong. */
const char *cidr_list(const char *text, struct cidr *list, size_t list_room,
    size_t *list_count);

/* 1 when one of the list holds the address. */
int cidr_has(const struct cidr *list, size_t count, const uint8_t address[16]);

#endif
