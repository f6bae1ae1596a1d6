/* SPDX-License-Identifier: MIT */
#include "lib/status_page.h"

#include <string.h>

#include "base/clock.h"
#include "lib/history.h"
#include "lib/running.h"

/* status_page_text, STATUS_PAGE_POLICY: made of status.html */
#include "lib/status_page.inc"

#define RECENT_SAMPLES 10
#define SLOWEST 20

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
	    "status", report_status(r), "requests", running_json(r, SLOWEST),
	    "history", history_json(r->history, r, samples));
}

static json_t *
recent_document(const struct report *r)
{
	return live_document(r, RECENT_SAMPLES);
}

static json_t *
history_document(const struct report *r)
{
	return live_document(r, HISTORY_SAMPLES);
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
		json_t *(*document)(const struct report *r);
	} documents[] = {{"/status", report_status},
	    {"/status/recent.json", recent_document},
	    {"/status/history.json", history_document},
	    {"/status/requests.json", requests_document}};
	json_t *value;

	if (strcmp(ask->path, "/status") == 0 &&
	    strstr(ask->accept, "text/html") != NULL) {
		page_answer(a);
		return 1;
	}
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		if (strcmp(ask->path, documents[i].path) != 0)
			continue;
		value = documents[i].document(r);
		a->status = 200;
		a->type = "application/json";
		a->more = i == 0 ? "Vary: Accept\r\n" : NULL;
		a->body = value == NULL ? NULL
					: json_dumps(value, JSON_COMPACT);
		json_decref(value);
		return 1;
	}
	return 0;
}
