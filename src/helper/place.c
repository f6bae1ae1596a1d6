/* SPDX-License-Identifier: MIT */
#include "helper/place.h"

#include <sys/stat.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define LINGER_MS 200

static int
file_look(const char *path, struct place_file *f)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -1;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->changed_ns = st.st_ctim.tv_sec * INT64_C(1000000000) +
	    st.st_ctim.tv_nsec;
	return 0;
}

static void
file_note(struct place_file *f, const char *dir, const char *name)
{
	snprintf(f->path, sizeof(f->path), "%.107s/%.15s", dir, name);
	if (file_look(f->path, f) < 0)
		f->ino = 0;
}

void
place_note(struct place *p, const char *runtime_dir, enum board_made which,
    const struct pool_board *pool, int control_fd)
{
	struct pollfd control = {.fd = control_fd};

	memset(p, 0, sizeof(*p));
	file_note(&p->socket, runtime_dir,
	    which == BOARD_APP ? "app.sock" : "health.sock");
	file_note(&p->owner, runtime_dir, "ndsd.pid");
	if (pool != NULL)
		p->own = pool->made[BOARD_OWNER];
	if (pool != NULL && pool->made[which].ino != 0) {
		p->socket.dev = pool->made[which].dev;
		p->socket.ino = pool->made[which].ino;
	}
	poll(&control, 1, 0);
	if (control.revents & (POLLHUP | POLLERR))
		p->over_ms = clock_ms() - LINGER_MS;
}

/* Mode and group of a socket may change, which is no other socket; without one
 * nobody comes.  A main process writes a file of its own. */
static int
socket_lost(const struct place_file *f)
{
	struct place_file now;

	if (f->ino == 0)
		return 0;
	if (file_look(f->path, &now) < 0)
		return errno == ENOENT || errno == ENOTDIR;
	return now.dev != f->dev || now.ino != f->ino;
}

static int
owner_changed(const struct place *p)
{
	const struct place_file *f = &p->owner;
	struct place_file now;

	if ((f->ino == 0 && p->own.ino == 0) || file_look(f->path, &now) < 0)
		return 0;
	if (now.dev == p->own.dev && now.ino == p->own.ino)
		return 0;
	return now.dev != f->dev || now.ino != f->ino ||
	    now.changed_ns != f->changed_ns;
}

int
place_is_over(struct place *p, int64_t shared_ms, int64_t stop_ms)
{
	int64_t now = clock_ms();

	if (p->alone_ms == 0)
		p->alone_ms = now;
	if (stop_ms >= 0 && now - p->alone_ms >= stop_ms)
		return 1;
	if (p->over_ms == 0 || p->shared) {
		int lost = socket_lost(&p->socket);

		if (!lost && !owner_changed(p))
			return 0;
		if (p->over_ms == 0 || lost)
			p->over_ms = now;
		p->shared = !lost;
	}
	return now - p->over_ms >= (p->shared ? shared_ms : LINGER_MS);
}
