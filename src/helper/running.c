/* SPDX-License-Identifier: MIT */
#include "helper/running.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "proto/subject.h"

struct running {
	const struct slot *slot;
	int64_t started_ms;
};

/* ---- one request --------------------------------------------------------- */

static json_t *
running_entry(const struct running *at, int64_t now_ms)
{
	const struct slot *s = at->slot;
	int64_t deadline_ms = atomic_load(&s->deadline_ms);
	struct subject subject;
	json_t *entry;

	subject_take(&subject, s);
	text_make_utf8(subject.request_id);
	text_make_utf8(subject.method);
	text_make_utf8(subject.path);
	text_make_utf8(subject.client);
	entry = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I}",
	    "method", subject.method, "path", subject.path, "client",
	    subject.client, "slot", (json_int_t)s->number, "pid",
	    (json_int_t)atomic_load(&s->worker_pid), "request_id",
	    subject.request_id, "age_ms", (json_int_t)(now_ms - at->started_ms),
	    "left_ms",
	    (json_int_t)(deadline_ms == 0 ? 0 : deadline_ms - now_ms),
	    "tries", (json_int_t)atomic_load(&s->tries));
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
