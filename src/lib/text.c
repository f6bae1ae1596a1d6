/* SPDX-License-Identifier: MIT */
#include "lib/text.h"

#include <stdint.h>
#include <string.h>

int
text_is_token(const char *text, size_t bytes)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	size_t i;
	char c;

	for (i = 0; i < bytes; i++) {
		c = text[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9'))
			continue;
		if (c == '\0' || strchr(others, c) == NULL)
			return 0;
	}
	return bytes > 0;
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
