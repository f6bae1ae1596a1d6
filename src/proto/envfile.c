/* SPDX-License-Identifier: MIT */
/*
 * The parser of EnvironmentFile syntax.  The file is read whole, checked for
 * NUL bytes and endless lines, and then walked pair by pair; a quoted value
 * may run over several lines.
 */
#include "proto/envfile.h"

#include <sys/stat.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct walk {
	const char *path;
	const char *at, *end;
	int line; /* of at, from 1 */
	char key[128];
	char value[ENVFILE_LINE_MAX + 1];
	size_t used; /* of value */
	struct nds_error *err;
};

static int
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int
is_newline(char c)
{
	return c == '\n' || c == '\r';
}

static int
wrong(struct walk *w, int line, const char *what)
{
	return error_set(w->err, "%s:%d: %s", w->path, line, what);
}

/* The next byte, counting lines; the caller knows that there is one. */
static char
next(struct walk *w)
{
	char c = *w->at++;

	if (c == '\n')
		w->line++;
	return c;
}

static void
skip_blanks(struct walk *w)
{
	while (w->at < w->end && is_blank(*w->at))
		w->at++;
}

static void
skip_line(struct walk *w)
{
	while (w->at < w->end && *w->at != '\n')
		w->at++;
}

static int
put(struct walk *w, char c)
{
	if (w->used >= ENVFILE_LINE_MAX)
		return wrong(w, w->line, "the value is longer than 8192 bytes");
	w->value[w->used++] = c;
	return 0;
}

/* A backslash inside "…" stands for itself save before these. */
static int
double_escape(struct walk *w)
{
	char c = next(w);

	if (c == '\n')
		return 0;
	if (strchr("\"\\`$", c) == NULL && put(w, '\\') < 0)
		return -1;
	return put(w, c);
}

static int
quoted(struct walk *w)
{
	int first = w->line;
	char quote = next(w), c;

	while (w->at < w->end) {
		c = next(w);
		if (c == quote)
			return 0;
		if (c == '\\' && quote == '"' && w->at < w->end) {
			if (double_escape(w) < 0)
				return -1;
		} else if (put(w, c) < 0)
			return -1;
	}
	return wrong(w, first, "a quote is not closed");
}

/* To the end of the line; blanks at its end do not count. */
static int
bare(struct walk *w)
{
	size_t keep = w->used;
	char c;

	while (w->at < w->end && !is_newline(*w->at)) {
		c = next(w);
		if (c != '\\') {
			if (put(w, c) < 0)
				return -1;
			if (!is_blank(c))
				keep = w->used;
			continue;
		}
		if (w->at < w->end && *w->at == '\r')
			w->at++;
		if (w->at == w->end || (c = next(w)) == '\n')
			continue;
		if (put(w, c) < 0)
			return -1;
		keep = w->used;
	}
	w->used = keep;
	return 0;
}

static int
value(struct walk *w)
{
	w->used = 0;
	for (;;) {
		skip_blanks(w);
		if (w->at == w->end || is_newline(*w->at))
			break;
		if (*w->at == '\'' || *w->at == '"') {
			if (quoted(w) < 0)
				return -1;
			continue;
		}
		if (bare(w) < 0)
			return -1;
	}
	w->value[w->used] = '\0';
	return 0;
}

static int
is_name(const char *key)
{
	if (!isalpha((unsigned char)*key) && *key != '_')
		return 0;
	while (isalnum((unsigned char)*key) || *key == '_')
		key++;
	return *key == '\0';
}

static int
key(struct walk *w)
{
	const char *from = w->at;
	size_t bytes;

	while (w->at < w->end && *w->at != '=' && !is_newline(*w->at))
		w->at++;
	if (w->at == w->end || *w->at != '=')
		return wrong(w, w->line, "not a line of the form KEY=VALUE");
	bytes = (size_t)(w->at++ - from);
	while (bytes > 0 && is_blank(from[bytes - 1]))
		bytes--;
	if (bytes > 7 && memcmp(from, "export", 6) == 0 && is_blank(from[6]))
		return wrong(w, w->line,
		    "`export` is not allowed here, write KEY=VALUE alone");
	if (bytes >= sizeof(w->key))
		return wrong(w, w->line, "the key is longer than 127 bytes");
	memcpy(w->key, from, bytes);
	w->key[bytes] = '\0';
	if (!is_name(w->key))
		return wrong(w, w->line, "the key is no name: allowed are "
		    "letters, digits and _");
	return 0;
}

static int
walk_pairs(struct walk *w, envfile_pair pair, void *arg)
{
	int line;

	for (;;) {
		while (w->at < w->end &&
		    (is_blank(*w->at) || is_newline(*w->at)))
			next(w);
		if (w->at == w->end)
			return 0;
		if (*w->at == '#' || *w->at == ';') {
			skip_line(w);
			continue;
		}
		line = w->line;
		if (key(w) < 0 || value(w) < 0)
			return -1;
		if (pair(w->key, w->value, line, arg) != 0)
			return -1;
	}
}

static int
check_lines(struct walk *w)
{
	const char *at = w->at, *stop;
	int line = 1;

	for (; at < w->end; at = stop + 1, line++) {
		stop = memchr(at, '\n', (size_t)(w->end - at));
		if (stop == NULL)
			stop = w->end;
		if (memchr(at, '\0', (size_t)(stop - at)) != NULL)
			return wrong(w, line, "a NUL byte: this is no text");
		if (stop - at > ENVFILE_LINE_MAX)
			return wrong(w, line, "longer than 8192 bytes");
	}
	return 0;
}

/* O_NONBLOCK: a fifo must not hold up whoever reads the settings again. */
static int
file_open(const char *path, struct nds_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return error_sys(err, "cannot read %s", path);
	if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode)))
		return fd;
	close(fd);
	return error_set(err, "cannot read %s: %s", path,
	    S_ISDIR(st.st_mode) ? "it is a directory" : "it is no file");
}

/* Returns the bytes read into text[0..ENVFILE_BYTES_MAX], or -1. */
static ssize_t
file_read(const char *path, char *text, struct nds_error *err)
{
	size_t used = 0;
	ssize_t got;
	int fd = file_open(path, err);

	if (fd < 0)
		return -1;
	do {
		got = read(fd, text + used, ENVFILE_BYTES_MAX + 1 - used);
		if (got > 0)
			used += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		error_sys(err, "cannot read %s", path);
	close(fd);
	if (got < 0)
		return -1;
	if (used > ENVFILE_BYTES_MAX)
		return error_set(err, "cannot read %s: larger than 256 KiB",
		    path);
	return (ssize_t)used;
}

int
envfile_read(const char *path, envfile_pair pair, void *arg,
    struct nds_error *err)
{
	struct walk w = {.path = path, .line = 1, .err = err};
	char *text = malloc(ENVFILE_BYTES_MAX + 1);
	ssize_t bytes;
	int result = -1;

	if (text == NULL)
		return error_sys(err, "cannot read %s", path);
	bytes = file_read(path, text, err);
	if (bytes >= 0) {
		w.at = text;
		w.end = text + bytes;
		result = check_lines(&w);
		if (result == 0)
			result = walk_pairs(&w, pair, arg);
	}
	free(text);
	return result;
}
