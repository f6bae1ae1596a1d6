/* SPDX-License-Identifier: MIT */
#include "ndsctl/logs.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ndsctl/term.h"
#include "proto/exit.h"

#define POLL_MS 250

struct filter {
	int follow;
	int level; /* enum log_level, from which on */
	const char *request, *trace; /* NULL = any */
	int found; /* 1: there was a line of them */
};

/* ---- one line ------------------------------------------------------------ */

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
print_line(struct filter *f, char *text)
{
	static const char *const colours[] = {"\033[2m", "", "\033[33m",
	    "\033[31m"};
	json_t *line = f->request || f->trace ? json_loads(text, 0, NULL)
					      : NULL;
	const char *message;
	int level = (int)log_line_level(text, strlen(text), &message);
	int wanted = level >= f->level &&
	    (f->request == NULL ||
		has_id(line, text, "request_id", f->request)) &&
	    (f->trace == NULL || has_id(line, text, "trace_id", f->trace));
	const char *colour = term_colours(stdout) ? colours[level] : "";

	json_decref(line);
	f->found |= wanted;
	if (wanted)
		printf("%s%s%s\n", colour, term_safe(text),
		    *colour == '\0' ? "" : "\033[0m");
}

static void
print_lines(struct filter *f, const char *text)
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
	return 0;
}

/* Returns NULL, or what is wrong with this one. */
static const char *
wrong_option(struct filter *f, const char *option, const char *value)
{
	if (strcmp(option, "-f") == 0)
		f->follow = 1;
	else if (filter_take(f, option, value == NULL ? "" : value) < 0)
		return "unknown option";
	else if (value == NULL)
		return "a value is missing behind";
	return NULL;
}

static int
options(const struct command *c, struct filter *f)
{
	for (int i = 0; i < c->argc; i++) {
		const char *option = c->argv[i], *why;
		const char *value = i + 1 < c->argc ? c->argv[i + 1] : NULL;

		why = wrong_option(f, option, value);
		if (why != NULL)
			return command_wrong(c, why, option);
		if (f->level < 0)
			return command_wrong(c, "--level is debug, info, warn "
						"or error, not", value);
		i += strcmp(option, "-f") != 0;
	}
	return EXIT_DONE;
}

/* Where the next call goes on: positions are those of the log that was born
 * then, and another ndsd may have followed. */
struct position {
	json_int_t born, next, lines;
};

static json_int_t
whole(const json_t *data, const char *key)
{
	return json_integer_value(json_object_get(data, key));
}

static json_int_t
count_lines(const char *text)
{
	json_int_t lines = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		lines++;
	return lines;
}

/* ndsd keeps so much and no more. */
static void
tell_missed(const struct position *before, const struct position *now,
    const char *text)
{
	json_int_t missed = now->lines - before->lines - count_lines(text);

	if (before->born == now->born && missed > 0)
		fprintf(stderr, "ndsctl: logs: %" JSON_INTEGER_FORMAT
		    " lines were missed: they came too fast\n", missed);
}

/* The time of the line that text begins with; it may have none. */
static const char *
time_of(const char *text, char stamp[CLOCK_STAMP_BYTES])
{
	size_t begin = text[0] == '{' ? strlen("{\"time\":\"") : 0;

	if (strcspn(text, "\n") < begin + CLOCK_STAMP_BYTES)
		return *text == '\0' ? "now" : "?";
	snprintf(stamp, CLOCK_STAMP_BYTES, "%s", text + begin);
	return term_safe(stamp);
}

/* Somebody has asked for a request or a trace, and there is no line of it. */
static int
in_vain(const struct filter *f)
{
	return !f->follow && !f->found && (f->request || f->trace);
}

static void
tell_vain(const struct filter *f)
{
	char id[96];

	snprintf(id, sizeof(id), "%s", f->request ? f->request : f->trace);
	fprintf(stderr, "no line of %s%s%s; a request that runs has none yet, "
			"one refused by the queue's limit only at "
			"APP_LOG_LEVEL=debug; ",
	    term_safe(id), f->request && f->trace ? " in that trace" : "",
	    f->level > LOG_DEBUG ? " from that level on" : "");
}

/* How far back the log reaches.  Of the first `older` bytes only warnings and
 * errors are left. */
static void
tell_reach(const struct filter *f, const char *text, size_t older)
{
	char all[CLOCK_STAMP_BYTES], some[CLOCK_STAMP_BYTES];

	fputs("ndsctl: logs: ", stderr);
	if (in_vain(f))
		tell_vain(f);
	fprintf(stderr, "the log reaches back to %s",
	    time_of(text + older, all));
	if (older > 0)
		fprintf(stderr, ", its warnings and errors to %s",
		    time_of(text, some));
	fputc('\n', stderr);
}

static void
show(struct filter *f, struct position *at, const json_t *data)
{
	const char *text = json_string_value(json_object_get(data, "text"));
	struct position before = *at;
	size_t older = (size_t)whole(data, "older");

	text = text == NULL ? "" : text;
	*at = (struct position){whole(data, "born"), whole(data, "next"),
	    whole(data, "lines")};
	tell_missed(&before, at, text);
	print_lines(f, text);
	if (before.born != at->born && fflush(stdout) == 0)
		tell_reach(f, text, older < strlen(text) ? older : 0);
}

int
logs_run(const struct command *c)
{
	struct filter f = {.level = LOG_DEBUG};
	struct position at = {0, 0, 0};
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
		if (in_vain(&f))
			status = EXIT_REFUSED;
		snprintf(position, sizeof(position), "%" JSON_INTEGER_FORMAT
		    ":%" JSON_INTEGER_FORMAT, at.born, at.next);
		if (!f.follow || fflush(stdout) != 0)
			break;
		poll(NULL, 0, POLL_MS);
	}
	return status;
}
