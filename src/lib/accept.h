/* SPDX-License-Identifier: MIT */
/*
 * Where the next connection comes from: the listener, the orders of ndsd, and
 * the one place where this process waits with its signals open.  It decides
 * when a worker leaves and never touches what it hands out.
 */
#ifndef LIB_ACCEPT_H
#define LIB_ACCEPT_H

#include <signal.h>
#include <stdint.h>

#include "base/error.h"
#include "lib/serve.h"

struct acceptor {
	struct worker *worker;
	int epoll_fd;
	int probe_fd;	      /* came with ORDER_PROBE, -1 = none */
	sigset_t open_mask;   /* signals during a wait */
	int proved;	      /* 0: nothing before ndsd's readiness request */
	int retiring;	      /* empty the queue, then leave */
	int failed;	      /* the listener is broken */
	int orphaned;	      /* ndsd has been here and is gone */
	int64_t leave_ms;     /* retiring: no longer than until then */
	int64_t glanced_ms;   /* last look at signals and orders */
	unsigned turns;	      /* connections since then */
};

/* Block the asynchronous signals (base/sig.h) but for the waits here, make
 * SIGTERM and SIGUSR1 (SIGINT too without ndsd) mean retire, and make the
 * worker's listener ready.  Returns 0 or -1 with err. */
int accept_open(struct acceptor *a, struct worker *w, struct nds_error *err);

/* The next connection, waited for as long as it takes: a blocking CLOEXEC fd.
 * *is_probe tells whether it came by ORDER_PROBE.  Returns -1 when it is time
 * to leave: retired and the queue is empty, or failed is set with errno. */
int accept_next(struct acceptor *a, int *is_probe);

void accept_close(struct acceptor *a);

#endif
