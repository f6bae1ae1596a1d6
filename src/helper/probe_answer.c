/* SPDX-License-Identifier: MIT */
/* The health socket's HTTP: a few paths, GET and HEAD. */
#include "helper/probe_answer.h"

#include <stdlib.h>
#include <string.h>

#include "helper/ask.h"
#include "helper/exposition.h"
#include "helper/status_page.h"

/* Takes the reference. */
static void
answer_json(struct ask_answer *a, int status, const char *type, json_t *value)
{
	a->status = status;
	a->type = type;
	a->body = value == NULL ? NULL : json_dumps(value, JSON_COMPACT);
	json_decref(value);
}

static void
answer_problem(struct ask_answer *a, int status, const struct ask *ask,
    const char *detail)
{
	answer_json(a, status, "application/problem+json",
	    ask_problem(ask, status, detail));
}

static void
answer_metrics(struct ask_answer *a, const struct report *r,
    const struct ask *ask)
{
	int open = exposition_is_open(ask->accept);

	a->status = 200;
	a->type = open ? EXPOSITION_OPEN_TYPE : EXPOSITION_TYPE;
	a->more = "Vary: Accept\r\n";
	a->body = report_metrics(r, open);
}

typedef int (*probe)(const struct report *r, json_t **body);

static void
answer_path(struct ask_answer *a, const struct report *r, const struct ask *ask)
{
	static const struct {
		const char *path;
		probe probe;
	} probes[] = {{"/live", report_live}, {"/ready", report_ready},
	    {"/startup", report_startup}};
	json_t *body = NULL;
	int status;

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
		if (strcmp(ask->path, probes[i].path) == 0) {
			status = probes[i].probe(r, &body);
			answer_json(a, status, "application/json", body);
			return;
		}
	if (status_page(a, r, ask))
		return;
	if (strcmp(ask->path, "/metrics") == 0) {
		answer_metrics(a, r, ask);
	} else {
		answer_problem(a, 404, ask, "here are /live, /ready, /startup, "
		    "/metrics and /status");
	}
}

static void
answer_make(struct ask_answer *a, const struct report *r, const struct ask *ask)
{
	if (ask->method[0] == '\0')
		answer_problem(a, 400, ask, "no REQUEST_METHOD");
	else if (strcmp(ask->method, "GET") == 0 ||
	    strcmp(ask->method, "HEAD") == 0)
		answer_path(a, r, ask);
	else
		answer_problem(a, 405, ask, "GET and HEAD alone");
	if (a->status == 405)
		a->more = "Allow: GET, HEAD\r\n";
}

uint8_t *
probe_answer(const struct report *r, const struct wire_scan *scan,
    const uint8_t *raw, size_t *bytes)
{
	struct ask_answer a = {0};
	struct ask ask;
	uint8_t *out;

	ask_read(&ask, scan, raw);
	answer_make(&a, r, &ask);
	if (a.body == NULL)
		return NULL;
	out = ask_answer(&ask, &a, scan->request_id, bytes);
	free(a.body);
	return out;
}
