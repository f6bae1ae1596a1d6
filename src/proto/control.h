/* SPDX-License-Identifier: MIT */
/*
 * The control protocol between ndsctl and ndsd, over a stream socket at
 * APP_RUNTIME_DIR/control/control.sock: JSON, one object a line.  The client
 * sends one request and reads until the last reply:
 *
 *	→ {"verb":"scale","args":["4"]}
 *	← {"progress":"3 of 4 workers ready","done":3,"total":4}	any number
 *	← {"ok":true,"data":{…}}  or  {"ok":false,"error":"why"}	the last
 *
 * A refusal may have data too: {"said":"the last lines of who failed"}.
 *
 * Only the owner of ndsd and root may speak (SO_PEERCRED).
 */
#ifndef PROTO_CONTROL_H
#define PROTO_CONTROL_H

#include <stddef.h>

#include <jansson.h>

#include "base/error.h"

#define CONTROL_REQUEST_MAX 4096 /* bytes of a request line */

/* APP_RUNTIME_DIR/control/control.sock into path. Returns 0, or -1 when it is
 * longer than a socket path may be. */
int control_path(const char *runtime_dir, char *path, size_t bytes);

/* Called for each progress line: text, and done of total (0 = unknown). */
typedef void (*control_progress)(const char *text, int done, int total,
    void *arg);

struct control_request {
	const char *runtime_dir;
	const char *verb;
	const char *const *args; /* NULL-terminated; may be NULL */
	int timeout_ms;		 /* for all of it; 0 = for ever */
	control_progress progress; /* may be NULL */
	void *arg;		   /* of progress */
};

/* Client: send the request and wait for the last reply.  When the supervisor
 * dies meanwhile, the next one is asked the same.  (So each verb must bear to
 * be asked twice: `reload` knows it by its argument, any text.)  Returns 0 with
 * *data the reply's data (a new reference, may be NULL; data itself may be
 * NULL); 1 when ndsd refused or failed, or cannot be spoken with (err says
 * why, *data may tell more); -1 when nobody serves there (err says so). */
int control_call(const struct control_request *request, json_t **data,
    struct nds_error *err);

#endif
