/* SPDX-License-Identifier: MIT */
/*
 * The keeper: the main process, often pid 1.  It holds named descriptors,
 * starts the supervisor and starts it again when it dies, reaps orphans and
 * passes signals on.  Nothing else: what it does not do cannot break it.
 */
#ifndef NDSD_KEEPER_H
#define NDSD_KEEPER_H

#include "base/error.h"
#include "proto/store.h"

struct keeper {
	int exe_fd;    /* this very binary, to start supervisors from */
	char **argv;   /* of main(), for the supervisor */
	int store_fd;  /* our end; -1 while no supervisor runs */
	int signal_fd;
	int pid;       /* of the supervisor; 0 = none */
	int restarts;
	int failures;	     /* young deaths in a row */
	long long started_ms, retry_ms;
	unsigned long long pending; /* signals not yet acted upon, by bit */
	int status;	     /* exit status, once the supervisor said so */
	int done;
	int item_count;
	struct {
		char name[STORE_NAME_BYTES];
		int fd;
	} item[STORE_MAX];
};

/* Put an fd under a name before the first supervisor starts; it is the
 * keeper's from then on. */
void keeper_put(struct keeper *k, const char *name, int fd);

/* Run until the supervisor says that the service has stopped. Returns the exit
 * status of the program. */
int keeper_run(struct keeper *k, char **argv);

#endif
