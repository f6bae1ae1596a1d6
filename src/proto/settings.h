/* SPDX-License-Identifier: MIT */
/*
 * The settings: one table of key, kind, range, default and help line, from
 * which parsing, `ndsd -t`, `ndsd -T`, `--help` and the tests of the manual
 * page come.  Defaults < file < environment.  A whole file is parsed and
 * checked into a struct of the caller's; what was in force is never touched.
 */
#ifndef PROTO_SETTINGS_H
#define PROTO_SETTINGS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum settings_kind {
	SETTINGS_TEXT,	/* any text without control characters */
	SETTINGS_WHOLE, /* whole number */
	SETTINGS_TIME,	/* milliseconds inside, `ms`, `s`, `m` outside */
	SETTINGS_BYTES, /* bytes inside, `k`, `m`, `g` outside */
	SETTINGS_WORD	/* one of a list; inside the index into it */
};

#define SETTINGS_WORKERS_MAX 512
#define SETTINGS_TEXT_MAX 108 /* with its NUL; = sun_path */
#define SETTINGS_LIST_MAX 1024 /* the same, of a list */
#define SETTINGS_RANGES_MAX 64 /* in a list of addresses */

enum settings_drain_ready { DRAIN_READY_FAIL, DRAIN_READY_KEEP };
enum settings_log_format { LOG_FORMAT_JSON, LOG_FORMAT_TEXT };
enum settings_switch { SETTINGS_OFF, SETTINGS_ON };

struct settings {
	char bind_address[SETTINGS_TEXT_MAX];
	char runtime_dir[SETTINGS_TEXT_MAX];
	char user[SETTINGS_TEXT_MAX];	      /* "" = stay who we are */
	char socket_group[SETTINGS_TEXT_MAX]; /* "" = our own */
	char front_config[SETTINGS_TEXT_MAX]; /* "" = the installed one */
	char front_allow[SETTINGS_LIST_MAX];  /* "" = the default */
	int64_t front_max_body_bytes;	      /* 0 = max_body_bytes */
	char trusted_proxies[SETTINGS_LIST_MAX]; /* "" = none */
	char client_header[SETTINGS_TEXT_MAX];
	char rate_limit[SETTINGS_TEXT_MAX];	/* see base/rate.h */
	char rate_limit_key[SETTINGS_TEXT_MAX]; /* address, header:NAME */
	int64_t workers;
	int64_t shutdown_timeout_ms, request_timeout_ms, start_timeout_ms;
	int64_t drain_min_ms, drain_quiet_ms, drain_max_ms;
	int64_t drain_ready; /* enum settings_drain_ready */
	int64_t queue_timeout_ms, queue_target_ms;
	int64_t retry_after_ms;
	char timeout_header[SETTINGS_TEXT_MAX]; /* "" = none */
	int64_t max_body_bytes;
	int64_t log_level;  /* enum log_level of base/log.h */
	int64_t log_format; /* enum settings_log_format */
	int64_t diagnostic_routes; /* enum settings_switch */
	int64_t replay;		   /* enum settings_switch: guardians */
	int64_t replay_bytes;
	int64_t max_requests; /* 0 = never */
	int64_t max_rss_bytes; /* 0 = never */
	int64_t workers_min, workers_max; /* loaded: never 0 */
	int64_t workers_idle_ms;
	int64_t cache_bytes;   /* 0 = no cache */
	char trace[SETTINGS_TEXT_MAX]; /* see num_share() */
	char trace_endpoint[SETTINGS_TEXT_MAX]; /* a URL; "" = none */
	char trace_file[SETTINGS_TEXT_MAX];	/* "" = none */
	int64_t slow_ms; /* 0 = never */
};

struct settings_row {
	const char *key; /* APP_… */
	enum settings_kind kind;
	size_t offset;		    /* of the member in struct settings */
	int64_t min, max;	    /* WHOLE, TIME (ms), BYTES; TEXT: max is
				       the bytes of the member */
	const char *const *words;   /* WORD: NULL-terminated */
	const char *fallback;	    /* the default as people write it; NULL:
				       made by the machine (APP_WORKERS) */
	const char *help;	    /* one line */
};

/* The table, ended by a row whose key is NULL. */
#define SETTINGS_ROWS_MAX 96
extern const struct settings_row settings_table[];

/* The value of a row that is no text. */
int64_t settings_number(const struct settings *s,
    const struct settings_row *row);

/* Fill *s with the defaults. */
void settings_default(struct settings *s);

/* Load defaults, then file (NULL = none), then the environment; then check
 * what must fit together.  `environ` style array.  On error returns -1 with
 * err saying `file:line: KEY=VALUE: what is wrong, what is allowed` (or
 * `environment: KEY=VALUE: …`) and leaves *s as it was. An APP_ key of the
 * environment that is not in the table is left alone (it may be the
 * application's own); one in the file is refused. */
int settings_load(struct settings *s, const char *file,
    char *const *environment, struct nds_error *err);

/* Load from the environment alone, row by row: what a responder does.  The
 * same errors. */
int settings_load_environment(struct settings *s, char *const *environment,
    struct nds_error *err);

/* The value of a row as text that settings_load() reads back as the same
 * (times in ms, sizes in bytes). Returns text. */
char *settings_show(const struct settings *s, const struct settings_row *row,
    char text[SETTINGS_LIST_MAX]);

/* Write KEY=VALUE lines, quoted for sh(1): `ndsd -T`. */
void settings_print(const struct settings *s, FILE *out);

/* Write key, default and help, a line each: part of `ndsd --help`. */
void settings_help(FILE *out);

#endif
