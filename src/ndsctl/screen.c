/* SPDX-License-Identifier: MIT */
#include "ndsctl/screen.h"

#include <sys/ioctl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

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

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
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

size_t
screen_rows(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
		return 24;
	return size.ws_row;
}

void
screen_draw(char *text)
{
	size_t rows = screen_rows();
	char *line = text, *end;

	fputs("\033[H", stdout);
	for (size_t i = 0; i < rows && *line != '\0'; i++) {
		end = line + strcspn(line, "\n");
		fprintf(stdout, "%s%.*s\033[K", i == 0 ? "" : "\r\n",
		    (int)(end - line), line);
		line = end + (*end == '\n');
	}
	fputs("\033[J", stdout);
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
