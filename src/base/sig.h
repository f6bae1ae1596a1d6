/* SPDX-License-Identifier: MIT */
/* Signals: names for people, and the clean state that a new program wants. */
#ifndef BASE_SIG_H
#define BASE_SIG_H

#include <signal.h>

/* "SIGTERM" for SIGTERM; "signal 77" where there is no name (kept until the
 * next call). */
const char *sig_name(int sig);

/* How a process has ended, by its wait status: "died of SIGSEGV", "exited with
 * status 3"; of a negative one that is not known. Returns how. */
#define SIG_ENDED_BYTES 48
const char *sig_ended(int status, char how[SIG_ENDED_BYTES]);

/* The asynchronous signals that are blocked save inside a wait. Never SIGSEGV
 * and its like: blocked, they would skip the crash handler. */
void sig_async_set(sigset_t *set);

/* Between fork and exec: default dispositions and an empty mask. */
void sig_reset(void);

#endif
