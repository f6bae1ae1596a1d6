/* SPDX-License-Identifier: MIT */
/*
 * The one table of settings and what follows from it: parsing, checking,
 * showing.  A load works on a copy and remembers where each value came from,
 * so that an error names its place, also one that only shows when values are
 * held against each other.
 */
#include "proto/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"
#include "base/near.h"
#include "base/num.h"
#include "proto/envfile.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define GIGABYTE ((int64_t)1 << 30)
#define WORKERS_MAX 512
#define LONGEST_SOCKET "/control/control.sock"

static const char *const fail_keep[] = {"fail", "keep", NULL};
static const char *const json_text[] = {"json", "text", NULL};
static const char *const off_on[] = {"off", "on", NULL};

#define AT(member) offsetof(struct settings, member)
#define TEXT(key, member, fallback, help) \
	{key, SETTINGS_TEXT, AT(member), 0, 0, NULL, fallback, help}
#define NUMBER(key, kind, member, min, max, fallback, help) \
	{key, kind, AT(member), min, max, NULL, fallback, help}
#define TIME(key, member, min, max, fallback, help) \
	NUMBER(key, SETTINGS_TIME, member, min, max, fallback, help)
#define WORD(key, member, words, fallback, help) \
	{key, SETTINGS_WORD, AT(member), 0, 0, words, fallback, help}

const struct settings_row settings_table[] = {
	TEXT("APP_BIND_ADDRESS", bind_address, "0.0.0.0:3000",
	    "where the front listens: host:port or [v6]:port"),
	TIME("APP_SHUTDOWN_TIMEOUT", shutdown_timeout_ms, 100, HOUR, "30",
	    "the whole stop, from SIGTERM to exit"),
	NUMBER("APP_WORKERS", SETTINGS_WHOLE, workers, 1, WORKERS_MAX, NULL,
	    "requests served at once: workers of the pool"),
	TIME("APP_REQUEST_TIMEOUT", request_timeout_ms, 10, HOUR, "20",
	    "deadline of one request; then 504"),
	TIME("APP_START_TIMEOUT", start_timeout_ms, 10, 10 * MINUTE, "10",
	    "a new worker must be ready by then"),
	TIME("APP_DRAIN_MIN", drain_min_ms, 0, HOUR, "1",
	    "a drain lasts at least so long"),
	TIME("APP_DRAIN_QUIET", drain_quiet_ms, 0, HOUR, "1",
	    "a drain ends after so long without a request"),
	TIME("APP_DRAIN_MAX", drain_max_ms, 0, HOUR, "8",
	    "a drain lasts at most so long"),
	WORD("APP_DRAIN_READY", drain_ready, fail_keep, "fail",
	    "what /ready says while draining"),
	TIME("APP_QUEUE_TIMEOUT", queue_timeout_ms, 1, 10 * MINUTE, "1",
	    "longest wait of a burst; not yet enforced"),
	TIME("APP_QUEUE_TARGET", queue_target_ms, 1, 10 * MINUTE, "50ms",
	    "longest wait in a standing queue; not yet enforced"),
	TIME("APP_RETRY_AFTER", retry_after_ms, 0, HOUR, "1",
	    "Retry-After of a refusal; not yet enforced"),
	NUMBER("APP_MAX_BODY", SETTINGS_BYTES, max_body_bytes, 0,
	    64 * GIGABYTE, "1m", "a larger request body gets 413"),
	NUMBER("APP_MAX_REQUESTS", SETTINGS_WHOLE, max_requests, 0,
	    1000000000, "0", "replace a worker after so many; 0: never"),
	NUMBER("APP_MAX_RSS", SETTINGS_BYTES, max_rss_bytes, 0,
	    1024 * GIGABYTE, "0", "replace a worker beyond that; 0: never"),
	WORD("APP_REPLAY", replay, off_on, "on",
	    "a request outlives the death of its worker"),
	NUMBER("APP_REPLAY_BYTES", SETTINGS_BYTES, replay_bytes, 0,
	    16 << 20, "64k", "a larger request is not run again"),
	WORD("APP_LOG_LEVEL", log_level, log_levels, "info",
	    "the least level that is logged"),
	WORD("APP_LOG_FORMAT", log_format, json_text, "json",
	    "json for machines, text for people"),
	TEXT("APP_RUNTIME_DIR", runtime_dir, "/run/nds",
	    "directory of the sockets"),
	WORD("APP_DIAGNOSTIC_ROUTES", diagnostic_routes, off_on, "off",
	    "adds the routes under /_diag/"),
	TEXT("APP_USER", user, "",
	    "user to become when started as root; empty: stay"),
	TEXT("APP_SOCKET_GROUP", socket_group, "",
	    "group that may connect to the sockets; empty: our own"),
	TEXT("APP_FRONT_CONFIG", front_config, "",
	    "lighttpd.conf of --front=lighttpd; empty: the installed one"),
	{.key = NULL}};

