/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t
clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t
clock_wall_us(void)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return wall.tv_sec * INT64_C(1000000) + wall.tv_nsec / 1000 -
	    clock_us();
}

static void
put_digits(char *at, unsigned value, int digits)
{
	while (digits-- > 0) {
		at[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* A log line a request wants this cheap: the calendar part is kept for the
 * second it is true of. */
void
clock_stamp(char stamp[CLOCK_STAMP_BYTES])
{
	static time_t kept = -1;
	static char text[CLOCK_STAMP_BYTES];
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (ts.tv_sec != kept) {
		gmtime_r(&ts.tv_sec, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		kept = ts.tv_sec;
	}
	memcpy(stamp, text, CLOCK_STAMP_BYTES);
	put_digits(stamp + 20, (unsigned)(ts.tv_nsec / 1000000), 3);
}

const char *
clock_soon(int64_t wait_ms, char text[CLOCK_SOON_BYTES])
{
	if (wait_ms <= 0)
		return "at once";
	snprintf(text, CLOCK_SOON_BYTES, "in %lldms", (long long)wait_ms);
	return text;
}

int
clock_left(int64_t deadline_ms, int cap_ms)
{
	int64_t left = deadline_ms - clock_ms();

	if (left <= 0)
		return 0;
	return left < cap_ms ? (int)left : cap_ms;
}
