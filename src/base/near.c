/* SPDX-License-Identifier: MIT */
/*
 * Edit distance (Levenshtein), one row at a time, for words of at most
 * WORD_MAX bytes.
 */
#include "base/near.h"

#include <string.h>

#define WORD_MAX 48
#define FAR 2 /* a larger distance is no typing error */

static int
least(int a, int b, int c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

static int
distance(const char *a, const char *b)
{
	int row[WORD_MAX + 1], corner, above;
	int a_len = (int)strlen(a), b_len = (int)strlen(b);

	for (int j = 0; j <= b_len; j++)
		row[j] = j;
	for (int i = 1; i <= a_len; i++) {
		corner = row[0];
		row[0] = i;
		for (int j = 1; j <= b_len; j++) {
			above = row[j];
			row[j] = least(above + 1, row[j - 1] + 1,
			    corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[b_len];
}

const char *
near_word(const char *word, const char *const *list, size_t count)
{
	const char *best = NULL;
	int far = FAR + 1, d;

	if (strlen(word) > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (strlen(list[i]) > WORD_MAX)
			continue;
		d = distance(word, list[i]);
		if (d < far) {
			far = d;
			best = list[i];
		}
	}
	return best;
}
