/* SPDX-License-Identifier: MIT */
/*
 * Another ndsd binary takes over: the supervisor lets it prove that it runs
 * and can read the state, then the keeper becomes it, by exec, with the same
 * pid and every descriptor it keeps, and starts a supervisor of the new kind.
 */
#ifndef NDSD_UPGRADE_H
#define NDSD_UPGRADE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct supervisor;

#define UPGRADE_ENV "NDSD_CHECK_FD"   /* set: prove that you can read it */
#define UPGRADE_CLIENT "upgrade.client" /* in the store: who waits for it */
#define UPGRADE_CHECK_MS 5000

struct upgrade {
	pid_t pid;	  /* of the binary that proves itself; 0 = none */
	int64_t until_ms; /* it may take so long */
	int client_fd;	  /* who asked, -1 = a signal */
	char path[512];	  /* of the binary */
};

/* Let the binary at ndsd's own path prove itself.  client_fd (-1 = none) is
 * upgrade's from then on when it returns 0.  Returns -1 with err. */
int upgrade_begin(struct supervisor *sup, int client_fd,
    struct nds_error *err);

/* The proof has ended (1: it was that process). */
int upgrade_died(struct supervisor *sup, pid_t pid, int status);

/* It takes too long. */
void upgrade_tick(struct supervisor *sup, int64_t now_ms);

/* In a supervisor that was just started: answer who waits. failed = errno of
 * the keeper's exec, 0 = it went well. */
void upgrade_answer(struct supervisor *sup, int client_fd, int failed);

/* What the binary does to prove itself: read the state, and where its settings
 * are another release's those of file and environment.  Returns its exit
 * status. */
int upgrade_prove(int state_fd, const char *file);

#endif
