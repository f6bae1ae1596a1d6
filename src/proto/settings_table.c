/* SPDX-License-Identifier: MIT */
/* The one table of settings, and what shows it. */
#include "proto/settings.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define GIGABYTE ((int64_t)1 << 30)

static const char *const fail_keep[] = {"fail", "keep", NULL};
static const char *const json_text[] = {"json", "text", NULL};
static const char *const off_on[] = {"off", "on", NULL};

#define AT(member) offsetof(struct settings, member)
#define TEXT(key, member, fallback, help) \
	{key, SETTINGS_TEXT, AT(member), 0,                                  \
	    sizeof(((struct settings *)0)->member), NULL, fallback, help}
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
	NUMBER("APP_WORKERS", SETTINGS_WHOLE, workers, 1,
	    SETTINGS_WORKERS_MAX, NULL,
	    "requests served at once: workers of the pool"),
	NUMBER("APP_WORKERS_MIN", SETTINGS_WHOLE, workers_min, 0,
	    SETTINGS_WORKERS_MAX, "0",
	    "the pool shrinks to so many; 0: as APP_WORKERS"),
	NUMBER("APP_WORKERS_MAX", SETTINGS_WHOLE, workers_max, 0,
	    SETTINGS_WORKERS_MAX, "0",
	    "the pool grows to so many; 0: as APP_WORKERS"),
	TIME("APP_WORKERS_IDLE", workers_idle_ms, SECOND, HOUR, "60",
	    "the pool shrinks after so long with fewer needed"),
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
	    "longest wait of a burst; then 503"),
	TIME("APP_QUEUE_TARGET", queue_target_ms, 1, 10 * MINUTE, "50ms",
	    "longest wait in a standing queue; then 503"),
	TIME("APP_RETRY_AFTER", retry_after_ms, 0, HOUR, "1",
	    "Retry-After of a refusal, and up to as much again"),
	TEXT("APP_TIMEOUT_HEADER", timeout_header, "X-Request-Timeout-Ms",
	    "header with the timeout of a caller; empty: none"),
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
	TEXT("APP_RATE_LIMIT", rate_limit, "off",
	    "requests of one client, e.g. 50/s burst 100; more get 429"),
	TEXT("APP_RATE_LIMIT_KEY", rate_limit_key, "address",
	    "what a client is: address, or header:NAME"),
	TEXT("APP_TRUSTED_PROXIES", trusted_proxies, "",
	    "addresses that may name another client; empty: none"),
	TEXT("APP_CLIENT_HEADER", client_header, "X-Forwarded-For",
	    "where a trusted proxy names the client"),
	NUMBER("APP_CACHE_BYTES", SETTINGS_BYTES, cache_bytes, 0, 512 << 20,
	    "8m", "memory for cached answers; 0: none"),
	WORD("APP_LOG_LEVEL", log_level, log_levels, "info",
	    "the least level that is logged"),
	WORD("APP_LOG_FORMAT", log_format, json_text, "json",
	    "json for machines, text for people"),
	TEXT("APP_TRACE", trace, "off",
	    "share of the requests that are traced: off, or like 1%"),
	TEXT("APP_TRACE_ENDPOINT", trace_endpoint, "",
	    "URL that takes traces (OTLP/HTTP); empty: none"),
	TEXT("APP_TRACE_FILE", trace_file, "",
	    "file to which traces are added, a line each; empty: none"),
	TIME("APP_SLOW", slow_ms, 0, HOUR, "1",
	    "log where a request stands that takes longer; 0: never"),
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
	NUMBER("APP_FRONT_MAX_BODY", SETTINGS_BYTES, front_max_body_bytes, 0,
	    64 * GIGABYTE, "0",
	    "what the front lets through; 0: as APP_MAX_BODY"),
	TEXT("APP_FRONT_ALLOW", front_allow, "127.0.0.0/8 ::1",
	    "networks to which the front shows /metrics and /status"),
	{.key = NULL}};

_Static_assert(sizeof(settings_table) / sizeof(settings_table[0]) <=
    SETTINGS_ROWS_MAX, "SETTINGS_ROWS_MAX is too small");

int64_t
settings_number(const struct settings *s, const struct settings_row *row)
{
	int64_t v;

	memcpy(&v, (const char *)s + row->offset, sizeof(v));
	return v;
}

char *
settings_show(const struct settings *s, const struct settings_row *row,
    char text[SETTINGS_LIST_MAX])
{
	int64_t number = row->kind == SETTINGS_TEXT ? 0 :
	    settings_number(s, row);

	if (row->kind == SETTINGS_TEXT)
		snprintf(text, SETTINGS_LIST_MAX, "%s",
		    (const char *)s + row->offset);
	else if (row->kind == SETTINGS_WORD)
		snprintf(text, SETTINGS_LIST_MAX, "%s", row->words[number]);
	else
		snprintf(text, SETTINGS_LIST_MAX, "%" PRId64 "%s", number,
		    row->kind == SETTINGS_TIME ? "ms" : "");
	return text;
}

void
settings_print(const struct settings *s, FILE *out)
{
	const struct settings_row *row;
	char text[SETTINGS_LIST_MAX];

	for (row = settings_table; row->key != NULL; row++) {
		settings_show(s, row, text);
		fprintf(out, "%s='", row->key);
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
		fprintf(out, "  %-22s %-16s  %s\n", row->key, fallback,
		    row->help);
	}
}
