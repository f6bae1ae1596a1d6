/* SPDX-License-Identifier: MIT */
#include "prove/page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "prove/chart.h"
#include "prove/command.h"
#include "prove/report.h"
#include "prove/show.h"

#define THIN "&#8239;" /* narrow blank between thousands */
#define RUNS_SHOWN 50

static const char style[] =
    ":root{color-scheme:light dark;--back:#fbfbf9;--card:#fff;--ink:#1d2126;"
    "--dim:#667080;--grid:#e6e8ea;--good:#137a3e;--bad:#c2201c;--rate:#2a63c9;"
    "--p99:#b2620a;--max:#a9b0b9;--fault:#7a4fc4}\n"
    "@media(prefers-color-scheme:dark){:root{--back:#14171b;--card:#1c2025;"
    "--ink:#e6e8eb;--dim:#98a1ad;--grid:#2e343b;--good:#4cc37d;--bad:#ff6b61;"
    "--rate:#6ea3ff;--p99:#f0a44b;--max:#5d6672;--fault:#b594f5}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:1040px;padding:28px 20px 48px;"
    "background:var(--back);color:var(--ink);"
    "font:15px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}\n"
    "h1{font-size:34px;line-height:1.15;margin:0 0 4px}\n"
    "h1.good{color:var(--good)}h1.bad{color:var(--bad)}\n"
    "h2{font-size:16px;margin:30px 0 8px}h2+p{margin:0 0 8px}\n"
    "p{margin:0;color:var(--dim);overflow-wrap:anywhere}\n"
    "code{font:13px/1.5 ui-monospace,monospace;color:var(--ink)}\n"
    ".tiles{display:grid;grid-template-columns:"
    "repeat(auto-fit,minmax(130px,1fr));gap:12px;margin:22px 0}\n"
    ".tile,.card{background:var(--card);border:1px solid var(--grid);"
    "border-radius:8px;padding:10px 14px}\n"
    ".tile b{display:block;font-size:22px;line-height:1.3}\n"
    ".tile span{color:var(--dim);font-size:13px}\n"
    ".card{overflow-x:auto}\n"
    "svg{display:block;width:100%;min-width:640px;height:auto}\n"
    "svg text{font:12px system-ui,sans-serif;fill:var(--dim)}\n"
    "svg .title{font-size:13px;fill:var(--ink);paint-order:stroke;"
    "stroke:var(--card);stroke-width:6px}\n"
    "svg .mark{fill:var(--fault);font-weight:600;text-anchor:middle}\n"
    ".grid{stroke:var(--grid)}.hint{fill:transparent}\n"
    ".hint:hover{fill:var(--ink);fill-opacity:.07}\n"
    ".fault{fill:var(--fault);fill-opacity:.14}"
    ".begin{fill:var(--fault);fill-opacity:.75}\n"
    ".area{fill:var(--rate);fill-opacity:.13}\n"
    ".line{fill:none;stroke-width:1.5;stroke-linejoin:round}\n"
    ".rate,.p50{stroke:var(--rate)}.p99{stroke:var(--p99)}"
    ".max{stroke:var(--max)}.lost{fill:var(--bad)}\n"
    "svg .rate-ink,svg .p50-ink{fill:var(--rate)}"
    "svg .p99-ink{fill:var(--p99)}svg .max-ink{fill:var(--dim)}"
    "svg .lost-ink{fill:var(--bad)}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "td,th{padding:4px 10px;text-align:right;border-top:1px solid var(--grid);"
    "white-space:nowrap;font-weight:400}\n"
    "tr:first-child>*{border-top:0;color:var(--dim)}\n"
    "tr>:first-child{text-align:left}\n"
    "td.text{text-align:left;white-space:normal;overflow-wrap:anywhere}\n"
    ".lost-row{color:var(--bad)}\n";

/* ---- the top ------------------------------------------------------------- */

static void
head(FILE *out, const struct options *o, const struct tally *total)
{
	uint64_t lost = tally_lost(total);

	fprintf(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	    "content=\"width=device-width\">\n<title>%" PRIu64 " lost: ",
	    lost);
	show_html(out, o->url);
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style);
}

