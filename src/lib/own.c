/* SPDX-License-Identifier: MIT */
#include "lib/own.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <dirent.h>
#include <stdlib.h>

#define FIRST_ROOM 64
#define BLIND_MAX 65536 /* without /proc: numbers tried at most */

/* A descriptor is what it was only as long as device and inode say so. */
struct own_fd {
	int fd;
	dev_t dev;
	ino_t ino;
};

static struct {
	struct own_fd *fds;
	size_t count, room;
} own;

static void
visit_blind(int (*visit)(int fd, void *arg), void *arg)
{
	struct rlimit limit = {BLIND_MAX, BLIND_MAX};

	getrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = 0; fd < BLIND_MAX && (rlim_t)fd < limit.rlim_cur; fd++)
		if (visit(fd, arg) != 0)
			return;
}

void
own_visit(int (*visit)(int fd, void *arg), void *arg)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd;

	if (dir == NULL) {
		visit_blind(visit, arg);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		fd = atoi(entry->d_name);
		if (entry->d_name[0] != '.' && fd != dirfd(dir) &&
		    visit(fd, arg) != 0)
			break;
	}
	closedir(dir);
}

static int
own_grow(void)
{
	size_t room = own.room == 0 ? FIRST_ROOM : 2 * own.room;
	struct own_fd *fds = realloc(own.fds, room * sizeof(*fds));

	if (fds == NULL)
		return -1;
	own.fds = fds;
	own.room = room;
	return 0;
}

static int
note_one(int fd, void *failed)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return 0;
	if (own.count == own.room && own_grow() < 0)
		return *(int *)failed = -1;
	own.fds[own.count++] = (struct own_fd){fd, st.st_dev, st.st_ino};
	return 0;
}

int
own_note(void)
{
	int failed = 0;

	own.count = 0;
	own_visit(note_one, &failed);
	return failed;
}

int
own_has(int fd)
{
	struct stat st;

	for (size_t i = 0; i < own.count; i++)
		if (own.fds[i].fd == fd)
			return fstat(fd, &st) == 0 &&
			    st.st_dev == own.fds[i].dev &&
			    st.st_ino == own.fds[i].ino;
	return 0;
}