#define ROWS (sizeof(settings_table) / sizeof(settings_table[0]) - 1)

enum { FROM_DEFAULT = 0, FROM_ENVIRONMENT = -1 }; /* else a line */

struct load {
	struct settings s;
	const char *file;
	int from[ROWS]; /* where each value came from */
	struct nds_error *err;
};

static char *
text_at(struct settings *s, const struct settings_row *row)
{
	return (char *)s + row->offset;
}

static int64_t *
number_at(struct settings *s, const struct settings_row *row)
{
	return (int64_t *)(void *)((char *)s + row->offset);
}

static int64_t
number_of(const struct settings *s, const struct settings_row *row)
{
	int64_t v;

	memcpy(&v, (const char *)s + row->offset, sizeof(v));
	return v;
}

/* ---- one value: each check returns what is wrong, or NULL -------------- */

static const char *
check_directory(const char *value)
{
	if (value[0] != '/')
		return "not an absolute path";
	if (strlen(value) + strlen(LONGEST_SOCKET) >= SETTINGS_TEXT_MAX)
		return "too long for a socket below it";
	return NULL;
}

static const char *
check_text(const struct settings_row *row, const char *value)
{
	if (strlen(value) >= SETTINGS_TEXT_MAX)
		return "longer than 107 bytes";
	for (const char *c = value; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return "a control character";
	if (row->offset == AT(bind_address))
		return address_wrong(value);
	if (row->offset == AT(runtime_dir))
		return check_directory(value);
	if (row->offset == AT(front_config) && *value != '\0' && *value != '/')
		return "not an absolute path";
	return NULL;
}

static const char *
parse_word(const struct settings_row *row, const char *value, int64_t *to)
{
	for (int64_t i = 0; row->words[i] != NULL; i++)
		if (strcmp(row->words[i], value) == 0) {
			*to = i;
			return NULL;
		}
	return "not one of the words";
}

static const char *
row_parse(struct settings *s, const struct settings_row *row,
    const char *value)
{
	int64_t *to = number_at(s, row);
	const char *what;

	switch (row->kind) {
	case SETTINGS_TEXT:
		what = check_text(row, value);
		if (what == NULL)
			strcpy(text_at(s, row), value);
		return what;
	case SETTINGS_WORD:
		return parse_word(row, value, to);
	case SETTINGS_WHOLE:
		if (num_whole(value, row->min, row->max, to) == 0)
			return NULL;
		return errno == ERANGE ? "out of range" : "not a whole number";
	case SETTINGS_TIME:
		if (num_time_ms(value, row->min, row->max, to) == 0)
			return NULL;
		return errno == ERANGE ? "out of range" : "not a time";
	case SETTINGS_BYTES:
		if (num_bytes(value, row->min, row->max, to) == 0)
			return NULL;
		return errno == ERANGE ? "out of range" : "not a size";
	}
	return "of no known kind";
}

/* What a row allows, for people. */
static void
row_allowed(const struct settings_row *row, char *text, size_t bytes)
{
	char min[24], max[24];
	size_t used = 0;

	if (row->kind == SETTINGS_WHOLE)
		snprintf(text, bytes, "%" PRId64 " to %" PRId64, row->min,
		    row->max);
	else if (row->kind == SETTINGS_TIME)
		snprintf(text, bytes, "%s to %s, written like 500ms, 1.5s, 2m",
		    num_show_ms(row->min, min), num_show_ms(row->max, max));
	else if (row->kind == SETTINGS_BYTES)
		snprintf(text, bytes, "%s to %s, written like 4096, 64k, 1m",
		    num_show_bytes(row->min, min),
		    num_show_bytes(row->max, max));
	else if (row->offset == AT(bind_address))
		snprintf(text, bytes, "host:port or [v6]:port, port 1 to "
		    "65535");
	else if (row->offset == AT(runtime_dir))
		snprintf(text, bytes, "an absolute path of at most %zu bytes",
		    SETTINGS_TEXT_MAX - 1 - strlen(LONGEST_SOCKET));
	else if (row->kind == SETTINGS_TEXT)
		snprintf(text, bytes, "%s of at most 107 bytes",
		    row->offset == AT(front_config) ? "an absolute path" :
		    "text");
	for (int i = 0; row->words != NULL && row->words[i] != NULL; i++)
		used += (size_t)snprintf(text + used, bytes - used, "%s%s",
		    i == 0 ? "" : ", ", row->words[i]);
}

/* ---- a whole load ------------------------------------------------------ */

/* A value as it may stand in an error line. */
static const char *
harmless(const char *value, char text[96])
{
	size_t i;

	for (i = 0; i < 92 && value[i] != '\0'; i++)
		text[i] = (unsigned char)value[i] < 0x20 || value[i] == 0x7f ?
		    '?' : value[i];
	strcpy(text + i, value[i] == '\0' ? "" : "...");
	return text;
}

/* "file:line" or "environment". */
static const char *
place(const struct load *l, int from, char *text, size_t bytes)
{
	if (from > 0)
		snprintf(text, bytes, "%s:%d", l->file, from);
	else
		snprintf(text, bytes, "%s",
		    from == FROM_ENVIRONMENT ? "environment" : "default");
	return text;
}

static int
take(struct load *l, size_t i, const char *value, int from)
{
	const struct settings_row *row = &settings_table[i];
	const char *what = row_parse(&l->s, row, value);
	char where[256], shown[96], allowed[160];

	l->from[i] = from;
	if (what == NULL)
		return 0;
	row_allowed(row, allowed, sizeof(allowed));
	return error_set(l->err, "%s: %s=%s: %s, allowed: %s",
	    place(l, from, where, sizeof(where)), row->key,
	    harmless(value, shown), what, allowed);
}

static int
unknown(struct load *l, const char *key, const char *value, int line)
{
	const char *keys[ROWS], *near;
	char shown[96];

	for (size_t i = 0; i < ROWS; i++)
		keys[i] = settings_table[i].key;
	near = near_word(key, keys, ROWS);
	harmless(value, shown);
	if (near != NULL)
		return error_set(l->err, "%s:%d: %s=%s: no such setting, "
		    "did you mean %s?", l->file, line, key, shown, near);
	return error_set(l->err, "%s:%d: %s=%s: no such setting, allowed: the "
	    "APP_ keys that `ndsd --help` lists", l->file, line, key, shown);
}

static int
take_pair(const char *key, const char *value, int line, void *arg)
{
	struct load *l = arg;

	if (strncmp(key, "APP_", 4) != 0)
		return 0; /* the application's own */
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(settings_table[i].key, key) == 0)
			return take(l, i, value, line);
	return unknown(l, key, value, line);
}