static void
verdict(FILE *out, const struct record *r, const struct tally *total)
{
	uint64_t lost = tally_lost(total);
	char all[48], some[48];

	show_count(tally_requests(total), THIN, all);
	if (!r->reached)
		fputs("<h1 class=\"bad\">Never reachable</h1>\n", out);
	else if (lost == 0)
		fprintf(out, "<h1 class=\"good\">Nothing was lost of %s "
		    "requests</h1>\n", all);
	else
		fprintf(out, "<h1 class=\"bad\">%s of %s requests lost</h1>\n",
		    show_count(lost, THIN, some), all);
}

static void
subtitle(FILE *out, const struct options *o, const struct record *r)
{
	time_t now = time(NULL);
	struct tm tm;
	char date[32];

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &tm);
	fputs("<p><code>", out);
	show_html(out, options_method(o));
	putc(' ', out);
	show_html(out, o->url);
	fprintf(out, "</code></p>\n<p>%" PRId64 " client%s, %s connections, ",
	    o->clients, o->clients == 1 ? "" : "s", o->fresh ? "new" : "kept");
	if (o->rate > 0)
		fprintf(out, "%" PRId64 " requests a second", o->rate);
	else
		fputs("closed loop", out);
	fprintf(out, ", %.1f s%s; %s</p>\n",
	    (double)(r->end_us - r->begin_us) / 1e6,
	    r->interrupted ? ", ended early" : "", date);
}

static void
tile(FILE *out, const char *value, const char *unit, const char *name)
{
	fprintf(out, "<div class=\"tile\"><b>%s%s</b><span>%s</span></div>\n",
	    value, unit, name);
}

/* The latency of no answer is not 0. */
static void
tile_latency(FILE *out, const struct tally *total, uint64_t us,
    const char *name)
{
	char text[24];

	if (total->latency.count == 0)
		tile(out, "&ndash;", "", name);
	else
		tile(out, show_ms(us, text), " ms", name);
}

static void
tiles(FILE *out, const struct tally *total)
{
	double rate = tally_rate(total, 1);
	char text[48];

	fputs("<div class=\"tiles\">\n", out);
	tile(out, rate < 0 ? "&ndash;" : show_count((uint64_t)(rate + 0.5),
	    THIN, text), "", "answers a second");
	tile_latency(out, total, hist_at(&total->latency, 0.5), "p50");
	tile_latency(out, total, hist_at(&total->latency, 0.99), "p99");
	tile_latency(out, total, total->latency.max, "slowest");
	tile(out, show_ms((uint64_t)total->gap_us, text), " ms",
	    "worst gap");
	fputs("</div>\n", out);
}

/* ---- tables -------------------------------------------------------------- */

struct columns {
	const struct tally *of[1 + PHASES];
	int count;
};

static void
count_row(FILE *out, const char *name, const struct columns *c, int fate)
{
	char text[48];

	fprintf(out, "<tr%s><td>%s</td>",
	    fate == FATE_ANSWERED ? "" : " class=\"lost-row\"", name);
	for (int i = 0; i < c->count; i++)
		fprintf(out, "<td>%s</td>",
		    show_count(c->of[i]->fates[fate], THIN, text));
	fputs("</tr>\n", out);
}

static void
rate_row(FILE *out, const struct columns *c)
{
	fputs("<tr><td>answers a second</td>", out);
	for (int i = 0; i < c->count; i++) {
		double rate = tally_rate(c->of[i], i == 0);
		char text[48];

		fprintf(out, "<td>%s</td>", rate < 0 ? "&ndash;" :
		    show_count((uint64_t)(rate + 0.5), THIN, text));
	}
	fputs("</tr>\n", out);
}

static void
latency_row(FILE *out, const struct columns *c, const struct percentile *p)
{
	char text[24];

	fprintf(out, "<tr><td>%s</td>", p->name);
	for (int i = 0; i < c->count; i++) {
		const struct hist *h = &c->of[i]->latency;

		if (h->count == 0)
			fputs("<td>&ndash;</td>", out);
		else
			fprintf(out, "<td>%s ms</td>",
			    show_ms(hist_at(h, p->part), text));
	}
	fputs("</tr>\n", out);
}

static void
gap_row(FILE *out, const struct columns *c)
{
	char text[24];

	fputs("<tr><td>worst gap</td>", out);
	for (int i = 0; i < c->count; i++)
		fprintf(out, "<td>%s ms</td>",
		    show_ms((uint64_t)c->of[i]->gap_us, text));
	fputs("</tr>\n", out);
}

