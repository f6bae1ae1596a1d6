/* SPDX-License-Identifier: MIT */
/*
 * Strict parsing of numbers with a unit.  Everything is integer arithmetic
 * with overflow checks; a fraction of a time counts down to the millisecond
 * and a digit below that is refused, not rounded.
 */
#include "base/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit times[] = {{"", 1000}, {"ms", 1}, {"s", 1000},
    {"m", 60000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1}, {"k", 1 << 10}, {"m", 1 << 20},
    {"g", 1 << 30}, {NULL, 0}};

static int
fail(int why)
{
	errno = why;
	return -1;
}

static int
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The digits at *text; moves *text behind them. */
static int
digits(const char **text, int64_t *value)
{
	int64_t v = 0;

	if (!is_digit(**text))
		return fail(EINVAL);
	for (; is_digit(**text); (*text)++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, **text - '0', &v))
			v = INT64_MAX; /* stays there: out of any range */
	*value = v;
	return 0;
}

static int
finish(int64_t v, int64_t min, int64_t max, int64_t *value)
{
	if (v < min || v > max)
		return fail(ERANGE);
	*value = v;
	return 0;
}

static const struct unit *
unit_find(const struct unit *units, const char *name)
{
	for (; units->name != NULL; units++)
		if (strcmp(units->name, name) == 0)
			return units;
	return NULL;
}

/* Thousandths of a unit: ".5" is 500. Moves *text behind them. */
static int
fraction(const char **text, int64_t *thousandths)
{
	int64_t weight = 100;

	*thousandths = 0;
	if (**text != '.')
		return 0;
	(*text)++;
	if (!is_digit(**text))
		return fail(EINVAL);
	for (; is_digit(**text); (*text)++) {
		if (weight == 0 && **text != '0')
			return fail(EINVAL);
		*thousandths += (**text - '0') * weight;
		weight /= 10;
	}
	return 0;
}

int
num_whole(const char *text, int64_t min, int64_t max, int64_t *value)
{
	int64_t v;

	if (digits(&text, &v) < 0 || *text != '\0')
		return fail(EINVAL);
	return finish(v, min, max, value);
}

int
num_time_ms(const char *text, int64_t min, int64_t max, int64_t *value)
{
	const struct unit *unit;
	int64_t v, thousandths;

	if (digits(&text, &v) < 0 || fraction(&text, &thousandths) < 0)
		return -1;
	unit = unit_find(times, text);
	if (unit == NULL || thousandths * unit->factor % 1000 != 0)
		return fail(EINVAL);
	if (__builtin_mul_overflow(v, unit->factor, &v) ||
	    __builtin_add_overflow(v, thousandths * unit->factor / 1000, &v))
		return fail(ERANGE);
	return finish(v, min, max, value);
}

int
num_bytes(const char *text, int64_t min, int64_t max, int64_t *value)
{
	const struct unit *unit;
	int64_t v;

	if (digits(&text, &v) < 0)
		return -1;
	unit = unit_find(sizes, text);
	if (unit == NULL)
		return fail(EINVAL);
	if (__builtin_mul_overflow(v, unit->factor, &v))
		return fail(ERANGE);
	return finish(v, min, max, value);
}

int
num_share(const char *text, int64_t *value)
{
	int64_t whole, v = 0, weight = 1000;

	if (strcmp(text, "off") == 0) {
		*value = -1;
		return 0;
	}
	if (digits(&text, &whole) < 0)
		return -1;
	if (whole > 100)
		return fail(ERANGE);
	if (*text == '.') {
		for (text++; is_digit(*text) && weight > 0; weight /= 10)
			v += (*text++ - '0') * weight;
		if (weight == 1000)
			return fail(EINVAL);
	}
	if (strcmp(text, "%") != 0)
		return fail(EINVAL);
	return finish(whole * 10000 + v, 0, 1000000, value);
}

char *
num_show_ms(int64_t ms, char text[24])
{
	if (ms % 1000 != 0)
		snprintf(text, 24, "%" PRId64 "ms", ms);
	else if (ms == 0 || ms % 60000 != 0)
		snprintf(text, 24, "%" PRId64 "s", ms / 1000);
	else
		snprintf(text, 24, "%" PRId64 "m", ms / 60000);
	return text;
}

char *
num_show_bytes(int64_t bytes, char text[24])
{
	size_t i = sizeof(sizes) / sizeof(sizes[0]) - 2;

	while (i > 0 && (bytes == 0 || bytes % sizes[i].factor != 0))
		i--;
	snprintf(text, 24, "%" PRId64 "%s", bytes / sizes[i].factor,
	    sizes[i].name);
	return text;
}
