/* SPDX-License-Identifier: MIT */
#include "helper/running.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "proto/wire.h"

#define HEAD_BYTES 16384 /* of a request are looked at */

struct running {
	const struct slot *slot;
	int64_t started_ms;
};

/* ---- one request --------------------------------------------------------- */

static void
param(const struct wire_scan *scan, const uint8_t *head, const char *name,
    char *out, size_t room)
{
	out[0] = '\0';
	if (scan->params_ended && scan->name_values)
		wire_param(scan, head, name, out, room);
	out[strcspn(out, "?#")] = '\0';
	text_make_utf8(out);
}

/* The worker may end the request while we copy: the copy is checked, and
 * what it says counts if the request is still the same. */
static json_t *
params_json(const struct slot *s)
{
	static uint8_t head[HEAD_BYTES];
	char method[32], path[512], client[64];
	struct wire_scan scan = {0};
	uint32_t bytes, used;
	const uint8_t *capture = board_capture(s, &bytes);

	used = atomic_load(&s->capture_used);
	bytes = used < bytes ? used : bytes;
	bytes = bytes < HEAD_BYTES ? bytes : HEAD_BYTES;
	memcpy(head, capture, bytes);
	wire_scan(&scan, head, bytes, HEAD_BYTES);
	param(&scan, head, "REQUEST_METHOD", method, sizeof(method));
	param(&scan, head, "REQUEST_URI", path, sizeof(path));
	if (path[0] == '\0')
		param(&scan, head, "SCRIPT_NAME", path, sizeof(path));
	param(&scan, head, "REMOTE_ADDR", client, sizeof(client));
	return json_pack("{s:s, s:s, s:s}", "method", method, "path", path,
	    "client", client);
}

static json_t *
running_entry(const struct running *at, int64_t now_ms)
{
	const struct slot *s = at->slot;
	int64_t deadline_ms = atomic_load(&s->deadline_ms);
	json_t *entry = params_json(s);
	char id[sizeof(s->request_id)];

	memcpy(id, s->request_id, sizeof(id));
	id[sizeof(id) - 1] = '\0';
	text_make_utf8(id);
	json_object_update_new(entry, json_pack("{s:I, s:I, s:s, s:I, s:I, "
	    "s:I}", "slot", (json_int_t)s->number,
	    "pid", (json_int_t)atomic_load(&s->worker_pid), "request_id", id,
	    "age_ms", (json_int_t)(now_ms - at->started_ms),
	    "left_ms",
	    (json_int_t)(deadline_ms == 0 ? 0 : deadline_ms - now_ms),
	    "tries", (json_int_t)atomic_load(&s->tries)));
	if (atomic_load(&s->started_ms) == at->started_ms)
		return entry;
	json_decref(entry);
	return NULL;
}

/* ---- all ----------------------------------------------------------------- */

static int
older(const void *a, const void *b)
{
	int64_t x = ((const struct running *)a)->started_ms;
	int64_t y = ((const struct running *)b)->started_ms;

	return (x > y) - (x < y);
}

json_t *
running_json(const struct report *r, uint32_t most)
{
	struct running list[BOARD_SLOTS_MAX];
	const struct slot *s;
	json_t *all = json_array();
	uint32_t count = 0;
	int64_t started;

	for (int i = 0; i < BOARD_SLOTS_MAX; i++) {
		s = r->slot[i];
		started = s == NULL ? 0 : atomic_load(&s->started_ms);
		if (started <= 0 || started > r->now_ms ||
		    atomic_load(&s->flags) & SLOT_PROBE)
			continue;
		list[count++] = (struct running){s, started};
	}
	qsort(list, count, sizeof(list[0]), older);
	for (uint32_t i = 0; i < count && i < most; i++)
		json_array_append_new(all, running_entry(&list[i], r->now_ms));
	return all;
}
