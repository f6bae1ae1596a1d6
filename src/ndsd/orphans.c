/* SPDX-License-Identifier: MIT */
#include "ndsd/orphans.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "proto/queue.h"

#define ENVIRON_BYTES 65536

/* The listener that it was given, or 0: libnds moves it away from there. */
static unsigned long
listener_of(pid_t pid)
{
	char path[64], to[64] = "";
	unsigned long inode = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd/0", pid);
	if (readlink(path, to, sizeof(to) - 1) < 0 ||
	    sscanf(to, "socket:[%lu]", &inode) != 1)
		return 0;
	return inode;
}

static int
environ_has(const char *all, size_t bytes, const char *wanted)
{
	size_t length;

	for (const char *at = all; at < all + bytes; at += length + 1) {
		length = strlen(at);
		if (strcmp(at, wanted) == 0)
			return 1;
	}
	return 0;
}

static int
is_worker_at(pid_t pid, const char *runtime_dir)
{
	static char all[ENVIRON_BYTES];
	char path[64], wanted[SETTINGS_TEXT_MAX + 32];
	ssize_t bytes;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	bytes = read(fd, all, sizeof(all) - 1);
	close(fd);
	if (bytes <= 0)
		return 0;
	all[bytes] = '\0';
	snprintf(wanted, sizeof(wanted), "APP_RUNTIME_DIR=%s", runtime_dir);
	return environ_has(all, (size_t)bytes, wanted) &&
	    environ_has(all, (size_t)bytes, BOARD_ENV_ROLE "=worker");
}

static int
is_of_pool(pid_t leader, const struct pool *pool)
{
	for (size_t i = 0; i < BOARD_SLOTS_MAX; i++)
		if (pool->place[i].pid > 0 && pool->place[i].pid == leader)
			return 1;
	return 0;
}

static int
read_line(pid_t pid, const char *name, char text[512])
{
	char path[64];
	FILE *file;
	int result;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "re");
	if (file == NULL)
		return -1;
	result = fgets(text, 512, file) == NULL ? -1 : 0;
	fclose(file);
	return result;
}

/* Returns 0 when it cannot be told. */
static pid_t
parent_of(pid_t pid)
{
	char text[512];
	const char *behind;
	int parent;

	if (read_line(pid, "stat", text) < 0 ||
	    (behind = strrchr(text, ')')) == NULL ||
	    sscanf(behind, ") %*c %d", &parent) != 1)
		return 0;
	return parent;
}

/* Not one that descends from the pool, whatever group it has made itself, nor
 * from another container's ndsd, which may have a directory of that name. */
static int
is_orphan(pid_t pid, const struct pool *pool)
{
	char name[512];

	for (; pid > 0; pid = parent_of(pid)) {
		if (is_of_pool(getpgid(pid), pool) ||
		    read_line(pid, "comm", name) < 0 ||
		    strncmp(name, "ndsd", 4) == 0)
			return 0;
		if (pid == 1)
			return 1;
	}
	return 0; /* who knows */
}

int
orphans_end(const char *runtime_dir, const struct pool *pool, int last)
{
	DIR *all = opendir("/proc");
	struct dirent *entry;
	unsigned long inode;
	int left = 0;

	while (all != NULL && (entry = readdir(all)) != NULL) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid <= 0 || (inode = listener_of(pid)) == 0 ||
		    !is_worker_at(pid, runtime_dir) || !is_orphan(pid, pool))
			continue;
		if (!last && queue_length_of(inode) != 0) {
			left++;
			continue;
		}
		log_info("worker (pid %d) of the ndsd before is told to end",
		    pid);
		kill(pid, SIGTERM);
	}
	if (all != NULL)
		closedir(all);
	return left;
}
