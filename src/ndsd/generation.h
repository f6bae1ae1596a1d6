/* SPDX-License-Identifier: MIT */
/*
 * A generation is a program together with the settings it runs with.  A reload
 * reads the settings again and opens the program anew; both take the place of
 * the old ones when the roll is done, and give it back when the pool goes back.
 * The old program stays open meanwhile, so that it can be started again even
 * when another file stands at its path.
 */
#ifndef NDSD_GENERATION_H
#define NDSD_GENERATION_H

#include <stdint.h>

#include "base/error.h"

struct supervisor;
struct slot_process;

/* Open the program of the first generation; take back a reload that the last
 * supervisor has died over before it was begun whole. Returns 0, or -1 with
 * err. */
int generation_open(struct supervisor *sup, struct nds_error *err);

/* Begin a reload, which token (or "") tells from any other.  Returns 0, or -1
 * with err: settings that are wrong or cannot change while running, a program
 * that cannot be executed, a reload under way, a service that stops. What runs
 * is untouched then. */
int generation_reload(struct supervisor *sup, const char *token,
    struct nds_error *err);

/* A process of a slot is dead: if that may end the roll, keep the reason. */
void generation_blame(struct supervisor *sup, const struct slot_process *s,
    const char *how);

/* 1: a worker is ready by what it says alone, since the program is libnds's, or
 * the one before this reload is; 0: also by having lived for a moment. */
int generation_must_speak(const struct supervisor *sup);

/* Why a worker that has not become ready in time was killed. */
const char *generation_late(const struct supervisor *sup, uint32_t number);

/* Settle a roll that has ended: before the policy has anything else started, or
 * it would be what the roll has given up. */
void generation_step(struct supervisor *sup);

#endif
