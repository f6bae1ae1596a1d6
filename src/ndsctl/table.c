/* SPDX-License-Identifier: MIT */
/*
 * `ndsctl status`: a head, a table of workers whose columns are
 * as wide as their content, and the counters.
 */
#include "ndsctl/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ndsctl/field.h"
#include "ndsctl/term.h"
#include "ndsctl/trouble.h"

#define COLUMNS 7
#define CELL 24
#define STATE_COLUMN 4 /* text: to the left; all others are numbers */

struct row {
	char cell[COLUMNS][CELL];
};

static const char *
colour_of(const char *state)
{
	static const struct {
		const char *state, *colour;
	} colours[] = {{"running", "\033[32m"}, {"busy", "\033[32m"},
	    {"not ready", "\033[31m"}, {"supervisor not seen", "\033[31m"},
	    {"starting", "\033[36m"}, {"retiring", "\033[33m"},
	    {"draining", "\033[33m"}, {"stopping", "\033[31m"}};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		if (strcmp(colours[i].state, state) == 0)
			return colours[i].colour;
	return "";
}

static void
put_state(FILE *out, const char *state, int width, int colours)
{
	const char *colour = colours ? colour_of(state) : "";

	fprintf(out, "%s%-*s%s", colour, width, state,
	    *colour == '\0' ? "" : "\033[0m");
}

