/* SPDX-License-Identifier: MIT */
/*
 * The summary as one JSON object; nds-prove(1) says what its members mean.
 * Every member is always there, null where there is nothing to say, so that a
 * reader needs no cases.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "prove/report.h"
#include "prove/show.h"

static void
seconds(FILE *out, const char *key, int64_t us)
{
	fprintf(out, "\"%s\":%.6f", key, (double)us / 1e6);
}

static void
put_latency(FILE *out, const struct hist *h)
{
	fputs(",\"latency_ms\":{", out);
	for (int p = 0; p < REPORT_PERCENTILES; p++) {
		fprintf(out, "%s\"%s\":", p == 0 ? "" : ",",
		    report_percentiles[p].name);
		if (h->count == 0)
			fputs("null", out);
		else
			fprintf(out, "%.3f", (double)hist_at(h,
			    report_percentiles[p].part) / 1000);
	}
	putc('}', out);
}

static void
put_tally(FILE *out, const struct tally *t, int whole)
{
	double rate = tally_rate(t, whole);

	putc('{', out);
	seconds(out, "seconds", t->span_us);
	fprintf(out, ",\"requests\":%" PRIu64 ",\"lost\":%" PRIu64
	    ",\"fates\":{", tally_requests(t), tally_lost(t));
	for (int i = 0; i < FATES; i++)
		fprintf(out, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",",
		    fate_key((enum fate)i), t->fates[i]);
	fputs("},\"answers_per_s\":", out);
	if (rate < 0)
		fputs("null", out);
	else
		fprintf(out, "%.1f", rate);
	put_latency(out, &t->latency);
	fprintf(out, ",\"worst_gap_ms\":%.3f,", (double)t->gap_us / 1000);
	seconds(out, "worst_gap_at_s", t->gap_at_us);
	putc('}', out);
}

static void
put_load(FILE *out, const struct options *o)
{
	fputs("{\"url\":", out);
	show_json(out, o->url);
	fputs(",\"method\":", out);
	show_json(out, options_method(o));
	fprintf(out, ",\"clients\":%" PRId64 ",\"connections\":\"%s\","
	    "\"rate\":", o->clients, o->fresh ? "new" : "kept");
	if (o->rate > 0)
		fprintf(out, "%" PRId64, o->rate);
	else
		fputs("null", out);
	putc('}', out);
}

static void
put_statuses(FILE *out, const struct record *r)
{
	const char *between = "";

	fputs(",\"statuses\":{", out);
	for (int i = 0; i < STATUS_END; i++) {
		if (r->statuses[i] == 0)
			continue;
		fprintf(out, "%s\"%d\":%" PRIu64, between, i, r->statuses[i]);
		between = ",";
	}
	putc('}', out);
}

static void
put_run(FILE *out, const struct run *run, int64_t begin_us)
{
	int ended = run->end_us >= 0;

	putc('{', out);
	seconds(out, "start_s", run->start_us - begin_us);
	if (ended) {
		putc(',', out);
		seconds(out, "end_s", run->end_us - begin_us);
	} else {
		fputs(",\"end_s\":null", out);
	}
	if (ended && WIFEXITED(run->status))
		fprintf(out, ",\"exit\":%d", WEXITSTATUS(run->status));
	else
		fputs(",\"exit\":null", out);
	if (ended && WIFSIGNALED(run->status))
		fprintf(out, ",\"signal\":%d}", WTERMSIG(run->status));
	else
		fputs(",\"signal\":null}", out);
}

static void
put_command(FILE *out, const struct options *o, const struct record *r)
{
	const struct runs *runs = &r->runs;

	fputs(",\"command\":", out);
	if (o->during == NULL) {
		fputs("null", out);
		return;
	}
	fputs("{\"text\":", out);
	show_json(out, o->during);
	fprintf(out, ",\"count\":%" PRIu64 ",\"failed\":%" PRIu64
	    ",\"runs\":[", runs->count, runs->failed);
	for (uint64_t i = 0; i < runs_kept(runs); i++) {
		fputs(i == 0 ? "" : ",", out);
		put_run(out, &runs->list[i], r->begin_us);
	}
	fputs("]}", out);
}

static void
put_losses(FILE *out, const struct record *r)
{
	fputs(",\"first_losses\":[", out);
	for (int i = 0; i < r->losses_kept; i++) {
		const struct loss *loss = &r->losses[i];

		fputs(i == 0 ? "{" : ",{", out);
		seconds(out, "at_s", loss->at_us);
		fprintf(out, ",\"fate\":\"%s\",\"status\":%d,\"id\":",
		    fate_key(loss->fate), loss->status);
		show_json(out, loss->id);
		fputs(",\"detail\":", out);
		show_json(out, loss->detail);
		putc('}', out);
	}
	putc(']', out);
}

void
report_json(FILE *out, const struct options *o, const struct record *r)
{
	struct tally *total = malloc(sizeof(*total));

	if (total == NULL)
		return;
	record_total(r, total);
	fputs("{\"load\":", out);
	put_load(out, o);
	fprintf(out, ",\"reachable\":%s,\"ended_early\":%s,\"whole\":",
	    r->reached ? "true" : "false", r->interrupted ? "true" : "false");
	put_tally(out, total, 1);
	for (int i = 0; i < PHASES; i++) {
		fprintf(out, ",\"%s\":", report_phases[i]);
		if (r->runs.count == 0)
			fputs("null", out);
		else
			put_tally(out, &r->phases[i], 0);
	}
	put_statuses(out, r);
	put_command(out, o, r);
	put_losses(out, r);
	fputs("}\n", out);
	free(total);
}
