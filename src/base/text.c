/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdint.h>
#include <string.h>

/* A bit for each of the letters, the digits and !#$%&'*+-.^_`|~ . */
static const uint32_t token_bits[4] = {0x00000000, 0x03ff6cfa, 0xc7fffffe,
    0x57ffffff};

int
text_is_token(const char *text, size_t bytes)
{
	size_t i;
	uint8_t c;

	for (i = 0; i < bytes; i++) {
		c = (uint8_t)text[i];
		if (c > 0x7f || (token_bits[c / 32] >> c % 32 & 1) == 0)
			return 0;
	}
	return bytes > 0;
}

char *
text_put(char *to, const char *text)
{
	size_t bytes = strlen(text);

	memcpy(to, text, bytes + 1);
	return to + bytes;
}

char *
text_put_number(char *to, int64_t number)
{
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	char digits[TEXT_NUMBER_BYTES], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do
		*--at = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (number < 0)
		*--at = '-';
	return text_put(to, at);
}

/* Bytes of the UTF-8 character at text, 0 when there is none. */
static size_t
utf8_character(const uint8_t *text, size_t bytes)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t point;
	size_t i, count;

	if (text[0] < 0x80)
		return 1;
	count = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	if (text[0] < 0xc2 || text[0] > 0xf4 || count > bytes)
		return 0;
	point = text[0] & (0xffu >> (count + 1));
	for (i = 1; i < count; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	if (point < smallest[count] || point > 0x10ffff ||
	    (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return count;
}

int
text_is_utf8(const char *text, size_t bytes)
{
	const uint8_t *at = (const uint8_t *)text;
	size_t count;

	for (; bytes > 0; at += count, bytes -= count) {
		count = utf8_character(at, bytes);
		if (count == 0)
			return 0;
	}
	return 1;
}

void
text_make_utf8(char *text)
{
	size_t bytes = strlen(text), count;

	for (; bytes > 0; text += count, bytes -= count) {
		count = utf8_character((const uint8_t *)text, bytes);
		if (count == 0) {
			*text = '?';
			count = 1;
		}
	}
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
text_escape(const char *text, size_t bytes)
{
	int high, low;

	if (bytes < 3 || text[0] != '%')
		return -1;
	high = hex_digit(text[1]);
	low = hex_digit(text[2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}
