/* SPDX-License-Identifier: MIT */
/*
 * The fd store: how the supervisor keeps in the keeper what must outlive it.
 * Named descriptors go to the keeper as they are made; a new supervisor is
 * handed them all before anything else.  Fixed-size messages over one
 * SOCK_SEQPACKET pair, made anew for each supervisor.
 */
#ifndef PROTO_STORE_H
#define PROTO_STORE_H

#include <stdint.h>

#define STORE_NAME_BYTES 32
#define UPGRADE_NONE (-1) /* STORE_END: no upgrade has been */
#define STORE_MAX 4096		/* descriptors */
#define STORE_ENV "NDSD_STORE_FD" /* set: this ndsd is a supervisor */

enum store_type {
	/* supervisor to keeper */
	STORE_PUT = 1, /* name, fd: keep it; replaces one of that name */
	STORE_DROP,    /* name: close it */
	STORE_BYE,     /* value = exit status: the service has stopped */
	STORE_TOOK,    /* value = signal: it was acted upon */
	STORE_UPGRADE, /* end me, and become the binary at your path */

	/* keeper to supervisor */
	STORE_ITEM = 64, /* name, fd: one that is kept */
	STORE_END,	 /* that was the last; value = restarts so far,
			    status = errno of an upgrade just tried, 0 =
			    done, UPGRADE_NONE = none */
	STORE_SIGNAL,	 /* value = signal sent to the main process,
			    status = its serial number: obey it once */
	STORE_REAPED	 /* value = pid, status = of waitpid */
};

struct store_message {
	uint32_t type; /* enum store_type */
	int32_t value;
	int32_t status;
	char name[STORE_NAME_BYTES]; /* terminated */
};

/* Send a message and fd with it (-1 = none; it stays the caller's).  Blocks
 * at most for the socket's own send timeout. Returns 0 or -1 with errno. */
int store_send(int store_fd, const struct store_message *message, int fd);

/* Receive one; *fd is what came with it or -1.  block = 0 returns -1 with
 * EAGAIN when none waits. Returns 1, 0 for EOF, or -1 with errno. */
int store_recv(int store_fd, struct store_message *message, int *fd,
    int block);

/* The commonest message: type and name. */
int store_put(int store_fd, const char *name, int fd);
int store_drop(int store_fd, const char *name);

#endif
