/* SPDX-License-Identifier: MIT */
#include "ndsd/tail.h"

#include <string.h>

static size_t
count_lines(const struct tail *t)
{
	size_t count = 0;

	for (size_t i = 0; i < t->bytes; i++)
		count += t->text[i] == '\n';
	return count;
}

static void
drop_first(struct tail *t)
{
	const char *end = memchr(t->text, '\n', t->bytes);
	size_t line = (size_t)(end + 1 - t->text);

	t->bytes -= line;
	memmove(t->text, t->text + line, t->bytes);
}

static void
add_line(struct tail *t, const char *line, size_t bytes)
{
	if (bytes == 0)
		return;
	if (bytes > TAIL_LINE_MAX)
		bytes = TAIL_LINE_MAX;
	while (count_lines(t) >= TAIL_LINES)
		drop_first(t);
	memcpy(t->text + t->bytes, line, bytes);
	t->bytes += bytes;
	t->text[t->bytes++] = '\n';
	t->text[t->bytes] = '\0';
}

void
tail_add(struct tail *t, const char *lines, size_t bytes)
{
	const char *all = lines + bytes, *end;

	_Static_assert(TAIL_LINES * (TAIL_LINE_MAX + 1) < TAIL_BYTES,
	    "all of them find room");
	for (; lines < all; lines = end + 1) {
		end = memchr(lines, '\n', (size_t)(all - lines));
		if (end == NULL)
			end = all;
		add_line(t, lines, (size_t)(end - lines));
	}
}
