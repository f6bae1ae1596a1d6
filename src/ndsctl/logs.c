/* SPDX-License-Identifier: MIT */
#include "ndsctl/logs.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ndsctl/term.h"
#include "proto/exit.h"

#define POLL_MS 250

struct filter {
	int follow;
	int level; /* enum log_level, from which on */
	const char *request, *trace; /* NULL = any */
};

/* ---- one line ------------------------------------------------------------ */

/* The level of a line of either form; LOG_INFO when it is of neither. */
static int
level_of(const json_t *line, const char *text)
{
	static const char *const shouted[] = {"DEBUG", "INFO ", "WARN ",
	    "ERROR"};
	const char *name = json_string_value(json_object_get(line, "level"));
	const char *second = strchr(text, ' ');

	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		if (name != NULL && strcmp(name, log_levels[i]) == 0)
			return i;
		if (name == NULL && second != NULL &&
		    strncmp(second + 1, shouted[i], 5) == 0)
			return i;
	}
	return LOG_INFO;
}

/* Does the member hold that id?  In a line of text it ends at a blank. */
static int
has_id(const json_t *line, const char *text, const char *key, const char *id)
{
	const char *value = json_string_value(json_object_get(line, key));
	char begin[32];
	size_t bytes = strlen(id);

	if (id[0] == '\0' || line != NULL)
		return value != NULL && strcmp(value, id) == 0;
	snprintf(begin, sizeof(begin), " %s=", key);
	for (text = strstr(text, begin); text != NULL;
	    text = strstr(text, begin)) {
		text += strlen(begin);
		if (strncmp(text, id, bytes) == 0 &&
		    (text[bytes] == ' ' || text[bytes] == '\0'))
			return 1;
	}
	return 0;
}

static void
print_line(const struct filter *f, char *text)
{
	static const char *const colours[] = {"\033[2m", "", "\033[33m",
	    "\033[31m"};
	json_t *line = json_loads(text, 0, NULL);
	int level = level_of(line, text);
	int wanted = level >= f->level &&
	    (f->request == NULL ||
		has_id(line, text, "request_id", f->request)) &&
	    (f->trace == NULL || has_id(line, text, "trace_id", f->trace));
	const char *colour = term_colours(stdout) ? colours[level] : "";

	json_decref(line);
	if (wanted)
		printf("%s%s%s\n", colour, term_safe(text),
		    *colour == '\0' ? "" : "\033[0m");
}

static void
print_lines(const struct filter *f, const char *text)
{
	char line[LOG_LINE_MAX + 1];
	size_t bytes;

	for (; *text != '\0'; text += bytes + (text[bytes] == '\n')) {
		bytes = strcspn(text, "\n");
		snprintf(line, sizeof(line), "%.*s",
		    (int)(bytes < LOG_LINE_MAX ? bytes : LOG_LINE_MAX), text);
		print_line(f, line);
	}
}

/* ---- the verb ------------------------------------------------------------ */

/* Returns the index of a word in such a list, -1 when it is none. */
static int
level_named(const char *name)
{
	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++)
		if (strcmp(name, log_levels[i]) == 0)
			return i;
	return -1;
}

static int
filter_take(struct filter *f, const char *option, const char *value)
{
	if (strcmp(option, "--level") == 0)
		f->level = level_named(value);
	else if (strcmp(option, "--request") == 0)
		f->request = value;
	else if (strcmp(option, "--trace") == 0)
		f->trace = value;
	else
		return -1;
	return f->level < 0 ? -1 : 0;
}

static int
options(const struct command *c, struct filter *f)
{
	for (int i = 0; i < c->argc; i++) {
		if (strcmp(c->argv[i], "-f") == 0)
			f->follow = 1;
		else if (i + 1 == c->argc ||
		    filter_take(f, c->argv[i], c->argv[i + 1]) < 0)
			return command_wrong(c, "unknown option or value:",
			    c->argv[i]);
		else
			i++;
	}
	return EXIT_DONE;
}

/* Where the next call goes on: positions are the supervisor's that gave them,
 * and it may have been followed by another. */
struct position {
	json_int_t born, next;
};

static void
position_take(struct position *p, const json_t *data)
{
	p->born = json_integer_value(json_object_get(data, "born"));
	p->next = json_integer_value(json_object_get(data, "next"));
}

/* The supervisor keeps so much and no more. */
static void
tell_missed(const struct position *before, const struct position *now,
    size_t bytes)
{
	json_int_t missed = now->next - before->next - (json_int_t)bytes;

	if (before->born == now->born && missed > 0)
		fprintf(stderr, "ndsctl: logs: %" JSON_INTEGER_FORMAT
		    " bytes were missed: they came too fast\n", missed);
}

static void
show(const struct filter *f, struct position *at, const json_t *data)
{
	const char *text = json_string_value(json_object_get(data, "text"));
	struct position before = *at;

	text = text == NULL ? "" : text;
	position_take(at, data);
	tell_missed(&before, at, strlen(text));
	print_lines(f, text);
}

int
logs_run(const struct command *c)
{
	struct filter f = {.level = LOG_DEBUG};
	struct position at = {0, 0};
	char position[48] = "";
	int status = options(c, &f);
	json_t *data;

	while (status == EXIT_DONE) {
		data = NULL;
		status = command_call(c, position, COMMAND_ANSWER_MS, &data);
		if (status != EXIT_DONE)
			break;
		show(&f, &at, data);
		json_decref(data);
		snprintf(position, sizeof(position), "%" JSON_INTEGER_FORMAT
		    ":%" JSON_INTEGER_FORMAT, at.born, at.next);
		if (!f.follow || fflush(stdout) != 0)
			break;
		poll(NULL, 0, POLL_MS);
	}
	return status;
}