static void
phase_table(FILE *out, const struct record *r, const struct tally *total)
{
	struct columns c = {.count = r->runs.count > 0 ? 1 + PHASES : 1};

	c.of[0] = total;
	fputs("<h2>Requests</h2>\n<div class=\"card\"><table>\n<tr><th></th>"
	    "<th>whole</th>", out);
	for (int i = 0; i < PHASES; i++) {
		c.of[1 + i] = &r->phases[i];
		if (c.count > 1)
			fprintf(out, "<th>%s</th>", report_phases[i]);
	}
	fputs("</tr>\n", out);
	for (int fate = 0; fate < FATES; fate++)
		if (fate == FATE_ANSWERED || total->fates[fate] > 0)
			count_row(out, fate_words((enum fate)fate), &c, fate);
	rate_row(out, &c);
	for (int i = 0; i < REPORT_PERCENTILES; i++)
		latency_row(out, &c, &report_percentiles[i]);
	gap_row(out, &c);
	fputs("</table></div>\n", out);
}

static void
run_row(FILE *out, const struct run *run, uint64_t number, int64_t begin_us)
{
	fprintf(out, "<tr><td>%" PRIu64 "</td><td>%.3f s</td>", number,
	    (double)(run->start_us - begin_us) / 1e6);
	if (run->end_us < 0)
		fputs("<td>&ndash;</td><td class=\"text\">had not ended</td>"
		    "</tr>\n", out);
	else
		fprintf(out, "<td>%.3f s</td><td class=\"text\">%s</td></tr>\n",
		    (double)(run->end_us - run->start_us) / 1e6,
		    command_words(run->status));
}

static void
command_table(FILE *out, const struct options *o, const struct record *r)
{
	uint64_t shown = runs_kept(&r->runs);

	if (o->during == NULL)
		return;
	fputs("<h2>Command</h2>\n<p><code>", out);
	show_html(out, o->during);
	fprintf(out, "</code> ran %" PRIu64 " time%s, %" PRIu64 " failed</p>\n",
	    r->runs.count, r->runs.count == 1 ? "" : "s", r->runs.failed);
	if (shown == 0)
		return;
	fputs("<div class=\"card\"><table>\n<tr><th>run</th><th>began</th>"
	    "<th>took</th><th class=\"text\" style=\"text-align:left\">"
	    "ended with</th></tr>\n", out);
	for (uint64_t i = 0; i < shown && i < RUNS_SHOWN; i++)
		run_row(out, &r->runs.list[i], i + 1, r->begin_us);
	fputs("</table></div>\n", out);
}

static void
loss_table(FILE *out, const struct record *r)
{
	if (r->losses_kept == 0)
		return;
	fputs("<h2>First losses</h2>\n<div class=\"card\"><table>\n<tr>"
	    "<th>at</th><th style=\"text-align:left\">fate</th><th>status</th>"
	    "<th style=\"text-align:left\">id</th>"
	    "<th style=\"text-align:left\">detail</th></tr>\n", out);
	for (int i = 0; i < r->losses_kept; i++) {
		const struct loss *loss = &r->losses[i];
		char status[12] = "&ndash;";

		if (loss->status > 0)
			snprintf(status, sizeof(status), "%d", loss->status);
		fprintf(out, "<tr><td>%.3f s</td><td class=\"text\">%s</td>"
		    "<td>%s</td><td class=\"text\"><code>",
		    (double)loss->at_us / 1e6, fate_words(loss->fate), status);
		show_html(out, loss->id);
		fputs("</code></td><td class=\"text\">", out);
		show_html(out, loss->detail);
		fputs("</td></tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

void
page_write(FILE *out, const struct options *o, const struct record *r)
{
	struct tally *total = malloc(sizeof(*total));

	if (total == NULL)
		return;
	record_total(r, total);
	head(out, o, total);
	verdict(out, r, total);
	subtitle(out, o, r);
	tiles(out, total);
	fputs("<div class=\"card\">\n", out);
	chart_write(out, r);
	fputs("</div>\n", out);
	phase_table(out, r, total);
	command_table(out, o, r);
	loss_table(out, r);
	fputs("</body>\n</html>\n", out);
	free(total);
}
