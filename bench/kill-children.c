/* SPDX-License-Identifier: MIT */
/*
 * For bench/raw-kills: kills the child of one guardian after the other with
 * SIGKILL, one each so many milliseconds, until SIGTERM; then says how many.
 *
 *	kill-children EVERY_MS GUARDIAN_PID...
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile sig_atomic_t told_to_end;

static void
note_end(int sig)
{
	(void)sig;
	told_to_end = 1;
}

/* Returns 1 when there was one. */
static int
kill_child(const char *guardian)
{
	char path[96];
	FILE *file;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%s/task/%s/children", guardian,
	    guardian);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid > 0 && kill(pid, SIGKILL) == 0;
}

int
main(int argc, char **argv)
{
	long every_ms = argc > 2 ? atol(argv[1]) : 0;
	struct timespec pause = {0, every_ms * 1000000};
	unsigned long kills = 0;
	int next = 2;

	if (every_ms <= 0)
		return 2;
	signal(SIGTERM, note_end);
	while (!told_to_end) {
		kills += (unsigned long)kill_child(argv[next]);
		next = next + 1 < argc ? next + 1 : 2;
		nanosleep(&pause, NULL);
	}
	printf("%lu\n", kills);
	return 0;
}
