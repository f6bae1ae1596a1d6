/* SPDX-License-Identifier: MIT */
/*
 * A slot of the pool as mechanism: its segment, its process, the probe that
 * proves it ready.  What to do with it the pool decides.
 */
#ifndef NDSD_SLOT_H
#define NDSD_SLOT_H

#include "ndsd/process.h"
#include "proto/board.h"

struct supervisor;

struct slot_process {
	struct supervisor *sup;
	uint32_t number;
	struct process process;
	int segment_fd; /* -1 = not made yet */
	struct slot *map;
	struct watch probe; /* our end of the readiness request */
	size_t probe_bytes;
	uint8_t probe_answer[1024];
};

void slot_init(struct slot_process *s, struct supervisor *sup, uint32_t number);

/* Start a process in the slot, making its segment when it is the first.
 * Returns the pid, or 0 after logging why not. */
int32_t slot_spawn(struct slot_process *s);

/* Go on with a process that an earlier supervisor started. */
void slot_adopt(struct slot_process *s, int segment_fd, int control_fd,
    int output_fd);

/* Carry out the pool's orders. */
void slot_retire(struct slot_process *s);
void slot_kill(struct slot_process *s);

/* Its process is dead: log how, close what was its, tidy the segment. */
void slot_dead(struct slot_process *s, int status);

/* A program without libnds counts as ready when it has lived for a moment: a
 * probe could be answered by any worker of the shared listener. */
#define SLOT_FOREIGN_READY_MS 500
void slot_check_foreign(struct slot_process *s, int64_t now_ms);

/* Take over what it has logged since; its slot must be mapped. */
void slot_collect(struct slot_process *s);

/* 1 while it serves a request; how long it does, in ms (0 when idle). */
int slot_busy(const struct slot_process *s);
int64_t slot_request_ms(const struct slot_process *s, int64_t now_ms);

#endif
