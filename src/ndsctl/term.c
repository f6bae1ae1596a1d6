/* SPDX-License-Identifier: MIT */
/*
 * Everything that came from elsewhere goes through term_safe() before it is
 * printed.  The progress line is written whole, cut to the width of the
 * terminal, and taken away before anything else is printed.
 */
#include "ndsctl/term.h"

#include <sys/ioctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR (TERM_BAR - 4) /* characters between the brackets */
#define CLEAR "\r\033[K"

static volatile sig_atomic_t shown; /* a progress line stands there */

/* Does a character that steers begin here? (UTF-8 of U+0080–9F, U+202A–2E,
 * U+2066–69) */
static int
steers(const unsigned char *s)
{
	if (s[0] == 0xc2)
		return s[1] >= 0x80 && s[1] <= 0x9f;
	if (s[0] != 0xe2)
		return 0;
	return (s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae) ||
	    (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
}

char *
term_safe(char *text)
{
	unsigned char *s = (unsigned char *)text;

	for (; *s != '\0'; s++)
		if (*s < 0x20 || *s == 0x7f || steers(s))
			*s = '?'; /* what follows is no character any more */
		else if ((*s & 0xc0) == 0x80 && (s == (unsigned char *)text ||
		    s[-1] < 0x80))
			*s = '?';
	return text;
}

int
term_is_terminal(FILE *stream)
{
	const char *term = getenv("TERM");

	return isatty(fileno(stream)) && term != NULL && *term != '\0' &&
	    strcmp(term, "dumb") != 0;
}

int
term_colours(FILE *stream)
{
	const char *no = getenv("NO_COLOR");

	return (no == NULL || *no == '\0') && term_is_terminal(stream);
}

static int
columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

static void
on_interrupt(int sig)
{
	if (shown && write(STDERR_FILENO, CLEAR, sizeof(CLEAR) - 1) < 0)
		_exit(128 + sig);
	signal(sig, SIG_DFL);
	raise(sig);
}

char *
term_bar(char out[TERM_BAR], int64_t done, int64_t total)
{
	size_t full;

	out[0] = '\0';
	if (total <= 0)
		return out;
	full = done < 0 ? 0 : done > total ? BAR : (size_t)(done * BAR / total);
	out[0] = '[';
	memset(out + 1, '#', full);
	memset(out + 1 + full, '-', BAR - full);
	memcpy(out + 1 + BAR, "] ", 3);
	return out;
}

void
term_progress(const char *text, int done, int total, void *arg)
{
	char line[256], begin[TERM_BAR];
	int width;

	(void)arg;
	snprintf(line, sizeof(line), "%s", text);
	term_safe(line);
	if (!term_is_terminal(stderr)) {
		fprintf(stderr, "%s\n", line);
		return;
	}
	if (!shown) {
		signal(SIGINT, on_interrupt);
		signal(SIGTERM, on_interrupt);
	}
	term_bar(begin, done, total);
	width = columns() - 1 - (int)strlen(begin);
	fprintf(stderr, CLEAR "%s%.*s", begin, width < 0 ? 0 : width, line);
	fflush(stderr);
	shown = 1;
}

void
term_progress_end(void)
{
	if (!shown)
		return;
	fputs(CLEAR, stderr);
	fflush(stderr);
	shown = 0;
}
