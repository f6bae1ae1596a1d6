/* SPDX-License-Identifier: MIT */
/*
 * Log lines.  The builder makes one whole line in a buffer, as JSON (one
 * object a line) or as text for people; nothing that is put into it can break
 * the line or forge another: control characters, quotes and bytes that are not
 * UTF-8 are escaped, and what is too long is cut at a character.  The writer
 * beneath log_info() and its like sends such lines to a file descriptor or to
 * a sink of the caller's.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
extern const char *const log_levels[]; /* "debug" …, NULL-terminated */

#define LOG_LINE_MAX 4096 /* bytes with its newline; = PIPE_BUF: one write */

#define LOG_TEXT_MAX 1024 /* bytes that one text member may take, escaped */

struct log_line {
	char text[LOG_LINE_MAX];
	size_t used;
	int json;
};

/* Begin a line: time, level, message. Then members in any number; then end,
 * which returns the bytes of the line, its newline included.  A member that
 * does not fit is left out whole, save text, which is cut.  Keys are the
 * program's own words and go in as they are. */
void log_line_begin(struct log_line *l, int json, enum log_level level,
    const char *message);
void log_line_text(struct log_line *l, const char *key, const char *value);
void log_line_number(struct log_line *l, const char *key, int64_t value);
/* A value in thousandths, written with a point: 1234 → 1.234. */
void log_line_milli(struct log_line *l, const char *key, int64_t value);
size_t log_line_end(struct log_line *l);

/* The level of a finished line of either form, and where its message begins.
 * What is no such line is LOG_INFO and all message. */
enum log_level log_line_level(const char *line, size_t bytes,
    const char **message);

/* For lines of another form: bytes as they are, -1 when they do not fit; text
 * escaped as in a line, into at most so many bytes. */
int log_line_put(struct log_line *l, const char *bytes, size_t count);
void log_line_escape(struct log_line *l, const char *text, size_t most);

/* Where the lines of this process go.  The sink must not block; NULL = write
 * to stderr. */
typedef void (*log_sink)(const char *line, size_t bytes, void *arg);
void log_open(int json, enum log_level level, log_sink sink, void *arg);
int log_wants(enum log_level level);
int log_is_json(void); /* the form that log_open() was given */

/* One event line.  log_warn and log_error append strerror(errno), the x forms
 * do not. */
void log_debugx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_errorx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Send a finished line (of log_line_end) where the lines of this process go. */
void log_send(const char *line, size_t bytes);

#endif