const char *
table_age(int64_t s, char text[TABLE_AGE])
{
	if (s < 60)
		snprintf(text, TABLE_AGE, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(text, TABLE_AGE, "%" PRId64 "m %02" PRId64 "s", s / 60,
		    s % 60);
	else if (s < 86400)
		snprintf(text, TABLE_AGE, "%" PRId64 "h %02" PRId64 "m",
		    s / 3600, s / 60 % 60);
	else
		snprintf(text, TABLE_AGE, "%" PRId64 "d %02" PRId64 "h",
		    s / 86400, s / 3600 % 24);
	return text;
}

/* How many do work, as a bar too where there is a terminal. */
static void
print_pool(const json_t *status, FILE *out)
{
	const json_t *workers = json_object_get(status, "workers"), *w;
	int64_t busy = 0, count = (int64_t)json_array_size(workers);
	int64_t least = field_number(status, "wanted_min");
	int64_t most = field_number(status, "wanted_max");
	char bar[TERM_BAR] = "", text[CELL];
	size_t i;

	json_array_foreach(workers, i, w)
		busy += strcmp(field_word(w, "state", text, sizeof(text)),
			    "busy") == 0;
	if (term_is_terminal(out))
		term_bar(bar, busy, count);
	fprintf(out,
	    "workers: %s%" PRId64 " of %" PRId64 " busy, %" PRId64 " wanted",
	    bar, busy, count, field_number(status, "wanted"));
	if (least < most)
		fprintf(out, ", between %" PRId64 " and %" PRId64, least, most);
	fputs("\n", out);
}

static void
print_served(const json_t *status, FILE *out)
{
	char program[256], address[256];

	fprintf(out, "serves: %s at %s\n",
	    field_word(status, "program", program, sizeof(program)),
	    field_word(status, "address", address, sizeof(address)));
}

static void
print_head(const json_t *status, const json_t *health, int colours, FILE *out)
{
	const json_t *supervisor = json_object_get(status, "supervisor");
	const json_t *queue = json_object_get(status, "queue");
	const json_t *shed = json_object_get(queue, "shed");
	char text[CELL], word[TROUBLE_WORD];

	trouble_print(health, colours, out);
	fprintf(out, "ndsd %s, ",
	    field_word(status, "version", text, sizeof(text)));
	field_word(status, "state", text, sizeof(text));
	put_state(out, trouble_word(health, text, word), 0, colours);
	fprintf(out, ", generation %" PRId64 ", pid %" PRId64 "\n",
	    field_number(status, "generation"), field_number(status, "pid"));
	fprintf(out,
	    "supervisor: pid %" PRId64 ", up %s, %" PRId64 " restarts, %" PRId64
	    " upgrades\n",
	    field_number(supervisor, "pid"),
	    table_age(field_number(supervisor, "uptime_s"), text),
	    field_number(supervisor, "restarts"),
	    field_number(supervisor, "upgrades"));
	print_served(status, out);
	print_pool(status, out);
	fprintf(out,
	    "queue: %" PRId64 " waiting, the oldest for %" PRId64
	    " ms; %" PRId64 " refused\n",
	    field_number(queue, "length"), field_number(queue, "wait_ms"),
	    field_number(shed, "queue_timeout") +
		field_number(shed, "queue_target") +
		field_number(shed, "stop"));
	trouble_print_spans(health, out);
	if (health == NULL)
		fputs("health responder: no answer\n", out);
}

static void
put_number(char cell[CELL], const json_t *worker, const char *key)
{
	const json_t *value = json_object_get(worker, key);

	if (json_is_integer(value))
		snprintf(
		    cell, CELL, "%" PRId64, (int64_t)json_integer_value(value));
	else
		strcpy(cell, "-");
}

static void
fill_row(struct row *row, const json_t *worker)
{
	static const char *const keys[COLUMNS] = {"slot", "pid", "guardian_pid",
	    "generation", NULL, "requests", "request_ms"};

	for (int i = 0; i < COLUMNS; i++)
		if (keys[i] != NULL)
			put_number(row->cell[i], worker, keys[i]);
	field_word(worker, "state", row->cell[STATE_COLUMN],
	    sizeof(row->cell[STATE_COLUMN]));
	if (strcmp(row->cell[STATE_COLUMN], "busy") != 0)
		strcpy(row->cell[COLUMNS - 1], "-");
}

static void
print_rows(const struct row *rows, size_t count, int colours, FILE *out)
{
	int width[COLUMNS] = {0}, bytes;

	for (size_t r = 0; r < count; r++)
		for (int i = 0; i < COLUMNS; i++) {
			bytes = (int)strlen(rows[r].cell[i]);
			if (bytes > width[i])
				width[i] = bytes;
		}
	for (size_t r = 0; r < count; r++) {
		for (int i = 0; i < COLUMNS; i++) {
			fputs(i == 0 ? "" : "  ", out);
			if (i == STATE_COLUMN)
				put_state(out, rows[r].cell[i], width[i],
				    colours && r > 0);
			else
				fprintf(out, "%*s", width[i], rows[r].cell[i]);
		}
		fputc('\n', out);
	}
}

static void
print_workers(const json_t *workers, int colours, FILE *out)
{
	static const struct row head = {{"SLOT", "PID", "GUARDIAN",
	    "GENERATION", "STATE", "REQUESTS", "BUSY MS"}};
	size_t count = json_array_size(workers);
	struct row *rows = calloc(count + 1, sizeof(*rows));

	if (rows == NULL)
		return;
	rows[0] = head;
	for (size_t i = 0; i < count; i++)
		fill_row(&rows[i + 1], json_array_get(workers, i));
	fputc('\n', out);
	print_rows(rows, count + 1, colours, out);
	free(rows);
}

static void
print_counters(json_t *counters, FILE *out)
{
	const char *key;
	json_t *value;
	char name[64];
	int width = 0, bytes;

	json_object_foreach(counters, key, value)
		if ((bytes = (int)strlen(key)) > width && bytes < 64)
			width = bytes;
	if (width > 0)
		fputc('\n', out);
	json_object_foreach(counters, key, value) {
		snprintf(name, sizeof(name), "%s", key);
		fprintf(out, "%-*s  %" PRId64 "\n", width, term_safe(name),
		    (int64_t)json_integer_value(value));
	}
}

void
table_print(const json_t *status, const json_t *health, int colours, FILE *out)
{
	print_head(status, health, colours, out);
	print_workers(json_object_get(status, "workers"), colours, out);
	print_counters(json_object_get(status, "counters"), out);
}
