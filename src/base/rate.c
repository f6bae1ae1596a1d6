/* SPDX-License-Identifier: MIT */
/* Strict parsing of rates; whole microseconds between two tokens. */
#include "base/rate.h"

#include <stddef.h>
#include <string.h>

#include "base/num.h"

#define BURST " burst "
#define COUNT_MAX 360000000 /* an hour of the fastest rate */

static const struct {
	const char *name;
	int64_t us;
} units[] = {{"s", 1000000}, {"m", 60000000}, {"h", INT64_C(3600000000)},
    {NULL, 0}};

/* 0 when there is no such unit. */
static int64_t
unit_us(const char *name)
{
	size_t i;

	for (i = 0; units[i].name != NULL; i++)
		if (strcmp(units[i].name, name) == 0)
			break;
	return units[i].us;
}

static const char *
rate_check(int64_t count, int64_t unit, int64_t burst, struct rate *rate)
{
	int64_t every_us = (unit + count / 2) / count;

	if (every_us < RATE_EVERY_MIN_US)
		return "more than 100000 a second";
	if (burst > RATE_REFILL_MAX_US / every_us)
		return "a burst that takes more than a day to come back";
	rate->every_us = every_us;
	rate->burst = burst;
	return NULL;
}

const char *
rate_parse(const char *text, struct rate *rate)
{
	char copy[64], *unit, *burst;
	int64_t count, most;

	if (strcmp(text, "off") == 0) {
		*rate = (struct rate){0, 0};
		return NULL;
	}
	if (strlen(text) >= sizeof(copy))
		return "too long";
	strcpy(copy, text);
	unit = strchr(copy, '/');
	if (unit == NULL)
		return "no rate";
	*unit++ = '\0';
	burst = strstr(unit, BURST);
	if (burst != NULL) {
		*burst = '\0';
		burst += strlen(BURST);
	}
	if (num_whole(copy, 1, COUNT_MAX, &count) < 0)
		return "no count from 1";
	if (unit_us(unit) == 0)
		return "no unit";
	most = count;
	if (burst != NULL && num_whole(burst, 1, COUNT_MAX, &most) < 0)
		return "no burst from 1";
	return rate_check(count, unit_us(unit), most, rate);
}
