/* SPDX-License-Identifier: MIT */
/*
 * Loading settings: parsing and checking, as the table says.  A load works on
 * a copy and remembers where each value came from, so that an error names its
 * place, also one that only shows when values are held against each other.
 */
#include "proto/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/near.h"
#include "base/num.h"
#include "proto/envfile.h"
#include "proto/settings_text.h"

#define AT(member) offsetof(struct settings, member)

enum { FROM_DEFAULT = 0, FROM_ENVIRONMENT = -1 }; /* else a line */

struct load {
	struct settings s;
	const char *file;
	int from[SETTINGS_ROWS_MAX]; /* where each value came from */
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

/* ---- one value: what is wrong, or NULL ----------------------------------- */

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
		what = settings_text_wrong(row, value);
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
	else if (row->kind == SETTINGS_TEXT)
		snprintf(text, bytes, "%s", settings_text_allowed(row));
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
	const char *keys[SETTINGS_ROWS_MAX], *near;
	char shown[96];
	size_t count;

	for (count = 0; settings_table[count].key != NULL; count++)
		keys[count] = settings_table[count].key;
	near = near_word(key, keys, count);
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
	for (size_t i = 0; settings_table[i].key != NULL; i++)
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

	for (size_t i = 0; settings_table[i].key != NULL; i++) {
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

/* A number as people write it. */
static const char *
number_text(const struct load *l, const struct settings_row *row,
    char text[24])
{
	int64_t number = settings_number(&l->s, row);

	if (row->kind == SETTINGS_TIME)
		return num_show_ms(number, text);
	snprintf(text, 24, "%" PRId64, number);
	return text;
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
	    number_text(l, &settings_table[row], value), what);
}

static int
check_order(struct load *l, size_t less, size_t more)
{
	const struct settings_row *a = &settings_table[row_at(less)];
	const struct settings_row *b = &settings_table[row_at(more)];
	size_t both[] = {less, more};
	char x[24], y[24], what[160];

	if (settings_number(&l->s, a) <= settings_number(&l->s, b))
		return 0;
	snprintf(what, sizeof(what), "%s=%s is more than %s=%s, allowed: at "
	    "most the same", a->key, number_text(l, a, x), b->key,
	    number_text(l, b, y));
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

/* What was not said follows what was: bounds follow APP_WORKERS, and its
 * default, made by the machine, follows bounds. */
static int
settle_workers(struct load *l)
{
	struct settings *s = &l->s;
	int64_t *workers = &s->workers;

	if (s->workers_max > 0 &&
	    check_order(l, AT(workers_min), AT(workers_max)) < 0)
		return -1;
	if (l->from[row_at(AT(workers))] == FROM_DEFAULT) {
		if (*workers < s->workers_min)
			*workers = s->workers_min;
		if (s->workers_max > 0 && *workers > s->workers_max)
			*workers = s->workers_max;
	}
	if (s->workers_min == 0)
		s->workers_min = *workers;
	if (s->workers_max == 0)
		s->workers_max = *workers;
	if (check_order(l, AT(workers_min), AT(workers)) < 0)
		return -1;
	return check_order(l, AT(workers), AT(workers_max));
}

static int
check_traces(struct load *l)
{
	const struct settings *s = &l->s;
	char where[256];

	if (strcmp(s->trace, "off") == 0 || s->trace_endpoint[0] != '\0' ||
	    s->trace_file[0] != '\0')
		return 0;
	return error_set(l->err, "%s: APP_TRACE=%s: nobody takes the traces, "
	    "allowed: off, or with APP_TRACE_ENDPOINT or APP_TRACE_FILE",
	    place(l, l->from[row_at(AT(trace))], where, sizeof(where)),
	    s->trace);
}

static int
check_together(struct load *l)
{
	if (settle_workers(l) < 0 ||
	    check_order(l, AT(drain_min_ms), AT(drain_max_ms)) < 0 ||
	    check_order(l, AT(queue_target_ms), AT(queue_timeout_ms)) < 0)
		return -1;
	return check_traces(l) < 0 ? -1 : check_budget(l);
}

/* ---- public ------------------------------------------------------------ */

void
settings_default(struct settings *s)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; settings_table[i].key != NULL; i++)
		if (settings_table[i].fallback != NULL)
			row_parse(s, &settings_table[i],
			    settings_table[i].fallback);
	s->workers = cores < 1 ? 2 : 2 * cores;
	if (s->workers > SETTINGS_WORKERS_MAX)
		s->workers = SETTINGS_WORKERS_MAX;
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
