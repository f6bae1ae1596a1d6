/* SPDX-License-Identifier: MIT */
/* What a process takes of the machine. */
#ifndef BASE_USAGE_H
#define BASE_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct usage {
	int known; /* 0: no such process, or it may not be looked at */
	uint64_t resident_bytes;
	uint64_t cpu_us; /* user and system, of all of its threads */
};

/* Ask /proc: one file. */
void usage_read(struct usage *u, pid_t pid);

#endif
