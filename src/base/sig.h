/* SPDX-License-Identifier: MIT */
/* Signals: names for people, and the clean state that a new program wants. */
#ifndef BASE_SIG_H
#define BASE_SIG_H

#include <signal.h>

/* "SIGTERM" for SIGTERM; "signal 77" where there is no name (kept until the
 * next call). */
const char *sig_name(int sig);

/* The asynchronous signals that are blocked save inside a wait. Never SIGSEGV
 * and its like: blocked, they would skip the crash handler. */
void sig_async_set(sigset_t *set);

/* Between fork and exec: default dispositions and an empty mask. */
void sig_reset(void);

#endif
