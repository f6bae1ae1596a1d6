/* SPDX-License-Identifier: MIT */
/*
 * The line builder and the event lines.  A line is made by copying runs of
 * plain bytes and by escaping the rest one character at a time; no printf on
 * that path, since it runs once a request.  Every escape is written whole or
 * not at all, so a cut line is still a valid one.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_LIMIT (LOG_LINE_MAX - 2) /* "}\n" always has room */
#define MESSAGE_MAX 2048

const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const shouted[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
static const char hex[] = "0123456789abcdef";

static struct {
	int json;
	enum log_level level;
	log_sink sink;
	void *arg;
} out = {.level = LOG_INFO};

/* ---- bytes into the line ----------------------------------------------- */

static int
put(struct log_line *l, size_t limit, const char *bytes, size_t count)
{
	if (count > limit - l->used)
		return -1;
	memcpy(l->text + l->used, bytes, count);
	l->used += count;
	return 0;
}

/* Bytes of the UTF-8 character at s, 0 when it is none (RFC 3629: no overlong
 * form, no surrogate, nothing above U+10FFFF). */
static size_t
utf8_get(const unsigned char *s, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t bytes = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
	    s[0] < 0xf5 ? 4 : 0;
	uint32_t c;

	if (bytes == 0)
		return 0;
	c = s[0] & (0x7fu >> bytes);
	for (size_t i = 1; i < bytes; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (c < least[bytes] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return 0;
	*code = c;
	return bytes;
}

/* What moves a terminal's cursor, ends a line for some reader or turns the
 * direction of writing. */
static int
is_tricky(uint32_t c)
{
	return c < 0xa0 || c == 0x2028 || c == 0x2029 ||
	    (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static int
put_unicode(struct log_line *l, size_t limit, uint32_t c)
{
	char escape[6] = {'\\', 'u', hex[c >> 12 & 15], hex[c >> 8 & 15],
	    hex[c >> 4 & 15], hex[c & 15]};

	return put(l, limit, escape, sizeof(escape));
}

/* A byte below 0x20, a quote, a backslash, DEL, or no UTF-8 at all. */
static int
put_byte(struct log_line *l, size_t limit, unsigned char c)
{
	static const char from[] = "\"\\\n\r\t", to[] = "\"\\nrt";
	const char *known = strchr(from, c);
	char escape[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};

	if (known != NULL) {
		escape[1] = to[known - from];
		return put(l, limit, escape, 2);
	}
	if (!l->json)
		return put(l, limit, escape, 4);
	return put_unicode(l, limit, c < 0x80 ? c : 0xfffd);
}

static int
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The same of eight bytes: is each of them plain? */
static int
are_plain(const unsigned char *s)
{
	const uint64_t ones = 0x0101010101010101, high = ones << 7;
	uint64_t x, quote, backslash;

	memcpy(&x, s, sizeof(x));
	quote = x ^ ones * '"';
	backslash = x ^ ones * '\\';
	return ((x | (x + ones) | (x - ones * 0x20) | (quote - ones) |
	    (backslash - ones)) & high) == 0;
}

/* How many of them begin text. */
static size_t
plain_run(const unsigned char *s, const unsigned char *end)
{
	const unsigned char *from = s;

	while (end - s >= 8 && are_plain(s))
		s += 8;
	while (is_plain(*s))
		s++;
	return (size_t)(s - from);
}

/* Escape text into the line up to limit; cut there, at a character. */
static void
put_text(struct log_line *l, size_t limit, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	const unsigned char *end = s + strlen(text);
	size_t run;
	uint32_t code;
	int full = 0;

	while (*s != '\0' && !full) {
		run = plain_run(s, end);
		if (run > limit - l->used)
			run = limit - l->used;
		put(l, limit, (const char *)s, run);
		s += run;
		if (*s == '\0' || is_plain(*s))
			return; /* done, or no room */
		run = utf8_get(s, &code);
		if (run == 0)
			full = put_byte(l, limit, *s++);
		else if (is_tricky(code))
			full = put_unicode(l, limit, code);
		else
			full = put(l, limit, (const char *)s, run);
		s += run;
	}
}

/* ---- members ----------------------------------------------------------- */

/* Where a text that begins here may end; room is kept for its closing quote. */
static size_t
text_limit(const struct log_line *l, size_t most)
{
	size_t limit = l->used + most;

	return limit < LINE_LIMIT - 1 ? limit : LINE_LIMIT - 1;
}

/* Returns -1 when key and `rest` bytes behind it do not fit. */
static int
put_key(struct log_line *l, const char *key, size_t rest)
{
	size_t bytes = strlen(key);
	char *to = l->text + l->used;

	if (bytes + 4 + rest > LINE_LIMIT - l->used)
		return -1;
	*to++ = l->json ? ',' : ' ';
	if (l->json)
		*to++ = '"';
	memcpy(to, key, bytes);
	to += bytes;
	if (l->json)
		*to++ = '"';
	*to++ = l->json ? ':' : '=';
	l->used = (size_t)(to - l->text);
	return 0;
}

void
log_line_begin(struct log_line *l, int json, enum log_level level,
    const char *message)
{
	char stamp[CLOCK_STAMP_BYTES];

	clock_stamp(stamp);
	l->used = 0;
	l->json = json;
	if (json)
		put(l, LINE_LIMIT, "{\"time\":\"", 9);
	put(l, LINE_LIMIT, stamp, CLOCK_STAMP_BYTES - 1);
	if (!json) {
		put(l, LINE_LIMIT, " ", 1);
		put(l, LINE_LIMIT, shouted[level], 5);
		put(l, LINE_LIMIT, " ", 1);
		put_text(l, text_limit(l, MESSAGE_MAX), message);
		return;
	}
	put(l, LINE_LIMIT, "\",\"level\":\"", 11);
	put(l, LINE_LIMIT, log_levels[level], strlen(log_levels[level]));
	put(l, LINE_LIMIT, "\",\"msg\":\"", 9);
	put_text(l, text_limit(l, MESSAGE_MAX), message);
	put(l, LINE_LIMIT, "\"", 1);
}

/* Text for people: quotes only where the end of the value would be unclear. */
static int
wants_quotes(const char *value)
{
	return *value == '\0' || strpbrk(value, " =\"") != NULL;
}

void
log_line_text(struct log_line *l, const char *key, const char *value)
{
	int quote = l->json || wants_quotes(value);

	if (put_key(l, key, 2) < 0)
		return;
	if (quote)
		put(l, LINE_LIMIT, "\"", 1);
	put_text(l, text_limit(l, LOG_TEXT_MAX), value);
	if (quote)
		put(l, LINE_LIMIT, "\"", 1);
}

/* Decimal digits at the end of room, at least so many; returns their first. */
static char *
decimal(char *end, uint64_t value, int least)
{
	do {
		*--end = (char)('0' + value % 10);
		value /= 10;
	} while (--least > 0 || value != 0);
	return end;
}

static uint64_t
magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

static void
put_number(struct log_line *l, const char *key, const char *from,
    const char *end)
{
	size_t bytes = (size_t)(end - from);

	if (put_key(l, key, bytes) == 0)
		put(l, LINE_LIMIT, from, bytes);
}

void
log_line_number(struct log_line *l, const char *key, int64_t value)
{
	char room[24], *end = room + sizeof(room);
	char *from = decimal(end, magnitude(value), 1);

	if (value < 0)
		*--from = '-';
	put_number(l, key, from, end);
}

void
log_line_milli(struct log_line *l, const char *key, int64_t value)
{
	char room[28], *end = room + sizeof(room), *from;

	from = decimal(end, magnitude(value) % 1000, 3);
	*--from = '.';
	from = decimal(from, magnitude(value) / 1000, 1);
	if (value < 0)
		*--from = '-';
	put_number(l, key, from, end);
}

int
log_line_put(struct log_line *l, const char *bytes, size_t count)
{
	return put(l, LINE_LIMIT, bytes, count);
}

void
log_line_escape(struct log_line *l, const char *text, size_t most)
{
	put_text(l, text_limit(l, most), text);
}

size_t
log_line_end(struct log_line *l)
{
	if (l->json)
		l->text[l->used++] = '}';
	l->text[l->used++] = '\n';
	return l->used;
}

enum log_level
log_line_level(const char *line, size_t bytes, const char **message)
{
	int json = bytes > 0 && line[0] == '{';
	/* behind the time, as log_line_begin() writes it */
	size_t at = CLOCK_STAMP_BYTES + (json ? 9 - 1 + 11 : 0), end;

	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		const char *name = json ? log_levels[i] : shouted[i];

		end = at + strlen(name);
		if (end + (json ? 9 : 1) > bytes ||
		    memcmp(line + at, name, end - at) != 0)
			continue;
		*message = line + end + (json ? 9 : 1);
		return (enum log_level)i;
	}
	*message = line;
	return LOG_INFO;
}

/* ---- event lines ------------------------------------------------------- */

void
log_open(int json, enum log_level level, log_sink sink, void *arg)
{
	out.json = json;
	out.level = level;
	out.sink = sink;
	out.arg = arg;
}

int
log_is_json(void)
{
	return out.json;
}

int
log_wants(enum log_level level)
{
	return level >= out.level;
}

void
log_send(const char *line, size_t bytes)
{
	ssize_t wrote;

	if (out.sink != NULL) {
		out.sink(line, bytes, out.arg);
		return;
	}
	do /* what stderr does not take is lost: there is nobody to tell */
		wrote = write(STDERR_FILENO, line, bytes);
	while (wrote < 0 && errno == EINTR);
}

/* A message that vsnprintf cut may end inside a character: take it back. */
static void
trim(char *message, size_t bytes)
{
	while (bytes > 0 && ((unsigned char)message[bytes - 1] & 0xc0) == 0x80)
		bytes--;
	if (bytes > 0 && (unsigned char)message[bytes - 1] >= 0xc0)
		bytes--;
	message[bytes] = '\0';
}

__attribute__((format(printf, 3, 0))) static void
event(enum log_level level, int error, const char *fmt, va_list ap)
{
	char message[MESSAGE_MAX];
	struct log_line line;
	size_t used;
	int saved = errno;

	if (log_wants(level)) {
		if (vsnprintf(message, sizeof(message), fmt, ap) >=
		    (int)sizeof(message))
			trim(message, sizeof(message) - 1);
		used = strlen(message);
		if (error != 0)
			snprintf(message + used, sizeof(message) - used,
			    ": %s", strerror(error));
		log_line_begin(&line, out.json, level, message);
		log_send(line.text, log_line_end(&line));
	}
	errno = saved;
}

void
log_debugx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	event(LOG_DEBUG, 0, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	event(LOG_INFO, 0, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	event(LOG_WARN, errno, fmt, ap);
	va_end(ap);
}

void
log_warnx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	event(LOG_WARN, 0, fmt, ap);
	va_end(ap);
}

void
log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	event(LOG_ERROR, errno, fmt, ap);
	va_end(ap);
}

void
log_errorx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	event(LOG_ERROR, 0, fmt, ap);
	va_end(ap);
}
