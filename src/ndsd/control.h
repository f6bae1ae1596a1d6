/* SPDX-License-Identifier: MIT */
/*
 * The control socket's server (see proto/control.h).  Clients are served by
 * the supervisor's loop without ever waiting for one: a silent client costs a
 * place in a small table for ten seconds, or until another needs it, and blocks
 * nobody.
 */
#ifndef NDSD_CONTROL_H
#define NDSD_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "ndsd/loop.h"
#include "proto/control.h"

#define CONTROL_CLIENTS 32
#define CONTROL_SILENT_MS 10000

struct supervisor;

/* What a client waits for. */
enum control_wait {
	CONTROL_NOTHING,
	CONTROL_DRAINED,
	CONTROL_SCALED,
	CONTROL_ROLLED,
	CONTROL_STOPPED
};

struct control_client {
	struct supervisor *sup;
	struct watch watch; /* fd -1 = free place */
	int64_t since_ms;
	enum control_wait wait;
	uint32_t wanted; /* SCALED: workers that it asked for */
	int last_done; /* of the progress last told */
	size_t in_bytes;
	char in[CONTROL_REQUEST_MAX];
	char *out; /* what is still to be sent */
	size_t out_bytes, out_sent;
	int closing; /* close once all is sent */
};

struct control {
	struct watch listener; /* fd -1 = pauses */
	int starved; /* 1: the last accept failed, and was told */
	struct control_client client[CONTROL_CLIENTS];
};

void control_open(struct supervisor *sup);

/* Listen, unless we do; again after a pause for want of descriptors. */
void control_listen(struct supervisor *sup);

/* Tell progress, end waits that are over, drop the silent. */
void control_tick(struct supervisor *sup, int64_t now_ms);

/* Tell those who wait for a reload how it stands, before another begins. */
void control_settle(struct supervisor *sup);

/* Another supervisor is about to take over: tell those who have come and were
 * not heard yet.  Who waits for something is not told. */
void control_unheard(struct supervisor *sup);

/* The service has stopped: answer those who wait for it. */
void control_close(struct supervisor *sup);

/* Send one line (takes the reference); end the connection. */
void control_send(struct control_client *c, json_t *line);
void control_drop(struct control_client *c);

/* The last reply: takes data; text of error is copied. */
void control_ok(struct control_client *c, json_t *data);
void control_refuse(struct control_client *c, const char *error);
void control_refuse_with(struct control_client *c, const char *error,
    json_t *data);

/* Text of others as JSON: what is not UTF-8 is shown as far as it is ASCII, a
 * NUL in it as '?'. Changes text. */
json_t *control_text(char *text, size_t bytes);

#endif
