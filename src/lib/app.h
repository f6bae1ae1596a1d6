/* SPDX-License-Identifier: MIT */
/* The application as its author described it; nds_run() chooses the role. */
#ifndef LIB_APP_H
#define LIB_APP_H

#include "lib/limit.h"
#include "lib/nds.h"
#include "lib/route.h"
#include "base/error.h"
#include "proto/board.h"
#include "proto/settings.h"
#include "proto/shared.h"

struct app_check {
	const char *name;
	nds_check_fn check;
	int timeout_ms, every_ms;
};

struct nds_app {
	const char *name, *version;
	struct router router;
	struct app_check checks[BOARD_CHECKS_MAX];
	int check_count;
	nds_hook start, stop;
	void *start_arg, *stop_arg;
	struct nds_upstream *upstreams;
	struct nds_metric *metrics;
	struct nds_error wrong; /* first mistake in the description, or "" */
	struct settings settings;
	/* of the worker that runs it; worker_open() sets them */
	struct pool_board *pool; /* NULL without ndsd */
	struct slot *slot;
	struct shared *shared;
	struct limits limits;
};

#endif
