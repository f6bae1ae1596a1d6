/* SPDX-License-Identifier: MIT */
#include "observer/slow.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "observer/stack.h"
#include "observer/subject.h"

#define EVERY_MS 1000

static int
is_running(struct slot *s)
{
	uint32_t state = atomic_load(&s->state);

	return (state == SLOT_RUNNING || state == SLOT_STREAMING) &&
	    !(atomic_load(&s->flags) & SLOT_PROBE);
}

static void
tell(struct slow *w, struct slot *s, int64_t age_ms)
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
	log_line_number(&l, "worker", s->number);
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

void
slow_look(struct slow *w, struct slot *s, int64_t slow_ms)
{
	int64_t started_ms = atomic_load(&s->started_ms), now = clock_ms();
	int32_t pid = atomic_load(&s->worker_pid);

	if (slow_ms == 0 || started_ms == 0 || now - started_ms < slow_ms ||
	    pid <= 0 || !is_running(s) ||
	    (started_ms == w->started_ms && pid == w->pid))
		return;
	w->started_ms = started_ms;
	w->pid = pid;
	if (w->told_ms > 0 && now - w->told_ms < EVERY_MS) {
		w->left_out++;
		return;
	}
	w->told_ms = now;
	tell(w, s, now - started_ms);
}
