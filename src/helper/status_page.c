/* SPDX-License-Identifier: MIT */
#include "helper/status_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "helper/history.h"
#include "helper/running.h"
#include "helper/trouble.h"

/* status_page_text, STATUS_PAGE_POLICY: made of status.html */
#include "helper/status_page.inc"

#define RECENT_SAMPLES 10
#define SLOWEST 20

/* What is, and what of it is not well. */
static json_t *
status_document(const struct report *r)
{
	json_t *status = report_status(r);

	json_object_set_new(status, "trouble", trouble_list(r));
	return status;
}

static json_t *
requests_document(const struct report *r)
{
	return json_pack("{s:o}", "requests", running_json(r,
	    BOARD_SLOTS_MAX));
}

static json_t *
live_document(const struct report *r, uint32_t samples)
{
	char stamp[CLOCK_STAMP_BYTES];

	if (r->history == NULL)
		return NULL;
	clock_stamp(stamp);
	return json_pack("{s:s, s:o, s:o, s:o}", "time", stamp,
	    "status", status_document(r), "requests", running_json(r, SLOWEST),
	    "history", history_json(r->history, r, samples));
}

/* Takes the reference.  Text to be freed, NULL without memory. */
static char *
text_of(json_t *document)
{
	char *text = document == NULL ? NULL
				      : json_dumps(document, JSON_COMPACT);

	json_decref(document);
	return text;
}

static char *
status_text(const struct report *r)
{
	return text_of(status_document(r));
}

static char *
requests_text(const struct report *r)
{
	return text_of(requests_document(r));
}

static char *
recent_text(const struct report *r)
{
	return text_of(live_document(r, RECENT_SAMPLES));
}

/* Made once a sample, however many ask: it takes milliseconds, and probes wait
 * meanwhile. */
static char *
history_text(const struct report *r)
{
	static uint64_t samples;
	static char *text;

	if (r->history == NULL)
		return NULL;
	if (text == NULL || samples != r->history->samples) {
		free(text);
		text = text_of(live_document(r, HISTORY_SAMPLES));
		samples = r->history->samples;
	}
	return text == NULL ? NULL : strdup(text);
}

/* Nothing that the page shows may make it load, run or frame anything. */
static void
page_answer(struct ask_answer *a)
{
	a->status = 200;
	a->type = "text/html; charset=utf-8";
	a->more = "Content-Security-Policy: " STATUS_PAGE_POLICY "\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Referrer-Policy: no-referrer\r\nVary: Accept\r\n";
	a->body = strdup(status_page_text);
}

int
status_page(struct ask_answer *a, const struct report *r, const struct ask *ask)
{
	static const struct {
		const char *path;
		char *(*text)(const struct report *r);
	} documents[] = {{"/status", status_text},
	    {"/status/recent.json", recent_text},
	    {"/status/history.json", history_text},
	    {"/status/requests.json", requests_text}};

	if (strcmp(ask->path, "/status") == 0 &&
	    strstr(ask->accept, "text/html") != NULL) {
		page_answer(a);
		return 1;
	}
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		if (strcmp(ask->path, documents[i].path) != 0)
			continue;
		a->status = 200;
		a->type = "application/json";
		a->more = i == 0 ? "Vary: Accept\r\n" : NULL;
		a->body = documents[i].text(r);
		return 1;
	}
	return 0;
}
