/* SPDX-License-Identifier: MIT */
#include "prove/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "base/num.h"
#include "prove/given.h"

#define CLIENTS_MAX 10000
#define RATE_MAX 1000000
#define COUNT_MAX INT64_C(1000000000000)
#define DAY_MS INT64_C(86400000)

/* One option: it sets a flag (value is NULL) or takes a value. */
struct row {
	const char *group; /* begins here; NULL = goes on */
	char letter;	   /* 0 = none */
	const char *name, *value, *help;
	int (*take)(struct options *o, const char *value,
	    struct nds_error *err);
	size_t flag; /* offset of an int in struct options */
};
#define FLAG(member) NULL, offsetof(struct options, member)

/* ---- what values look like ----------------------------------------------- */

static int
take_time(const char *name, const char *value, int64_t least_ms, int64_t *ms,
    struct nds_error *err)
{
	if (num_time_ms(value, least_ms, DAY_MS, ms) == 0)
		return 0;
	return error_set(err, "%s '%s': a time from %lldms to 24 hours, such "
	    "as 500ms, 10s or 5m", name, value, (long long)least_ms);
}

static int
take_whole(const char *name, const char *value, int64_t most, int64_t *number,
    struct nds_error *err)
{
	if (num_whole(value, 1, most, number) == 0)
		return 0;
	return error_set(err, "%s '%s': a whole number from 1 to %lld", name,
	    value, (long long)most);
}

static int
take_clients(struct options *o, const char *value, struct nds_error *err)
{
	return take_whole("--clients", value, CLIENTS_MAX, &o->clients, err);
}

static int
take_rate(struct options *o, const char *value, struct nds_error *err)
{
	return take_whole("--rate", value, RATE_MAX, &o->rate, err);
}

static int
take_duration(struct options *o, const char *value, struct nds_error *err)
{
	return take_time("--duration", value, 1, &o->duration_ms, err);
}

static int
take_count(struct options *o, const char *value, struct nds_error *err)
{
	return take_whole("--count", value, COUNT_MAX, &o->count, err);
}

static int
take_timeout(struct options *o, const char *value, struct nds_error *err)
{
	int64_t ms;

	if (take_time("--timeout", value, 1, &ms, err) < 0)
		return -1;
	o->rules.timeout_us = ms * 1000;
	return 0;
}

static int
take_method(struct options *o, const char *value, struct nds_error *err)
{
	if (!given_token(value))
		return error_set(err, "--request '%s': a method such as GET, "
		    "PUT or DELETE", value);
	o->method = value;
	return 0;
}

static int
take_header(struct options *o, const char *value, struct nds_error *err)
{
	if (o->header_count == HEADERS_MAX)
		return error_set(err, "--header: at most %d of them",
		    HEADERS_MAX);
	if (!given_header(value))
		return error_set(err, "--header '%s': 'Name: value', in one "
		    "line", value);
	o->headers[o->header_count++] = value;
	return 0;
}

static int
take_data(struct options *o, const char *value, struct nds_error *err)
{
	if (o->body != NULL)
		return error_set(err, "--data: the request has a body already; "
		    "one of --data and --data-file, once");
	o->body_bytes = strlen(value);
	o->body = value;
	return 0;
}

static int
take_data_file(struct options *o, const char *value, struct nds_error *err)
{
	if (o->body != NULL)
		return error_set(err, "--data-file: the request has a body "
		    "already; one of --data and --data-file, once");
	o->body = o->file = given_file(value, &o->body_bytes, err);
	return o->body == NULL ? -1 : 0;
}

static int
take_statuses(struct options *o, const char *value, struct nds_error *err)
{
	if (options_statuses(value, o->rules.ok) == 0)
		return 0;
	return error_set(err, "--ok-status '%s': statuses from 200 to 599, "
	    "ranges and classes with commas between, such as "
	    "200,204,3xx,500-502", value);
}

static int
take_hash(struct options *o, const char *value, struct nds_error *err)
{
	if (given_hex(value, o->hash, HASH_BYTES) < 0)
		return error_set(err, "--hash '%s': the SHA-256 of the body "
		    "as 64 hexadecimal digits", value);
	return o->hash_given = 1, 0;
}

static int
take_during(struct options *o, const char *value, struct nds_error *err)
{
	if (value[strspn(value, " \t\n")] == '\0')
		return error_set(err, "--during '': a command for sh -c");
	return o->during = value, 0;
}

static int
take_every(struct options *o, const char *value, struct nds_error *err)
{
	return take_time("--every", value, 1, &o->every_ms, err);
}

static int
take_lead(struct options *o, const char *value, struct nds_error *err)
{
	return take_time("--lead", value, 0, &o->lead_ms, err);
}