static const char *
environment_find(char *const *environment, const char *key)
{
	size_t bytes = strlen(key);

	for (; *environment != NULL; environment++)
		if (strncmp(*environment, key, bytes) == 0 &&
		    (*environment)[bytes] == '=')
			return *environment + bytes + 1;
	return NULL;
}

static int
take_environment(struct load *l, char *const *environment)
{
	const char *value;

	for (size_t i = 0; i < ROWS; i++) {
		value = environment_find(environment, settings_table[i].key);
		if (value != NULL &&
		    take(l, i, value, FROM_ENVIRONMENT) < 0)
			return -1;
	}
	return 0;
}

/* ---- what must fit together -------------------------------------------- */

static size_t
row_at(size_t offset)
{
	size_t i = 0;

	while (settings_table[i].offset != offset)
		i++;
	return i;
}

/* The error names the value that somebody chose: of these rows the first that
 * is no default. */
static int
clash(struct load *l, const size_t *offsets, size_t count, const char *what)
{
	char where[256], value[24];
	size_t row = row_at(offsets[0]);

	for (size_t i = count; i-- > 0;)
		if (l->from[row_at(offsets[i])] != FROM_DEFAULT)
			row = row_at(offsets[i]);
	return error_set(l->err, "%s: %s=%s: %s",
	    place(l, l->from[row], where, sizeof(where)),
	    settings_table[row].key,
	    num_show_ms(number_of(&l->s, &settings_table[row]), value), what);
}

