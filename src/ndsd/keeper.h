/* SPDX-License-Identifier: MIT */
/*
 * The keeper: the main process, often pid 1.  It holds named descriptors,
 * starts the supervisor and starts it again when it dies, reaps orphans and
 * passes signals on.  Nothing else: what it does not do cannot break it.
 */
#ifndef NDSD_KEEPER_H
#define NDSD_KEEPER_H

#include "base/error.h"
#include "ndsd/recent.h"
#include "proto/store.h"

struct keeper {
	int exe_fd;    /* this very binary, to start supervisors from */
	char exe_path[512]; /* where it was, and where the next one will be */
	char **argv;   /* of main(), for the supervisor */
	int store_fd;  /* our end; -1 while no supervisor runs */
	int signal_fd;
	int pid;       /* of the supervisor; 0 = none */
	const char *deaf; /* why the supervisor was killed; NULL = it was not */
	struct recent *recent; /* of the log; NULL = not kept */
	int restarts;
	int failures;	     /* young deaths in a row */
	long long started_ms, retry_ms;
	unsigned long long pending; /* signals not yet acted upon, by bit */
	long long heed_ms;	    /* to one of them by then */
	int unheeding;		    /* supervisors killed for that in a row */
	int serial[64]; /* of the last signal of each number */
	int serials;
	int status;	     /* exit status, once the supervisor said so */
	int done;
	int upgrade_errno; /* of the last upgrade, until it is told */
	int item_count;
	struct {
		char name[STORE_NAME_BYTES];
		int fd;
	} item[STORE_MAX];
};

/* Put an fd under a name before the first supervisor starts; it is the
 * keeper's from then on. */
void keeper_put(struct keeper *k, const char *name, int fd);

/* Set by a keeper that becomes another binary: a table of what it keeps. */
#define KEEPER_ENV "NDSD_KEEPER_FD"

/* Tells a supervisor where the keeper's binary is, or will be. */
#define KEEPER_PATH_ENV "NDSD_PATH"

/* Begin empty; or, after an upgrade, with what the former binary kept. Returns
 * 1 when it was an upgrade, 0 when not, -1 with err when the table is bad. */
int keeper_open(struct keeper *k, struct nds_error *err);

/* The descriptor kept under a name, or -1. */
int keeper_fd(const struct keeper *k, const char *name);

/* Run until the supervisor says that the service has stopped. Returns the exit
 * status of the program. */
int keeper_run(struct keeper *k, char **argv);

#endif
