/* SPDX-License-Identifier: MIT */
#include "helper/exposition.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* ---- which one ----------------------------------------------------------- */

/* "0.75" in thousandths. */
static int
weight_parse(const char *text)
{
	int weight = text[0] == '1' ? 1000 : 0, place = 100;

	if (text[0] != '0' || text[1] != '.')
		return weight;
	for (text += 2; *text >= '0' && *text <= '9'; text++) {
		weight += (*text - '0') * place;
		place /= 10;
	}
	return weight;
}

/* The weight of a media type in an Accept header (RFC 9110, 12.5.1), the
 * highest when it is named more than once; -1 when it is not. */
static int
accept_weight(const char *accept, const char *type)
{
	const char *at, *end, *q;
	int best = -1, weight;

	for (at = accept; *at != '\0'; at = end + (*end == ',')) {
		at += strspn(at, " \t");
		end = at + strcspn(at, ",");
		if (strncasecmp(at, type, strlen(type)) != 0 ||
		    strchr("; \t,", at[strlen(type)]) == NULL)
			continue;
		q = memmem(at, (size_t)(end - at), "q=", 2);
		weight = q == NULL ? 1000 : weight_parse(q + 2);
		best = weight > best ? weight : best;
	}
	return best;
}

int
exposition_is_open(const char *accept)
{
	int open = accept_weight(accept, "application/openmetrics-text");

	return open > 0 && open >= accept_weight(accept, "text/plain");
}

/* ---- text ---------------------------------------------------------------- */

/* A terminal, too, may be what shows it. */
static int
is_control(const char *at)
{
	unsigned char c = (unsigned char)at[0], next = (unsigned char)at[1];

	return c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0);
}

static void
put_escaped(const struct exposition *e, const char *value, const char *escaped)
{
	char text[512];

	snprintf(text, sizeof(text), "%s", value);
	text_make_utf8(text);
	for (const char *at = text; *at != '\0'; at++) {
		if (is_control(at)) {
			fputc('?', e->out);
			at += (unsigned char)at[0] == 0xc2;
			continue;
		}
		if (strchr(escaped, *at) != NULL)
			fputc('\\', e->out);
		fputc(*at, e->out);
	}
}

void
exposition_label(const struct exposition *e, const char *value)
{
	put_escaped(e, value, "\\\"");
}

/* ---- families ------------------------------------------------------------ */

/* The bytes of a name without that end. */
static int
without(const char *name, const char *end)
{
	size_t bytes = strlen(name), tail = strlen(end);

	if (bytes > tail && strcmp(name + bytes - tail, end) == 0)
		bytes -= tail;
	return (int)bytes;
}

static void
family_unit(const struct exposition *e, const char *name, int bytes)
{
	static const char *const units[] = {"seconds", "bytes", "ratio"};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int tail = (int)strlen(units[i]);

		if (bytes > tail && name[bytes - tail - 1] == '_' &&
		    memcmp(name + bytes - tail, units[i], (size_t)tail) == 0)
			fprintf(e->out, "# UNIT %.*s %s\n", bytes, name,
			    units[i]);
	}
}

void
exposition_family(const struct exposition *e, const char *name,
    const char *type, const char *help)
{
	int bytes = (int)strlen(name);

	if (e->open)
		bytes = without(name, strcmp(type, "counter") == 0 ? "_total" :
		    strcmp(type, "info") == 0 ? "_info" : "");
	else if (strcmp(type, "info") == 0)
		type = "gauge";
	fprintf(e->out, "# TYPE %.*s %s\n# HELP %.*s ", bytes, name, type,
	    bytes, name);
	/* 0.0.4 knows no escaped quote in a help: its readers refuse all */
	put_escaped(e, help, e->open ? "\\\"" : "\\");
	fputc('\n', e->out);
	if (e->open)
		family_unit(e, name, bytes);
}

/* ---- numbers ------------------------------------------------------------- */

void
exposition_count(const struct exposition *e, uint64_t value)
{
	fprintf(e->out, " %" PRIu64 "\n", value);
}

/* Without printf's %f, which writes what the locale wants. */
void
exposition_micro(const struct exposition *e, uint64_t us)
{
	fprintf(e->out, " %" PRIu64 ".%06" PRIu64 "\n", us / 1000000,
	    us % 1000000);
}

/* The shortest text that reads back as the same number, with a point whatever
 * the locale. */
static void
number_show(char text[40], double value)
{
	char *comma;

	snprintf(text, 40, "%.15g", value);
	if (strtod(text, NULL) != value)
		snprintf(text, 40, "%.17g", value);
	comma = strchr(text, ',');
	if (comma != NULL)
		*comma = '.';
}

void
exposition_number(const struct exposition *e, double value)
{
	char text[40];

	number_show(text, isfinite(value) ? value : 0);
	fprintf(e->out, " %s\n", text);
}

/* OpenMetrics wants "1.0" where 0.0.4 takes any; the same for both keeps their
 * series the same. */
void
exposition_edge(const struct exposition *e, double edge)
{
	char text[40];

	number_show(text, edge);
	fputs(text, e->out);
	if (strpbrk(text, ".e") == NULL)
		fputs(".0", e->out);
}

void
exposition_counter(const struct exposition *e, const char *name,
    uint64_t value, const char *help)
{
	exposition_family(e, name, "counter", help);
	fputs(name, e->out);
	exposition_count(e, value);
}

void
exposition_gauge(const struct exposition *e, const char *name, int64_t value,
    const char *help)
{
	exposition_family(e, name, "gauge", help);
	fprintf(e->out, "%s %" PRId64 "\n", name, value);
}
