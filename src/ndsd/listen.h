/* SPDX-License-Identifier: MIT */
/*
 * What ndsd makes in the file system before anything runs: the runtime
 * directory, the lock that says whose it is, the listening sockets and the pid
 * file; and the change of user after that.
 */
#ifndef NDSD_LISTEN_H
#define NDSD_LISTEN_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "proto/settings.h"

/* What we made, as device and inode: another ndsd may have put its own there
 * since. */
struct listen_made {
	uint64_t dev, ino;
};
enum { LISTEN_APP, LISTEN_HEALTH, LISTEN_CONTROL, LISTEN_SOCKETS,
	LISTEN_PID = LISTEN_SOCKETS, LISTEN_MADE };

struct listeners {
	int lock_fd;
	int fd[LISTEN_SOCKETS];
	int handed[LISTEN_SOCKETS]; /* 1: it was there before us, and stays */
	int kept[LISTEN_SOCKETS]; /* 1: of a killed ndsd, and now ours */
	int hidden[LISTEN_MADE]; /* 1: it is not in its place yet */
	long killed_pid; /* of an ndsd that has left without a stop, 0 = none */
	struct listen_made made[LISTEN_MADE];
};

/* Check that APP_USER and APP_SOCKET_GROUP exist. Returns 0 or -1. */
int listen_check(const struct settings *s, struct nds_error *err);

/* Make all of it, but for sockets that were handed to us.  Nothing that a live
 * ndsd owns is touched: the lock is taken first.  Where somebody still answers,
 * as what a killed ndsd has left behind does, ours listens under another name
 * beside it. Returns 0, or -1 with err saying what to do. */
int listen_prepare(const struct settings *s, struct listeners *l,
    struct nds_error *err);

/* Become APP_USER, for good, when root and when it is set. Returns 0 or -1. */
int listen_drop_privileges(const struct settings *s, struct nds_error *err);

/* 1 while app.sock of ours is not in its place: another's stands there. */
int listen_is_hidden(const struct settings *s, const struct listen_made *made);

/* 1 when somebody listens on the socket that stands at its path. */
int listen_is_answered(const struct settings *s, int which);

/* Put what still has another name into its place.  Returns how many there were,
 * or -1 with err. */
int listen_show(const struct settings *s, const struct listen_made *made,
    struct nds_error *err);

/* Remove app.sock: no connection comes after this. Remove the rest. */
void listen_close_door(const struct settings *s,
    const struct listen_made *made);
void listen_tidy(const struct settings *s, const struct listen_made *made);

/* Returns 1, with the place in path (PATH_MAX), when one of our sockets was
 * removed or replaced: nobody can reach us there any more. */
int listen_lost(const struct settings *s, const struct listen_made *made,
    char *path);

/* APP_RUNTIME_DIR/name into path (PATH_MAX); the place of a socket. */
void listen_path(const struct settings *s, const char *name, char *path);
void listen_socket_path(const struct settings *s, int which, char *path);

#endif
