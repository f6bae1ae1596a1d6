/* SPDX-License-Identifier: MIT */
/*
 * Shared memory that processes hand each other: memfds of a size that is fixed
 * once and for all, so that no holder can shrink one under another (SIGBUS).
 */
#ifndef PROTO_SEGMENT_H
#define PROTO_SEGMENT_H

#include <stdint.h>

#include "base/error.h"

#define SEGMENT_MAX (1u << 30) /* more is nonsense */

/* Up to whole pages. */
uint64_t segment_round(uint64_t bytes);

/* A zeroed memfd of that size which keeps it for ever; its pages take memory
 * when they are first written. Returns a CLOEXEC fd, or -1 with err. */
int segment_new(const char *name, uint64_t bytes, struct nds_error *err);

#endif
