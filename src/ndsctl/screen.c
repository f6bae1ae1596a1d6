/* SPDX-License-Identifier: MIT */
#include "ndsctl/screen.h"

#include <sys/ioctl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "ndsctl/term.h"

/* Alternate screen, no cursor, no wrapping at the margin; and back. */
#define BEGIN "\033[?1049h\033[?25l\033[?7l"
#define END "\033[?7h\033[?25h\033[?1049l"

static struct termios before;
static volatile sig_atomic_t told_to_end;

static void
on_end(int sig)
{
	(void)sig;
	told_to_end = 1;
}

static void
on_resize(int sig)
{
	(void)sig; /* it has interrupted the wait */
}

int
screen_open(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = on_end};
	struct termios raw;

	if (!term_is_terminal(stdout) || tcgetattr(STDIN_FILENO, &before) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		sigaction(ends[i], &action, NULL);
	action.sa_handler = on_resize;
	sigaction(SIGWINCH, &action, NULL);
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* the shell would get it as it is */
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs(BEGIN, stdout);
	return 0;
}

void
screen_close(void)
{
	fputs(END, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static struct winsize
screen_size(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 ||
	    size.ws_col == 0)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	return size;
}

/* The bytes of a line that so many columns hold; colours take no room. */
static size_t
fitting(const char *line, size_t bytes, size_t columns)
{
	size_t at = 0, used = 0;

	while (at < bytes) {
		if (line[at] == '\033')
			at += strcspn(line + at, "m");
		else if ((line[at] & 0xc0) != 0x80 && used++ == columns)
			return at;
		at++;
	}
	return bytes;
}

/* A number that is cut must not look like another number. */
static void
draw_line(const char *line, size_t bytes, size_t columns)
{
	size_t fits = fitting(line, bytes, columns);

	if (fits < bytes)
		fits = fitting(line, bytes, columns - 1);
	printf("%.*s%s", (int)fits, line, fits < bytes ? "\033[0m>" : "");
}

/* Each line, with the last all below it, is cleared before it is written: at
 * the last column the cursor stays on what it has written there. */
void
screen_draw(const char *text)
{
	struct winsize size = screen_size();
	const char *next;
	size_t bytes;
	int is_last;

	fputs("\033[H", stdout);
	for (int left = size.ws_row; left > 0 && *text != '\0'; left--) {
		bytes = strcspn(text, "\n");
		next = text + bytes + (text[bytes] == '\n');
		is_last = left == 1 || *next == '\0';
		fputs(is_last ? "\033[J" : "\033[K", stdout);
		draw_line(text, bytes, size.ws_col);
		fputs(is_last ? "" : "\r\n", stdout);
		text = next;
	}
	fflush(stdout);
}

int
screen_key(int timeout_ms)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	unsigned char key;

	if (told_to_end)
		return -1;
	if (poll(&p, 1, timeout_ms) <= 0)
		return told_to_end ? -1 : 0;
	return read(STDIN_FILENO, &key, 1) == 1 ? key : -1;
}
