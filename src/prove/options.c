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

/* One option: value is NULL where it takes none. */
struct row {
	const char *name, *value;
	char letter; /* 0 = none */
	const char *help;
	int (*take)(struct options *o, const char *value,
	    struct nds_error *err);
};

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
take_new(struct options *o, const char *value, struct nds_error *err)
{
	(void)value;
	(void)err;
	return o->fresh = 1, 0;
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
	o->body = (char *)(uintptr_t)value;
	return 0;
}

static int
take_data_file(struct options *o, const char *value, struct nds_error *err)
{
	if (o->body != NULL)
		return error_set(err, "--data-file: the request has a body "
		    "already; one of --data and --data-file, once");
	o->file = o->body = given_file(value, &o->body_bytes, err);
	return o->body == NULL ? -1 : 0;
}

static int
take_insecure(struct options *o, const char *value, struct nds_error *err)
{
	(void)value;
	(void)err;
	return o->insecure = 1, 0;
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
take_first(struct options *o, const char *value, struct nds_error *err)
{
	(void)value;
	(void)err;
	return o->hash_of_first = 1, 0;
}

static int
take_ids(struct options *o, const char *value, struct nds_error *err)
{
	(void)value;
	(void)err;
	return o->rules.ids = 1, 0;
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
take_json(struct options *o, const char *value, struct nds_error *err)
{
	(void)value;
	(void)err;
	return o->json = 1, 0;
}

static int
take_html(struct options *o, const char *value, struct nds_error *err)
{
	if (*value == '\0')
		return error_set(err, "--html '': the name of a file");
	return o->html = value, 0;
}

static int
take_help(struct options *o, const char *value, struct nds_error *err)
{
	(void)value;
	(void)err;
	return o->help = 1, 0;
}

static int
take_version(struct options *o, const char *value, struct nds_error *err)
{
	(void)value;
	(void)err;
	return o->version = 1, 0;
}

static const struct row rows[] = {
	{"clients", "N", 'c', "Load:\0"
	    "clients at once, 1 to 10000; default 8", take_clients},
	{"new", NULL, 0, "a new connection for each request", take_new},
	{"rate", "R", 0, "open loop: R requests a second at fixed times; "
	    "default:\na closed loop, each client asks when it was answered",
	    take_rate},
	{"duration", "TIME", 'd', "how long; default 10s", take_duration},
	{"count", "N", 'n', "how many requests, in place of how long",
	    take_count},
	{"request", "METHOD", 'X', "Request:\0"
	    "default GET, or POST when there is a body", take_method},
	{"header", "TEXT", 'H', "'Name: value', as often as wanted",
	    take_header},
	{"data", "TEXT", 0, "the body", take_data},
	{"data-file", "FILE", 0, "the body from a file, up to 256m",
	    take_data_file},
	{"insecure", NULL, 'k', "https: take any certificate", take_insecure},
	{"timeout", "TIME", 0, "What counts as lost:\0"
	    "no whole answer within; default 10s", take_timeout},
	{"ok-status", "LIST", 0, "good statuses; default 2xx,3xx",
	    take_statuses},
	{"hash", "HEX", 0, "each body must have this SHA-256", take_hash},
	{"expect-hash-of-first", NULL, 0, "each body must be that of the first "
	    "good answer", take_first},
	{"ids", NULL, 0, "each answer must carry its request's X-Request-Id",
	    take_ids},
	{"during", "COMMAND", 0, "Fault:\0"
	    "run it (sh -c) under the load, after the lead-in;\nthe load goes "
	    "on until it has ended, and the lead-in's time more", take_during},
	{"every", "TIME", 0, "run it again and again", take_every},
	{"lead", "TIME", 0, "the quiet before it; default 1s", take_lead},
	{"json", NULL, 0, "Output:\0"
	    "the summary as one JSON object", take_json},
	{"html", "FILE", 0, "a page with the timeline", take_html},
	{"help", NULL, 'h', "print this", take_help},
	{"version", NULL, 0, "print the version", take_version}};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* ---- the help ------------------------------------------------------------ */

/* A row's help may begin with the title of a group and a NUL. */
static const char *
group_of(const struct row *row)
{
	size_t bytes = strlen(row->help);

	return bytes > 0 && row->help[bytes - 1] == ':' ? row->help : NULL;
}

static void
row_print(const struct row *row, FILE *out)
{
	const char *group = group_of(row);
	const char *help = group == NULL ? row->help : group + strlen(group) + 1;
	char left[40], letter[5] = "";

	if (group != NULL)
		fprintf(out, "\n%s\n", group);
	if (row->letter != 0)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(left, sizeof(left), "%4s--%s%s%s", letter, row->name,
	    row->value == NULL ? "" : " ", row->value == NULL ? "" : row->value);
	fprintf(out, "  %-26s ", left);
	for (; *help != '\0'; help++) {
		putc(*help, out);
		if (*help == '\n')
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
take_option(struct options *o, char **argv, int *at, struct nds_error *err)
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
	return row->take(o, value, err);
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
options_parse(struct options *o, int argc, char **argv, struct nds_error *err)
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
	o->file = o->body = NULL;
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
