/* SPDX-License-Identifier: MIT */
#include "observer/slow.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "observer/stack.h"
#include "proto/subject.h"

#define EVERY_MS 1000 /* a worker */
#define REST 9	      /* times as long as it took to tell */
#define NONE UINT32_MAX

static int
is_running(struct slot *s)
{
	uint32_t state = atomic_load(&s->state);

	return (state == SLOT_RUNNING || state == SLOT_STREAMING) &&
	    !(atomic_load(&s->flags) & SLOT_PROBE);
}

static void
tell(struct slow_slot *w, struct slot *s, uint32_t number, int64_t age_ms)
{
	static struct stack_sample *sample;
	char where[LOG_TEXT_MAX];
	struct subject subject;
	struct log_line l;
	int rc;

	if (sample == NULL && (sample = stack_room()) == NULL)
		return;
	subject_take(&subject, s);
	rc = stack_take(sample, w->pid);
	/* it may have ended meanwhile, and another have begun */
	if (atomic_load(&s->started_ms) != w->started_ms || !is_running(s))
		return;
	log_line_begin(&l, log_is_json(), LOG_WARN, "slow request");
	subject_tell(&subject, &l);
	log_line_number(&l, "running_ms", age_ms);
	log_line_number(&l, "worker", number);
	log_line_number(&l, "pid", w->pid);
	if (rc < 0) {
		log_line_text(&l, "stack_missing", sample->why);
	} else {
		log_line_milli(&l, "held_ms", sample->held_us);
		log_line_text(&l, "stack",
		    stack_name(sample, where, sizeof(where)));
	}
	if (w->left_out > 0)
		log_line_number(&l, "left_out", w->left_out);
	log_send(l.text, log_line_end(&l));
	w->left_out = 0;
}

/* Does it hold a slow request that has not been told?  Counts each once. */
static int
is_due(struct slow_slot *w, struct slot *s, int64_t slow_ms, int64_t now_ms)
{
	int64_t started_ms = atomic_load(&s->started_ms);
	int32_t pid = atomic_load(&s->worker_pid);

	if (started_ms <= 0 || now_ms - started_ms < slow_ms || pid <= 0 ||
	    !is_running(s) || (started_ms == w->started_ms && pid == w->pid) ||
	    started_ms == atomic_load(&s->slow_told)) /* by one before us */
		return 0;
	if (w->waiting_ms != started_ms) {
		w->waiting_ms = started_ms;
		w->left_out++;
	}
	return w->told_ms == 0 || now_ms - w->told_ms >= EVERY_MS;
}

static void
slot_tell(struct slow_slot *w, struct slot *s, uint32_t number, int64_t now_ms)
{
	w->told_ms = now_ms;
	w->started_ms = atomic_load(&s->started_ms);
	w->pid = atomic_load(&s->worker_pid);
	if (w->left_out > 0 && w->started_ms == w->waiting_ms)
		w->left_out--;
	atomic_store(&s->slow_told, w->started_ms);
	tell(w, s, number, now_ms - w->started_ms);
}

void
slow_look(struct slow *w, struct slot *const *slots, uint32_t count,
    int64_t slow_ms, int64_t now_ms)
{
	uint32_t chosen = NONE, at;
	int64_t began_ms;

	for (uint32_t i = 0; i < count && slow_ms > 0; i++) {
		at = (w->next + i) % count;
		if (slots[at] != NULL &&
		    is_due(&w->slot[at], slots[at], slow_ms, now_ms) &&
		    chosen == NONE)
			chosen = at;
	}
	if (chosen == NONE || now_ms < w->rest_ms)
		return;
	began_ms = clock_ms();
	slot_tell(&w->slot[chosen], slots[chosen], chosen, now_ms);
	w->rest_ms = now_ms + REST * (clock_ms() - began_ms);
	w->next = chosen + 1;
}
