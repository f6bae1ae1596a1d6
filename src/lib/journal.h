/* SPDX-License-Identifier: MIT */
/*
 * Where libnds's log lines go: into the slot's ring under ndsd, at no system
 * call a line, else to stderr.  It also knows the request that is being
 * served, so that what its handler logs can be found by the request's id.
 */
#ifndef LIB_JOURNAL_H
#define LIB_JOURNAL_H

#include "base/log.h"
#include "proto/board.h"
#include "proto/settings.h"

struct nds_request;

/* Begin, in the form and from the level of the settings.  slot NULL = stderr.
 * control_fd is kept by reference: it says where ndsd listens at the moment,
 * -1 = nowhere. */
void journal_open(const struct settings *s, struct slot *slot,
    const int *control_fd);

/* The request that lines belong to from here on; NULL = none. */
void journal_enter(const struct nds_request *req);

/* The same of the request that a slot holds, if it is known who it is; NULL =
 * none.  For the guardian. */
void journal_enter_slot(struct slot *slot);

#endif
