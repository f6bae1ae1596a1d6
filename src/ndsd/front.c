/* SPDX-License-Identifier: MIT */
#include "ndsd/front.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ndsd/listen.h"

#define SETTINGS_FILE "control/front.settings"
#define PROCESS_FILE "control/front.process"
#define TEXT_BYTES 4096

/* What scripts/front-settings asks for. */
static const char *const keys[] = {"APP_BIND_ADDRESS", "APP_REQUEST_TIMEOUT",
    "APP_QUEUE_TIMEOUT", "APP_SHUTDOWN_TIMEOUT", "APP_DRAIN_MAX",
    "APP_MAX_BODY", "APP_FRONT_MAX_BODY", "APP_FRONT_ALLOW"};

/* ---- files --------------------------------------------------------------- */

static int
file_write(const struct settings *s, const char *name, const char *text,
    struct nds_error *err)
{
	char path[PATH_MAX], fresh[PATH_MAX + 8];
	FILE *file;
	int bad;

	listen_path(s, name, path);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file = fopen(fresh, "we");
	if (file == NULL)
		return error_sys(err, "cannot write %s", fresh);
	bad = fputs(text, file) < 0;
	bad |= fclose(file) != 0;
	if (bad || rename(fresh, path) < 0) {
		unlink(fresh);
		return error_sys(err, "cannot write %s", path);
	}
	return 0;
}

/* The whole file as text; "" when there is none. */
static void
file_read(const char *path, char text[TEXT_BYTES])
{
	FILE *file = fopen(path, "re");
	size_t bytes = 0;

	if (file != NULL) {
		bytes = fread(text, 1, TEXT_BYTES - 1, file);
		fclose(file);
	}
	text[bytes] = '\0';
}

/* ---- settings ------------------------------------------------------------ */

int
front_config_find(int wanted, struct settings *s, struct nds_error *err)
{
	char path[PATH_MAX];

	if (s->front_config[0] == '\0')
		snprintf(s->front_config, sizeof(s->front_config), "%s",
		    NDS_CONFDIR "/lighttpd.conf");
	if (!wanted)
		return 0;
	if (realpath(s->front_config, path) == NULL)
		return error_sys(err, "APP_FRONT_CONFIG=%s", s->front_config);
	if (strlen(path) >= sizeof(s->front_config))
		return error_set(err, "APP_FRONT_CONFIG=%s: the path is too "
				      "long, %zu bytes are allowed",
		    path, sizeof(s->front_config) - 1);
	memcpy(s->front_config, path, strlen(path) + 1);
	return 0;
}

const char *
front_settings_path(const struct settings *s)
{
	static char path[PATH_MAX];

	listen_path(s, SETTINGS_FILE, path);
	return path;
}

/* KEY='VALUE' as sh(1) reads it. */
static size_t
line_write(char *text, size_t room, const char *key, const char *value)
{
	size_t used = (size_t)snprintf(text, room, "%s='", key);

	for (; *value != '\0' && used + 8 < room; value++)
		used += (size_t)snprintf(text + used, room - used,
		    *value == '\'' ? "'\\%c'" : "%c", *value);
	return used + (size_t)snprintf(text + used, room - used, "'\n");
}

static void
settings_text(const struct settings *s, char text[TEXT_BYTES])
{
	size_t used = 0;
	char value[SETTINGS_LIST_MAX];

	for (const struct settings_row *row = settings_table; row->key != NULL;
	     row++)
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (strcmp(row->key, keys[i]) == 0)
				used += line_write(text + used,
				    TEXT_BYTES - used, row->key,
				    settings_show(s, row, value));
}

int
front_settings_same(const struct settings *s)
{
	char is[TEXT_BYTES], shall[TEXT_BYTES];

	file_read(front_settings_path(s), is);
	settings_text(s, shall);
	return strcmp(is, shall) == 0;
}

int
front_settings_write(const struct settings *s, struct nds_error *err)
{
	char text[TEXT_BYTES];

	settings_text(s, text);
	return file_write(s, SETTINGS_FILE, text, err);
}

/* ---- the process --------------------------------------------------------- */

/* The 22nd field of /proc/PID/stat, the 20th behind the name, which may hold
 * anything. Returns 0 when there is no such process, or a dead one. */
static unsigned long long
start_time(pid_t pid)
{
	char path[48], text[TEXT_BYTES], *at;
	unsigned long long ticks;
	char state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file_read(path, text);
	at = strrchr(text, ')');
	if (at == NULL ||
	    sscanf(at + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			   "%*s %*s %*s %*s %*s %*s %*s %llu",
		&state, &ticks) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : ticks;
}

void
front_note(const struct settings *s, pid_t pid)
{
	unsigned long long ticks = start_time(pid);
	char text[TEXT_BYTES];
	struct nds_error err;

	if (ticks == 0)
		return;
	snprintf(text, sizeof(text), "%d %llu\n%s\n", (int)pid, ticks,
	    s->front_config);
	file_write(s, PROCESS_FILE, text, &err);
}

void
front_forget(const struct settings *s)
{
	char path[PATH_MAX];

	listen_path(s, PROCESS_FILE, path);
	unlink(path);
	unlink(front_settings_path(s));
}

pid_t
front_find(const struct settings *s, struct nds_error *err)
{
	char path[PATH_MAX], text[TEXT_BYTES], config[SETTINGS_TEXT_MAX];
	unsigned long long ticks;
	int pid;

	listen_path(s, PROCESS_FILE, path);
	file_read(path, text);
	if (sscanf(text, "%d %llu\n%107[^\n]", &pid, &ticks, config) != 3 ||
	    pid <= 1 || start_time(pid) != ticks)
		return 0;
	if (strcmp(config, s->front_config) == 0)
		return pid;
	return error_set(err, "lighttpd (pid %d), which an ndsd before has "
			      "started, still runs with %s: set "
			      "APP_FRONT_CONFIG to that or end it (kill -INT "
			      "%d)",
	    pid, config, pid);
}
