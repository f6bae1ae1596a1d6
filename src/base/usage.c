/* SPDX-License-Identifier: MIT */
#include "base/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* proc(5), /proc/pid/stat: fields 14, 15 and 24, behind a name that may hold
 * anything. */
void
usage_read(struct usage *u, pid_t pid)
{
	unsigned long long user, system, pages;
	uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	char text[1024], *at;
	ssize_t n;
	int fd;

	memset(u, 0, sizeof(*u));
	snprintf(text, sizeof(text), "/proc/%d/stat", (int)pid);
	fd = open(text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strrchr(text, ')');
	if (at == NULL || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u "
	    "%*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %*u %*u %llu",
	    &user, &system, &pages) != 3)
		return;
	u->known = 1;
	u->resident_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	u->cpu_us = (user + system) * tick_us;
}