static int
take_html(struct options *o, const char *value, struct nds_error *err)
{
	if (*value == '\0')
		return error_set(err, "--html '': the name of a file");
	return o->html = value, 0;
}

static int
take_each(struct options *o, const char *value, struct nds_error *err)
{
	if (*value == '\0')
		return error_set(err, "--each '': the name of a file");
	return o->each = value, 0;
}

static const struct row rows[] = {
	{"Load", 'c', "clients", "N", "clients at once, 1 to 10000; default 8",
	    take_clients, 0},
	{NULL, 0, "new", NULL, "a new connection for each request",
	    FLAG(fresh)},
	{NULL, 0, "rate", "R", "open loop: R requests a second at fixed times; "
	    "default:\na closed loop, each client asks when it was answered",
	    take_rate, 0},
	{NULL, 'd', "duration", "TIME", "how long; default 10s",
	    take_duration, 0},
	{NULL, 'n', "count", "N", "how many requests, in place of how long",
	    take_count, 0},
	{"Request", 'X', "request", "METHOD",
	    "default GET, or POST when there is a body", take_method, 0},
	{NULL, 'H', "header", "TEXT", "'Name: value', as often as wanted",
	    take_header, 0},
	{NULL, 0, "data", "TEXT", "the body", take_data, 0},
	{NULL, 0, "data-file", "FILE", "the body from a file, up to 256m",
	    take_data_file, 0},
	{NULL, 'k', "insecure", NULL, "https: take any certificate",
	    FLAG(insecure)},
	{"What counts as lost", 0, "timeout", "TIME",
	    "no whole answer within; default 10s", take_timeout, 0},
	{NULL, 0, "ok-status", "LIST", "good statuses; default 2xx,3xx",
	    take_statuses, 0},
	{NULL, 0, "hash", "HEX", "each body must have this SHA-256",
	    take_hash, 0},
	{NULL, 0, "expect-hash-of-first", NULL,
	    "each body must be that of the first good answer",
	    FLAG(hash_of_first)},
	{NULL, 0, "ids", NULL, "each answer must carry its request's "
	    "X-Request-Id", FLAG(rules.ids)},
	{"Fault", 0, "during", "COMMAND", "run it (sh -c) under the load, "
	    "after the lead-in;\nthe load goes on until it has ended, and the "
	    "lead-in's time more", take_during, 0},
	{NULL, 0, "every", "TIME", "run it again and again", take_every, 0},
	{NULL, 0, "lead", "TIME", "the quiet before it; default 1s",
	    take_lead, 0},
	{"Output", 0, "json", NULL, "the summary as one JSON object",
	    FLAG(json)},
	{NULL, 0, "html", "FILE", "a page with the timeline", take_html, 0},
	{NULL, 0, "each", "FILE", "a line for each request", take_each, 0},
	{NULL, 'h', "help", NULL, "print this", FLAG(help)},
	{NULL, 0, "version", NULL, "print the version", FLAG(version)}};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* ---- the help ------------------------------------------------------------ */

static void
row_print(const struct row *row, FILE *out)
{
	char left[40], letter[5] = "";

	if (row->group != NULL)
		fprintf(out, "\n%s:\n", row->group);
	if (row->letter != 0)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(left, sizeof(left), "%4s--%s%s%s", letter, row->name,
	    row->value == NULL ? "" : " ",
	    row->value == NULL ? "" : row->value);
	fprintf(out, "  %-26s ", left);
	for (const char *s = row->help; *s != '\0'; s++) {
		putc(*s, out);
		if (*s == '\n')
			fprintf(out, "%29s", "");
	}
	putc('\n', out);
}

void
options_help(FILE *out)
{
	fputs("usage: nds-prove [OPTION ...] URL\n\n"
	    "Puts load on URL and counts what becomes of each request.\n", out);
	for (size_t i = 0; i < ROWS; i++)
		row_print(&rows[i], out);
	fputs("\nExit status: 0 nothing was lost, 1 something was, 2 usage, "
	    "3 never reachable.\n", out);
}

/* ---- the arguments ------------------------------------------------------- */

static const struct row *
row_of_letter(char letter)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

static const struct row *
row_of_name(const char *name, size_t bytes)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strlen(rows[i].name) == bytes &&
		    memcmp(rows[i].name, name, bytes) == 0)
			return &rows[i];
	return NULL;
}

static int
unknown(const char *arg, size_t bytes, struct nds_error *err)
{
	const char *names[ROWS], *near;
	char name[32];

	for (size_t i = 0; i < ROWS; i++)
		names[i] = rows[i].name;
	snprintf(name, sizeof(name), "%.*s", (int)(bytes < 31 ? bytes : 31),
	    arg + strspn(arg, "-"));
	near = near_word(name, names, ROWS);
	if (near != NULL)
		return error_set(err, "there is no option %s; did you mean "
		    "--%s?", arg, near);
	return error_set(err, "there is no option %s; try `nds-prove --help`",
	    arg);
}

