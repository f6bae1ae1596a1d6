/* SPDX-License-Identifier: MIT */
#include "ndsctl/requests.h"

#include <inttypes.h>
#include <string.h>

#include "ndsctl/field.h"
#include "ndsctl/term.h"
#include "proto/exit.h"

const char *
requests_time(int64_t ms, char text[REQUESTS_TIME])
{
	if (ms < 1000)
		snprintf(text, REQUESTS_TIME, "%" PRId64 " ms", ms);
	else if (ms < 60000)
		snprintf(text, REQUESTS_TIME, "%" PRId64 ".%" PRId64 " s",
		    ms / 1000, ms / 100 % 10);
	else
		snprintf(text, REQUESTS_TIME, "%" PRId64 " m %02" PRId64 " s",
		    ms / 60000, ms / 1000 % 60);
	return text;
}

static void
print_one(const json_t *q, FILE *out)
{
	char age[REQUESTS_TIME], left[REQUESTS_TIME], id[65], client[64];
	char method[32], path[512];
	int64_t left_ms = field_number(q, "left_ms");

	fprintf(out, "%10s %10s %6" PRId64 " %8" PRId64 "  %-15s  %-32s  "
	    "%s %s%s\n", requests_time(field_number(q, "age_ms"), age),
	    left_ms > 0 ? requests_time(left_ms, left) : "-",
	    field_number(q, "slot"), field_number(q, "pid"),
	    field_word(q, "client", client, sizeof(client)),
	    field_word(q, "request_id", id, sizeof(id)),
	    field_word(q, "method", method, sizeof(method)),
	    field_word(q, "path", path, sizeof(path)),
	    field_number(q, "tries") > 0 ? " (replayed)" : "");
}

void
requests_print(const json_t *requests, size_t most, FILE *out)
{
	size_t count = json_array_size(requests);

	if (count == 0 && term_is_terminal(out)) {
		fputs("nothing under way\n", out);
		return;
	}
	fprintf(out, "%10s %10s %6s %8s  %-15s  %-32s  %s\n", "AGE", "LEFT",
	    "WORKER", "PID", "CLIENT", "ID", "REQUEST");
	for (size_t i = 0; i < count && i < most; i++)
		print_one(json_array_get(requests, i), out);
}

int
requests_run(const struct command *c)
{
	int as_json = c->argc == 1 && strcmp(c->argv[0], "--json") == 0;
	json_t *data, *list;
	int status;

	if (c->argc > as_json)
		return command_wrong(c, "unknown argument", c->argv[0]);
	status = command_get(c, "/status/requests.json", &data);
	if (status != EXIT_DONE)
		return status;
	list = json_object_get(data, "requests");
	if (as_json) {
		json_dumpf(list, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else {
		requests_print(list, SIZE_MAX, stdout);
	}
	json_decref(data);
	return EXIT_DONE;
}
