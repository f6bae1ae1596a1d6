/* SPDX-License-Identifier: MIT */
#include "prove/show.h"

#include <inttypes.h>
#include <string.h>

char *
show_ms(uint64_t us, char text[24])
{
	int digits = us < 1000 ? 3 : us < 10000 ? 2 : us < 100000 ? 1 : 0;

	snprintf(text, 24, "%.*f", digits, (double)us / 1000);
	return text;
}

char *
show_count(uint64_t number, const char *apart, char text[48])
{
	char digits[24];
	size_t bytes = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64,
	    number), used = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (i > 0 && (bytes - i) % 3 == 0)
			used += (size_t)snprintf(text + used, 48 - used, "%s",
			    apart);
		text[used++] = digits[i];
	}
	text[used] = '\0';
	return text;
}

void
show_json(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

void
show_html(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || strchr("<>&\"'", c) != NULL)
			fprintf(out, "&#%d;", c < 0x20 ? ' ' : c);
		else
			putc(c, out);
	}
}

void
show_safe(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		putc(c < 0x20 || c == 0x7f ? '?' : c, out);
	}
}
