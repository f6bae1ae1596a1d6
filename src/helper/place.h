/* SPDX-License-Identifier: MIT */
/*
 * Whose place this is: how a process that ndsd has left behind, because its
 * main process was killed, learns that another ndsd has come.  It serves until
 * then, so what it must tell apart is "nobody yet", "another socket stands
 * where ours was" and "our socket has another owner".
 */
#ifndef HELPER_PLACE_H
#define HELPER_PLACE_H

#include <stdint.h>

#include "proto/board.h"
#include "proto/settings.h"

/* A file as it was when we looked first; ino 0 = it was not there. */
struct place_file {
	char path[SETTINGS_TEXT_MAX + 16];
	uint64_t dev, ino;
	int64_t changed_ns; /* an inode's number may be used again */
};

struct place {
	struct place_file socket, owner;
	int64_t alone_ms; /* when we first looked, 0 = not yet */
	struct board_file own; /* what the owner's file will be or is by us */
	int64_t over_ms; /* when another was first seen there, 0 = not yet */
	int shared;	 /* it goes on with our own socket */
};

/* Note which file of runtime_dir the listener is and who owns it: as the board
 * tells, since that may not have its name yet; else (pool may be NULL) what
 * stands there.  To be called while ndsd is known to live; control_fd, whose
 * end of file means that it does not, tells whether it still did: if not, the
 * first look says that all is over. */
void place_note(struct place *p, const char *runtime_dir,
    enum board_made which, const struct pool_board *pool, int control_fd);

/* Look again; only useful once ndsd is gone.  Returns 1 when it is time to
 * leave: a moment after another socket was seen at its path, so that who had
 * just looked the old one up has come; or shared_ms after another main process
 * was seen to own the same socket, so that its own processes are there; or
 * stop_ms after the first look: nobody comes after an ndsd that was killed in a
 * stop (-1 = it was not). */
int place_is_over(struct place *p, int64_t shared_ms, int64_t stop_ms);

#endif