static int
check_order(struct load *l, size_t less, size_t more)
{
	const struct settings_row *a = &settings_table[row_at(less)];
	const struct settings_row *b = &settings_table[row_at(more)];
	size_t both[] = {less, more};
	char x[24], y[24], what[160];

	if (number_of(&l->s, a) <= number_of(&l->s, b))
		return 0;
	snprintf(what, sizeof(what), "%s=%s is more than %s=%s, allowed: at "
	    "most the same", a->key, num_show_ms(number_of(&l->s, a), x),
	    b->key, num_show_ms(number_of(&l->s, b), y));
	return clash(l, both, 2, what);
}

static int
check_budget(struct load *l)
{
	const struct settings *s = &l->s;
	static const size_t offsets[] = {AT(shutdown_timeout_ms),
	    AT(request_timeout_ms), AT(drain_max_ms), AT(queue_timeout_ms)};
	int64_t need = s->drain_max_ms + s->queue_timeout_ms +
	    s->request_timeout_ms;
	char a[24], b[24], c[24], d[24], what[240];

	if (need <= s->shutdown_timeout_ms)
		return 0;
	snprintf(what, sizeof(what), "APP_DRAIN_MAX=%s, APP_QUEUE_TIMEOUT=%s "
	    "and APP_REQUEST_TIMEOUT=%s do not fit into "
	    "APP_SHUTDOWN_TIMEOUT=%s, allowed: a sum of at most that",
	    num_show_ms(s->drain_max_ms, a),
	    num_show_ms(s->queue_timeout_ms, b),
	    num_show_ms(s->request_timeout_ms, c),
	    num_show_ms(s->shutdown_timeout_ms, d));
	return clash(l, offsets, 4, what);
}

static int
check_together(struct load *l)
{
	if (check_order(l, AT(drain_min_ms), AT(drain_max_ms)) < 0 ||
	    check_order(l, AT(queue_target_ms), AT(queue_timeout_ms)) < 0)
		return -1;
	return check_budget(l);
}

/* ---- public ------------------------------------------------------------ */

void
settings_default(struct settings *s)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < ROWS; i++)
		if (settings_table[i].fallback != NULL)
			row_parse(s, &settings_table[i],
			    settings_table[i].fallback);
	s->workers = cores < 1 ? 2 : 2 * cores;
	if (s->workers > WORKERS_MAX)
		s->workers = WORKERS_MAX;
}

int
settings_load(struct settings *s, const char *file, char *const *environment,
    struct nds_error *err)
{
	struct load l = {.file = file, .err = err};

	settings_default(&l.s);
	if (file != NULL && envfile_read(file, take_pair, &l, err) < 0)
		return -1;
	if (take_environment(&l, environment) < 0 || check_together(&l) < 0)
		return -1;
	*s = l.s;
	return 0;
}

int
settings_load_environment(struct settings *s, char *const *environment,
    struct nds_error *err)
{
	struct load l = {.err = err};

	settings_default(&l.s);
	if (take_environment(&l, environment) < 0)
		return -1;
	*s = l.s;
	return 0;
}

char *
settings_show(const struct settings *s, const struct settings_row *row,
    char text[128])
{
	int64_t number = row->kind == SETTINGS_TEXT ? 0 : number_of(s, row);

	if (row->kind == SETTINGS_TEXT)
		snprintf(text, 128, "%s", (const char *)s + row->offset);
	else if (row->kind == SETTINGS_WORD)
		snprintf(text, 128, "%s", row->words[number]);
	else
		snprintf(text, 128, "%" PRId64 "%s", number,
		    row->kind == SETTINGS_TIME ? "ms" : "");
	return text;
}

void
settings_print(const struct settings *s, FILE *out)
{
	char text[128];

	for (size_t i = 0; i < ROWS; i++) {
		settings_show(s, &settings_table[i], text);
		fprintf(out, "%s='", settings_table[i].key);
		for (const char *c = text; *c != '\0'; c++)
			fputs(*c == '\'' ? "'\\''" : (char[]){*c, '\0'}, out);
		fputs("'\n", out);
	}
}

void
settings_help(FILE *out)
{
	const struct settings_row *row;
	const char *fallback;

	for (row = settings_table; row->key != NULL; row++) {
		fallback = row->fallback == NULL ? "2 x cores" :
		    *row->fallback == '\0' ? "-" : row->fallback;
		fprintf(out, "  %-22s %-13s %s\n", row->key, fallback,
		    row->help);
	}
}
