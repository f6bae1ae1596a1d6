/* SPDX-License-Identifier: MIT */
/*
 * nds-prove: the downtime meter.  Options, the load, the summaries; the exit
 * status is the verdict.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prove/load.h"
#include "prove/options.h"
#include "prove/page.h"
#include "prove/record.h"
#include "prove/report.h"
#include "prove/show.h"

enum { NOTHING_LOST = 0, LOST = 1, USAGE = 2, NEVER_REACHED = 3 };

static void
complain(const struct nds_error *err)
{
	fputs("nds-prove: ", stderr);
	show_safe(stderr, err->text);
	putc('\n', stderr);
}

static int
verdict(const struct record *r)
{
	uint64_t lost = 0;

	for (int i = 0; i < PHASES; i++)
		lost += tally_lost(&r->phases[i]);
	if (!r->reached)
		return NEVER_REACHED;
	return lost == 0 ? NOTHING_LOST : LOST;
}

/* The page is opened before the load: a file that cannot be written is said
 * at once. */
static FILE *
page_open(const struct options *o)
{
	FILE *page = o->html == NULL ? NULL : fopen(o->html, "we");
	struct nds_error err;

	if (o->html != NULL && page == NULL) {
		error_sys(&err, "--html %s", o->html);
		complain(&err);
	}
	return page;
}

static int
summaries(const struct options *o, const struct record *r, FILE *page)
{
	int wrong = 0;

	if (o->json)
		report_json(stdout, o, r);
	else
		report_text(stdout, o, r);
	if (page != NULL) {
		page_write(page, o, r);
		wrong = fflush(page) != 0 || ferror(page) != 0;
	}
	wrong |= fflush(stdout) != 0;
	if (wrong)
		fputs("nds-prove: the summary could not be written whole\n",
		    stderr);
	return wrong ? -1 : 0;
}

/* Whatever stops the load from this side is told, and proves nothing. */
static int
prove_with(const struct options *o, struct record *record, FILE *page)
{
	struct nds_error err = {""};
	int failed = load_run(o, record, &err) < 0, status = verdict(record);

	if (failed)
		complain(&err);
	if (failed && !record->reached)
		return USAGE;
	if (summaries(o, record, page) < 0 || failed)
		return status == NOTHING_LOST ? LOST : status;
	return status;
}

static int
prove(const struct options *o)
{
	struct record *record = malloc(sizeof(*record));
	FILE *page = page_open(o);
	int status = USAGE;

	if (record != NULL && (o->html == NULL || page != NULL))
		status = prove_with(o, record, page);
	if (page != NULL)
		fclose(page);
	free(record);
	return status;
}

int
main(int argc, char **argv)
{
	struct options o;
	struct nds_error err;
	int status = NOTHING_LOST;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (options_parse(&o, argc, (const char *const *)argv, &err) < 0) {
		complain(&err);
		status = USAGE;
	} else if (o.help) {
		options_help(stdout);
	} else if (o.version) {
		puts("nds-prove " NDS_VERSION);
	} else {
		status = prove(&o);
	}
	options_free(&o);
	curl_global_cleanup();
	return status;
}
