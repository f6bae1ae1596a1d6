/* SPDX-License-Identifier: MIT */
#include "ndsctl/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ndsctl/probe.h"
#include "ndsctl/term.h"
#include "proto/control.h"
#include "proto/exit.h"

int
command_wrong(const struct command *c, const char *what, const char *arg)
{
	char text[64];

	snprintf(text, sizeof(text), "%s", arg);
	fprintf(stderr, "ndsctl: %s: %s%s%s%s; try `ndsctl %s --help`\n",
	    c->verb, what, *arg == '\0' ? "" : " '", term_safe(text),
	    *arg == '\0' ? "" : "'", c->verb);
	return EXIT_USAGE;
}

/* What a program said before it failed. */
static void
show_said(const json_t *data)
{
	const char *text = json_string_value(json_object_get(data, "said"));
	char *said = text == NULL ? NULL : strdup(text), *line, *rest = said;

	if (said != NULL && *said != '\0')
		fputs("It said last:\n", stderr);
	while (rest != NULL && (line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			fprintf(stderr, "    %s\n", term_safe(line));
	free(said);
}

int
command_call(const struct command *c, const char *arg, int timeout_ms,
    json_t **data)
{
	const char *args[] = {arg, NULL};
	struct control_request request = {.runtime_dir = c->dir,
	    .verb = c->verb,
	    .args = args,
	    .timeout_ms = timeout_ms,
	    .progress = term_progress};
	struct nds_error err = {""};
	json_t *more = NULL;
	int result = control_call(&request, data == NULL ? &more : data, &err);

	term_progress_end();
	if (result == 0) {
		json_decref(more);
		return EXIT_DONE;
	}
	fprintf(stderr, "ndsctl: %s: %s\n", c->verb, term_safe(err.text));
	show_said(data == NULL ? more : *data);
	json_decref(more);
	return result < 0 ? EXIT_NO_SUPERVISOR : EXIT_REFUSED;
}

/* As probe_get(), and *data the document of a 200, else NULL. */
static int
get(const struct command *c, const char *path, json_t **data,
    struct nds_error *err)
{
	char *body = malloc(PROBE_BYTES);
	int status = -1;

	*data = NULL;
	if (body == NULL)
		return error_set(err, "no memory");
	status = probe_get(c->dir, path, body, PROBE_BYTES, err);
	if (status == 200)
		*data = json_loads(body, 0, NULL);
	free(body);
	return status;
}

json_t *
command_look(const struct command *c, const char *path)
{
	struct nds_error err;
	json_t *data;

	get(c, path, &data, &err);
	return data;
}

int
command_get(const struct command *c, const char *path, json_t **data)
{
	struct nds_error err = {""};
	int status = get(c, path, data, &err);

	if (*data != NULL)
		return EXIT_DONE;
	if (status > 0)
		fprintf(stderr, "ndsctl: %s: the health responder has no %s "
		    "(status %d)\n", c->verb, path, status);
	else
		fprintf(stderr, "ndsctl: %s: %s\n", c->verb,
		    term_safe(err.text));
	return status == 0 ? EXIT_NO_SUPERVISOR : EXIT_REFUSED;
}
