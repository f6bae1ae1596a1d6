/* SPDX-License-Identifier: MIT */
/*
 * Three panes over one axis of time.  The timeline is joined into at most
 * COLUMNS columns first, so that a page stays small however long the load was.
 * Colours are classes of the page's style.
 */
#include "prove/chart.h"

#include <inttypes.h>
#include <math.h>

#include "prove/command.h"
#include "prove/show.h"

#define COLUMNS 240
#define LEFT 62.0
#define RIGHT 948.0
#define TOP 26.0     /* of the marks of the command */
#define BOTTOM 456.0 /* of the last pane */
#define HEIGHT 484
#define MARKS_MAX 200 /* runs of the command that are drawn */

struct column {
	double from_s, to_s;
	struct bucket sum;
	double rate; /* answers a second */
};

struct chart {
	FILE *out;
	const struct record *record;
	double seconds;
	int count;
	struct column columns[COLUMNS + 1];
};

/* A pane's values run from low at its bottom to high at its top. */
struct pane {
	double top, bottom;
	double low, high;
	int decades; /* a scale of powers of ten: low and high are exponents */
};

/* ---- scales -------------------------------------------------------------- */

static double
x_of(const struct chart *c, double second)
{
	return LEFT + (RIGHT - LEFT) * second / c->seconds;
}

static double
y_of(const struct pane *p, double value)
{
	double at = p->decades ? log10(value < 1e-9 ? 1e-9 : value) : value;

	if (at < p->low)
		at = p->low;
	return p->bottom - (p->bottom - p->top) * (at - p->low) /
	    (p->high - p->low);
}

/* The smallest of 1, 2, 5, 10, 20 ... that is not below value. */
static double
nice(double value)
{
	static const double steps[] = {1, 2, 5};
	double scale = 1;

	for (;; scale *= 10)
		for (int i = 0; i < 3; i++)
			if (steps[i] * scale >= value)
				return steps[i] * scale;
}

/* ---- columns ------------------------------------------------------------- */

static void
column_add(struct chart *c, size_t from, size_t to)
{
	const struct timeline *t = &c->record->timeline;
	double step_s = (double)t->step_us / 1e6;
	struct column *col = &c->columns[c->count++];

	col->from_s = (double)from * step_s;
	col->to_s = (double)to * step_s;
	if (col->to_s > c->seconds)
		col->to_s = c->seconds;
	col->sum = timeline_join(t, from, to);
	col->rate = col->sum.answered / (col->to_s - col->from_s);
}

/* What remains at the end may be too short for a rate: it joins the column
 * before it. */
static void
columns_make(struct chart *c)
{
	const struct timeline *t = &c->record->timeline;
	double step_s = (double)t->step_us / 1e6;
	size_t total = (size_t)(c->seconds / step_s), at = 0, width;

	if (total < t->used && c->seconds - (double)total * step_s > step_s / 2)
		total++;
	if (total == 0)
		total = 1;
	width = (total + COLUMNS - 1) / COLUMNS;
	for (; at + 2 * width <= total; at += width)
		column_add(c, at, at + width);
	column_add(c, at, total > t->used ? total : t->used);
}

/* ---- panes --------------------------------------------------------------- */

static void
label(const struct chart *c, double y, const char *text)
{
	fprintf(c->out, "<text class=\"tick\" x=\"%.0f\" y=\"%.1f\" "
	    "text-anchor=\"end\">%s</text>\n", LEFT - 7, y + 4, text);
}

static void
grid_line(const struct chart *c, double y)
{
	fprintf(c->out, "<line class=\"grid\" x1=\"%.0f\" y1=\"%.1f\" "
	    "x2=\"%.0f\" y2=\"%.1f\"/>\n", LEFT, y, RIGHT, y);
}

static void
title(const struct chart *c, const struct pane *p, const char *text)
{
	fprintf(c->out, "<text class=\"title\" x=\"%.0f\" y=\"%.1f\">%s"
	    "</text>\n", LEFT, p->top - 9, text);
}