/* argv[*at] is an option, its value perhaps behind it. */
static int
take_option(struct options *o, const char *const *argv, int *at,
    struct nds_error *err)
{
	const char *arg = argv[*at], *value = NULL;
	const struct row *row;
	size_t bytes;

	if (arg[1] == '-') {
		bytes = strcspn(arg + 2, "=");
		row = row_of_name(arg + 2, bytes);
		if (arg[2 + bytes] == '=')
			value = arg + 3 + bytes;
	} else {
		bytes = strlen(arg + 1);
		row = row_of_letter(arg[1]);
		if (bytes > 1)
			value = arg + 2;
	}
	if (row == NULL)
		return unknown(arg, bytes, err);
	if (row->value == NULL && value != NULL)
		return error_set(err, "--%s takes no value", row->name);
	if (row->value != NULL && value == NULL)
		value = argv[++*at];
	if (row->value != NULL && value == NULL)
		return error_set(err, "--%s wants a value: %s", row->name,
		    row->value);
	if (row->take != NULL)
		return row->take(o, value, err);
	*(int *)(void *)((char *)o + row->flag) = 1;
	return 0;
}

/* What options say together. */
static int
agree(const struct options *o, struct nds_error *err)
{
	if (o->url == NULL)
		return error_set(err, "which URL? try `nds-prove --help`");
	if (o->every_ms > 0 && o->during == NULL)
		return error_set(err, "--every wants a command: --during");
	if (o->hash_given && o->hash_of_first)
		return error_set(err, "one of --hash and "
		    "--expect-hash-of-first");
	if (strcmp(options_method(o), "HEAD") == 0 &&
	    (o->body != NULL || o->hash_given))
		return error_set(err, "a HEAD has no body: no --data, no "
		    "--hash");
	for (int i = 0; o->rules.ids && i < o->header_count; i++)
		if (strncasecmp(o->headers[i], "x-request-id:", 13) == 0)
			return error_set(err, "--ids sends X-Request-Id "
			    "itself: leave the --header out");
	return given_url(o->url, err);
}

int
options_parse(struct options *o, int argc, const char *const *argv,
    struct nds_error *err)
{
	int only = 0; /* "--" was seen: no more options */

	memset(o, 0, sizeof(*o));
	o->clients = 8;
	o->duration_ms = 10000;
	o->lead_ms = 1000;
	o->rules.timeout_us = 10000000;
	options_statuses("2xx,3xx", o->rules.ok);
	for (int i = 1; i < argc; i++) {
		if (!only && strcmp(argv[i], "--") == 0) {
			only = 1;
			continue;
		}
		if (!only && argv[i][0] == '-' && argv[i][1] != '\0') {
			if (take_option(o, argv, &i, err) < 0)
				return -1;
			continue;
		}
		if (o->url != NULL)
			return error_set(err, "one URL at a time: '%s' is one "
			    "too many", argv[i]);
		o->url = argv[i];
	}
	return o->help || o->version ? 0 : agree(o, err);
}

void
options_free(struct options *o)
{
	free(o->file);
	o->body = o->file = NULL;
}

const char *
options_method(const struct options *o)
{
	if (o->method != NULL)
		return o->method;
	return o->body == NULL ? "GET" : "POST";
}

/* ---- --ok-status --------------------------------------------------------- */

/* Reads "204" or "2xx" at *at: the first and last status of it. */
static int
status_read(const char **at, int range[2])
{
	const char *s = *at;

	if (*s < '2' || *s > '5')
		return -1;
	if (strncasecmp(s + 1, "xx", 2) == 0) {
		range[0] = (*s - '0') * 100;
		range[1] = range[0] + 99;
	} else if (isdigit((unsigned char)s[1]) &&
	    isdigit((unsigned char)s[2])) {
		range[0] = range[1] = (s[0] - '0') * 100 + (s[1] - '0') * 10 +
		    s[2] - '0';
	} else {
		return -1;
	}
	*at = s + 3;
	return 0;
}

int
options_statuses(const char *text, unsigned char ok[STATUS_END])
{
	unsigned char good[STATUS_END] = {0};
	int range[2], to[2];

	for (;; text++) {
		if (status_read(&text, range) < 0)
			return -1;
		if (*text == '-') {
			text++;
			if (status_read(&text, to) < 0 || to[1] < range[0])
				return -1;
			range[1] = to[1];
		}
		memset(good + range[0], 1, (size_t)(range[1] - range[0] + 1));
		if (*text != ',')
			break;
	}
	if (*text != '\0')
		return -1;
	memcpy(ok, good, STATUS_END);
	return 0;
}
