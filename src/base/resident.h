/* SPDX-License-Identifier: MIT */
/* How much memory a process holds. */
#ifndef BASE_RESIDENT_H
#define BASE_RESIDENT_H

#include <stdint.h>
#include <sys/types.h>

/* Resident bytes; 0 when it cannot be told. */
int64_t resident_bytes(pid_t pid);

#endif
