/* SPDX-License-Identifier: MIT */
/* Ranges of addresses: parsed strictly, compared bit by bit. */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/num.h"

#define MAPPED_BITS 96 /* of the prefix that IPv4 addresses get */

static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int
cidr_is_v4(const uint8_t address[16])
{
	return memcmp(address, mapped, sizeof(mapped)) == 0;
}

int
cidr_address(const char *text, size_t bytes, uint8_t address[16])
{
	char copy[INET6_ADDRSTRLEN];

	if (bytes >= sizeof(copy))
		return -1;
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	if (strlen(copy) != bytes)
		return -1;
	if (strchr(copy, ':') != NULL)
		return inet_pton(AF_INET6, copy, address) == 1 ? 0 : -1;
	memcpy(address, mapped, sizeof(mapped));
	return inet_pton(AF_INET, copy, address + sizeof(mapped)) == 1 ? 0 : -1;
}

/* Whether the first bits of both are equal. */
static int
same_prefix(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	    (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* most: of addresses as this one was written. */
static const char *
bits_parse(const char *text, size_t bytes, unsigned most, struct cidr *range)
{
	uint8_t kept[16] = {0};
	char copy[4];
	int64_t bits;

	if (bytes >= sizeof(copy))
		return "no prefix length";
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	if (num_whole(copy, 0, most, &bits) < 0)
		return "no prefix length";
	range->bits = (unsigned)bits + 128 - most;
	memcpy(kept, range->address, range->bits / 8);
	if (range->bits % 8 != 0)
		kept[range->bits / 8] = (uint8_t)(range->address[range->bits /
		    8] & 0xff << (8 - range->bits % 8));
	return memcmp(kept, range->address, sizeof(kept)) == 0 ? NULL :
	    "an address with bits behind its prefix";
}

static const char *
range_parse(const char *text, size_t bytes, struct cidr *range)
{
	const char *slash = memchr(text, '/', bytes);
	size_t first = slash == NULL ? bytes : (size_t)(slash - text);

	if (cidr_address(text, first, range->address) < 0)
		return "no address";
	range->bits = 128;
	return slash == NULL ? NULL :
	    bits_parse(slash + 1, bytes - first - 1,
		memchr(text, ':', first) == NULL ? 32 : 128, range);
}

const char *
cidr_list(const char *text, struct cidr *list, size_t list_room,
    size_t *count)
{
	const char *wrong;
	struct cidr range;
	size_t bytes;

	for (*count = 0;; text += bytes) {
		text += strspn(text, ", ");
		bytes = strcspn(text, ", ");
		if (bytes == 0)
			return NULL;
		if (*count == list_room)
			return "too many addresses";
		wrong = range_parse(text, bytes, &range);
		if (wrong != NULL)
			return wrong;
		if (list != NULL)
			list[*count] = range;
		(*count)++;
	}
}

int
cidr_has(const struct cidr *list, size_t count, const uint8_t address[16])
{
	for (size_t i = 0; i < count; i++)
		if (same_prefix(list[i].address, address, list[i].bits))
			return 1;
	return 0;
}