/* Lines at 0, a half and the whole of a linear pane. */
static void
grid_linear(const struct chart *c, const struct pane *p)
{
	char text[48];

	for (int i = 0; i <= 2; i++) {
		double value = p->high * i / 2;

		if (value != (double)(uint64_t)value)
			continue;
		grid_line(c, y_of(p, value));
		label(c, y_of(p, value),
		    show_count((uint64_t)value, "&#8239;", text));
	}
}

static void
grid_decades(const struct chart *c, const struct pane *p)
{
	static const char *const names[] = {"1 us", "10 us", "0.1 ms", "1 ms",
	    "10 ms", "100 ms", "1 s", "10 s", "100 s", "1000 s"};
	double value = 1;

	for (int i = 0; i < 10; i++, value *= 10) {
		if (i < (int)p->low || i > (int)p->high)
			continue;
		grid_line(c, y_of(p, value));
		label(c, y_of(p, value), names[i]);
	}
}

/* A line of steps through value(column); broken where it is below 0. */
static void
steps(const struct chart *c, const struct pane *p, const char *class,
    double (*value)(const struct column *))
{
	int drawing = 0;

	fprintf(c->out, "<path class=\"%s\" d=\"", class);
	for (int i = 0; i < c->count; i++) {
		const struct column *col = &c->columns[i];
		double v = value(col);

		if (v >= 0)
			fprintf(c->out, "%c%.1f %.1fH%.1f", drawing ? 'L' : 'M',
			    x_of(c, col->from_s), y_of(p, v),
			    x_of(c, col->to_s));
		drawing = v >= 0;
	}
	fputs("\"/>\n", c->out);
}

static double
rate_of(const struct column *col)
{
	return col->rate;
}

static double
p50_of(const struct column *col)
{
	return col->sum.answered == 0 ? -1.0 : col->sum.p50_us;
}

static double
p99_of(const struct column *col)
{
	return col->sum.answered == 0 ? -1.0 : col->sum.p99_us;
}

static double
max_of(const struct column *col)
{
	return col->sum.answered == 0 ? -1.0 : col->sum.max_us;
}

static void
pane_rate(const struct chart *c)
{
	struct pane p = {.top = 50, .bottom = 176, .high = 1};

	for (int i = 0; i < c->count; i++)
		if (c->columns[i].rate > p.high)
			p.high = c->columns[i].rate;
	p.high = nice(p.high);
	title(c, &p, "<tspan class=\"rate-ink\">answers a second</tspan>");
	grid_linear(c, &p);
	fprintf(c->out, "<path class=\"area\" d=\"M%.1f %.1f", LEFT, p.bottom);
	for (int i = 0; i < c->count; i++)
		fprintf(c->out, "L%.1f %.1fH%.1f",
		    x_of(c, c->columns[i].from_s),
		    y_of(&p, c->columns[i].rate), x_of(c, c->columns[i].to_s));
	fprintf(c->out, "V%.1fZ\"/>\n", p.bottom);
	steps(c, &p, "line rate", rate_of);
}

static void
pane_latency(const struct chart *c)
{
	struct pane p = {.top = 216, .bottom = 352, .decades = 1};
	double least = 1e12, most = 1;

	for (int i = 0; i < c->count; i++) {
		const struct bucket *b = &c->columns[i].sum;

		if (b->answered > 0 && b->p50_us < least)
			least = b->p50_us;
		if (b->answered > 0 && b->max_us > most)
			most = b->max_us;
	}
	if (least > most)
		least = 1000, most = 10000;
	p.low = (double)(int)log10(least < 1 ? 1 : least);
	p.high = (double)(int)log10(most) + 1;
	title(c, &p, "latency: <tspan class=\"p50-ink\">p50</tspan> "
	    "<tspan class=\"p99-ink\">p99</tspan> "
	    "<tspan class=\"max-ink\">max</tspan>");
	grid_decades(c, &p);
	steps(c, &p, "line max", max_of);
	steps(c, &p, "line p99", p99_of);
	steps(c, &p, "line p50", p50_of);
}

