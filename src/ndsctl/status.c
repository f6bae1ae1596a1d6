/* SPDX-License-Identifier: MIT */
#include "ndsctl/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ndsctl/field.h"
#include "ndsctl/table.h"
#include "ndsctl/term.h"
#include "ndsctl/trouble.h"
#include "proto/exit.h"

/* Nobody answers for ndsd; that is no outage as long as workers serve. */
static void
tell_without(const struct command *c)
{
	json_t *health = command_look(c, "/status");

	if (health == NULL)
		return;
	trouble_print(health, term_colours(stderr), stderr);
	fprintf(stderr, "workers: %" PRId64 " of %" PRId64 " ready, as the "
	    "health responder says; see `ndsctl top`\n",
	    field_number(health, "ready"), field_number(health, "wanted"));
	json_decref(health);
}

static void
print_table(const struct command *c, const json_t *data)
{
	json_t *health = command_look(c, "/status");

	table_print(data, health, term_colours(stdout), stdout);
	json_decref(health);
}

int
status_run(const struct command *c)
{
	int as_json = c->argc == 1 && strcmp(c->argv[0], "--json") == 0;
	json_t *data = NULL;
	int status;

	if (c->argc > as_json)
		return command_wrong(c, "unknown argument", c->argv[0]);
	status = command_call(c, NULL, COMMAND_ANSWER_MS, &data);
	if (status != EXIT_DONE) {
		tell_without(c);
	} else if (!json_is_object(data)) {
		fprintf(stderr, "ndsctl: status: ndsd sent none\n");
		status = EXIT_REFUSED;
	} else if (as_json) {
		json_dumpf(data, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else {
		print_table(c, data);
	}
	json_decref(data);
	return status;
}
