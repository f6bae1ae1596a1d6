/* SPDX-License-Identifier: MIT */
#include "prove/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "prove/command.h"
#include "prove/show.h"

const char *const report_phases[PHASES] = {"before", "during", "after"};
const struct percentile report_percentiles[REPORT_PERCENTILES] = {
	{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999},
	{"max", 1.0}};

/* The whole, and the phases where there are any. */
struct columns {
	const struct tally *of[1 + PHASES];
	int count;
};

/* ---- text ---------------------------------------------------------------- */

static void
head_line(FILE *out, const struct options *o, const struct record *r)
{
	show_safe(out, options_method(o));
	putc(' ', out);
	show_safe(out, o->url);
	fprintf(out, "\n%" PRId64 " client%s, %s connections, ", o->clients,
	    o->clients == 1 ? "" : "s", o->fresh ? "new" : "kept");
	if (o->rate > 0)
		fprintf(out, "%" PRId64 " requests a second", o->rate);
	else
		fputs("closed loop", out);
	fprintf(out, ", %.1f s%s\n\n",
	    (double)(r->end_us - r->begin_us) / 1e6,
	    r->interrupted ? ", ended early" : "");
}

static void
count_row(FILE *out, const char *name, const struct columns *c,
    uint64_t (*count)(const struct tally *))
{
	fprintf(out, "%-16s", name);
	for (int i = 0; i < c->count; i++)
		fprintf(out, " %11" PRIu64, count(c->of[i]));
	putc('\n', out);
}

/* Only what happened at all. */
static void
fate_rows(FILE *out, const struct columns *c)
{
	for (int fate = FATE_ANSWERED + 1; fate < FATES; fate++) {
		if (c->of[0]->fates[fate] == 0)
			continue;
		fprintf(out, "  %-14s", fate_words((enum fate)fate));
		for (int i = 0; i < c->count; i++)
			fprintf(out, " %11" PRIu64, c->of[i]->fates[fate]);
		putc('\n', out);
	}
}

static void
latency_rows(FILE *out, const struct columns *c)
{
	char text[24];

	for (int p = 0; p < REPORT_PERCENTILES; p++) {
		snprintf(text, sizeof(text), "%s ms",
		    report_percentiles[p].name);
		fprintf(out, "%-16s", text);
		for (int i = 0; i < c->count; i++) {
			const struct hist *h = &c->of[i]->latency;

			fprintf(out, " %11s", h->count == 0 ? "-" : show_ms(
			    hist_at(h, report_percentiles[p].part), text));
		}
		putc('\n', out);
	}
	fprintf(out, "%-16s", "worst gap ms");
	for (int i = 0; i < c->count; i++)
		fprintf(out, " %11s", c->of[i]->span_us == 0 ? "-" :
		    show_ms((uint64_t)c->of[i]->gap_us, text));
	putc('\n', out);
}

static void
rate_row(FILE *out, const struct columns *c)
{
	fprintf(out, "%-16s", "answers/s");
	for (int i = 0; i < c->count; i++) {
		double rate = tally_rate(c->of[i], i == 0);

		if (rate < 0)
			fprintf(out, " %11s", "-");
		else
			fprintf(out, " %11.1f", rate);
	}
	putc('\n', out);
}

static void
command_lines(FILE *out, const struct options *o, const struct record *r)
{
	const struct runs *runs = &r->runs;

	if (o->during == NULL)
		return;
	fputs("\ncommand  ", out);
	show_safe(out, o->during);
	if (runs->count == 0)
		fputs("\n  never ran: the load ended first", out);
	for (uint64_t i = 0; i < runs_kept(runs) && i < 10; i++) {
		const struct run *run = &runs->list[i];

		fprintf(out, "\n  %8.3f s  ",
		    (double)(run->start_us - r->begin_us) / 1e6);
		if (run->end_us < 0)
			fputs("had not ended", out);
		else
			fprintf(out, "%s after %.3f s",
			    command_words(run->status),
			    (double)(run->end_us - run->start_us) / 1e6);
	}
	if (runs->count > 10)
		fprintf(out, "\n  and %" PRIu64 " more; %" PRIu64
		    " of all failed", runs->count - 10, runs->failed);
	putc('\n', out);
}

static void
loss_lines(FILE *out, const struct record *r)
{
	if (r->losses_kept > 0)
		fputs("\nfirst losses\n", out);
	for (int i = 0; i < r->losses_kept && i < 10; i++) {
		const struct loss *loss = &r->losses[i];

		fprintf(out, "  %8.3f s  %-14s", (double)loss->at_us / 1e6,
		    fate_words(loss->fate));
		if (loss->status > 0)
			fprintf(out, " %d", loss->status);
		if (loss->id[0] != '\0')
			fprintf(out, " %s", loss->id);
		if (loss->detail[0] != '\0')
			putc(' ', out);
		show_safe(out, loss->detail);
		putc('\n', out);
	}
}

static void
verdict(FILE *out, const struct tally *total, const struct record *r)
{
	uint64_t lost = tally_lost(total), all = tally_requests(total);

	if (!r->reached)
		fputs("\nnever reachable\n", out);
	else if (lost == 0)
		fprintf(out, "\nnothing was lost of %" PRIu64 " requests\n",
		    all);
	else
		fprintf(out, "\n%" PRIu64 " of %" PRIu64 " requests lost\n",
		    lost, all);
}

static uint64_t
answered(const struct tally *t)
{
	return t->fates[FATE_ANSWERED];
}

void
report_text(FILE *out, const struct options *o, const struct record *r)
{
	struct tally *total = malloc(sizeof(*total));
	struct columns c = {.count = r->runs.count > 0 ? 1 + PHASES : 1};

	if (total == NULL)
		return;
	record_total(r, total);
	c.of[0] = total;
	for (int i = 0; i < PHASES; i++)
		c.of[1 + i] = &r->phases[i];
	head_line(out, o, r);
	if (c.count > 1)
		fprintf(out, "%-16s %11s %11s %11s %11s\n", "", "whole",
		    "before", "during", "after");
	count_row(out, "answered", &c, answered);
	count_row(out, "lost", &c, tally_lost);
	fate_rows(out, &c);
	rate_row(out, &c);
	latency_rows(out, &c);
	command_lines(out, o, r);
	loss_lines(out, r);
	verdict(out, total, r);
	free(total);
}