static void
pane_lost(const struct chart *c)
{
	struct pane p = {.top = 392, .bottom = BOTTOM, .high = 1};
	int any = 0;

	for (int i = 0; i < c->count; i++) {
		any |= c->columns[i].sum.lost > 0;
		if (c->columns[i].sum.lost > p.high)
			p.high = c->columns[i].sum.lost;
	}
	p.high = nice(p.high);
	title(c, &p, any ? "<tspan class=\"lost-ink\">lost</tspan>" :
	    "lost: none");
	grid_linear(c, &p);
	for (int i = 0; i < c->count; i++) {
		const struct column *col = &c->columns[i];
		double x = x_of(c, col->from_s), y = y_of(&p, col->sum.lost);
		double width = x_of(c, col->to_s) - x;

		if (col->sum.lost > 0)
			fprintf(c->out, "<rect class=\"lost\" x=\"%.1f\" "
			    "y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", x,
			    y, width < 2 ? 2 : width, p.bottom - y);
	}
}

/* ---- time and the command ------------------------------------------------ */

static void
axis(const struct chart *c)
{
	double step = c->seconds < 1 ? 0.1 : nice(c->seconds / 10);

	for (int i = 0; i * step <= c->seconds * 1.0001; i++)
		fprintf(c->out, "<text class=\"tick\" x=\"%.1f\" y=\"%.0f\" "
		    "text-anchor=\"middle\">%g s</text>\n",
		    x_of(c, i * step), BOTTOM + 19, i * step);
}

static void
command_bands(const struct chart *c)
{
	const struct record *r = c->record;

	for (uint64_t i = 0; i < runs_kept(&r->runs) && i < MARKS_MAX; i++) {
		const struct run *run = &r->runs.list[i];
		int64_t end_us = run->end_us < 0 ? r->end_us : run->end_us;
		double from = (double)(run->start_us - r->begin_us) / 1e6;
		double to = (double)(end_us - r->begin_us) / 1e6;
		double x = x_of(c, from), width = x_of(c, to) - x;

		fprintf(c->out, "<rect class=\"fault\" x=\"%.1f\" y=\"%.0f\" "
		    "width=\"%.1f\" height=\"%.0f\"/>\n<rect class=\"begin\" "
		    "x=\"%.1f\" y=\"%.0f\" width=\"1\" height=\"%.0f\"/>\n",
		    x, TOP, width, BOTTOM - TOP, x, TOP, BOTTOM - TOP);
		if (runs_kept(&r->runs) <= 30)
			fprintf(c->out, "<text class=\"mark\" x=\"%.1f\" "
			    "y=\"%.0f\">%" PRIu64 "</text>\n", x, TOP - 6,
			    i + 1);
	}
}

/* What a pointer that rests on a column is told. */
static void
hints(const struct chart *c)
{
	for (int i = 0; i < c->count; i++) {
		const struct column *col = &c->columns[i];
		double x = x_of(c, col->from_s);
		char p50[24], p99[24], max[24];

		fprintf(c->out, "<rect class=\"hint\" x=\"%.1f\" y=\"%.0f\" "
		    "width=\"%.1f\" height=\"%.0f\"><title>%.1f s: %.0f "
		    "answers/s, p50 %s ms, p99 %s ms, max %s ms, %u lost"
		    "</title></rect>\n", x, TOP, x_of(c, col->to_s) - x,
		    BOTTOM - TOP, col->from_s, col->rate,
		    show_ms(col->sum.p50_us, p50),
		    show_ms(col->sum.p99_us, p99),
		    show_ms(col->sum.max_us, max), (unsigned)col->sum.lost);
	}
}

void
chart_write(FILE *out, const struct record *r)
{
	struct chart c = {.out = out, .record = r};

	c.seconds = (double)(r->end_us - r->begin_us) / 1e6;
	if (c.seconds <= 0)
		return;
	columns_make(&c);
	fprintf(out, "<svg viewBox=\"0 0 960 %d\" role=\"img\" "
	    "aria-label=\"answers a second, latency and losses over time\">\n",
	    HEIGHT);
	command_bands(&c);
	pane_rate(&c);
	pane_latency(&c);
	pane_lost(&c);
	axis(&c);
	hints(&c);
	fputs("</svg>\n", out);
}
