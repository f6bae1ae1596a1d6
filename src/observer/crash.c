/* SPDX-License-Identifier: MIT */
#include "observer/crash.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/sig.h"
#include "observer/stack.h"
#include "proto/subject.h"

#define CRASHES_MAX 100000 /* that may have come since the last was told */

static const char *const fates[] = {"none", "run again", "answered", "lost"};

/* The layout of the dead one's memory is that of its guardian, which it was
 * forked from. */
static void
sample_take(struct stack_sample *to, const struct slot *s)
{
	uint32_t room;
	const uint8_t *stack = board_crash_stack(s, &room);

	to->pid = atomic_load(&s->guardian_pid);
	to->registers = s->crash.registers;
	if (to->registers.count > BOARD_REGISTERS)
		to->registers.count = 0;
	to->bytes = s->crash.stack_bytes;
	if (to->bytes > room)
		to->bytes = room;
	if (to->bytes > sizeof(to->stack))
		to->bytes = sizeof(to->stack);
	memcpy(to->stack, stack, to->bytes);
}

/* Where it stood.  What could not be fetched was no code: a call through a
 * pointer that led nowhere. */
static void
stack_tell(const struct slot *s, struct log_line *l)
{
	static struct stack_sample sample;
	const struct slot_crash *crash = &s->crash;
	char where[LOG_TEXT_MAX];
	int used = 0;

	sample_take(&sample, s);
	if (crash->signal == SIGSEGV && crash->code > 0 &&
	    crash->address == sample.registers.pc &&
	    stack_return(&sample) == 0)
		used = snprintf(where, sizeof(where), "0x%llx < ",
		    (unsigned long long)crash->address);
	stack_name(&sample, where + used, sizeof(where) - (size_t)used);
	log_line_text(l, "stack", where);
}

static void
tell(const struct slot *s, uint32_t number, uint32_t crashes)
{
	char address[24];
	const struct slot_crash *crash = &s->crash;
	struct subject subject;
	uint32_t fate = crash->fate;
	struct log_line l;

	memset(&subject, 0, sizeof(subject));
	memcpy(subject.request_id, crash->request_id,
	    sizeof(subject.request_id) - 1);
	memcpy(subject.traceparent, crash->traceparent,
	    sizeof(subject.traceparent) - 1);
	snprintf(address, sizeof(address), "0x%llx",
	    (unsigned long long)crash->address);
	log_line_begin(&l, log_is_json(), LOG_ERROR, "worker crashed");
	log_line_text(&l, "signal", sig_name(crash->signal));
	if (crash->code > 0) /* else somebody has sent it */
		log_line_text(&l, "address", address);
	log_line_number(&l, "worker", number);
	log_line_number(&l, "pid", crash->told_pid);
	if (crashes > 1)
		log_line_number(&l, "crashes", crashes);
	log_line_text(&l, "request", fate < 4 ? fates[fate] : "?");
	if (fate != CRASH_NONE)
		subject_tell(&subject, &l);
	stack_tell(s, &l);
	log_send(l.text, log_line_end(&l));
}

/* The next one may be noting itself over it. */
static int
is_whole(const struct slot_crash *crash)
{
	int32_t pid = atomic_load(&crash->pid);

	return pid == 0 || pid == crash->told_pid;
}

void
crash_look(struct slot *s, uint32_t number)
{
	uint32_t serial = atomic_load(&s->crash.serial);
	uint32_t told = atomic_load(&s->crash_told);

	if (serial == told || !is_whole(&s->crash))
		return;
	atomic_store(&s->crash_told, serial); /* first: we may die of it */
	/* beyond that it has not been counted by us */
	tell(s, number, serial - told < CRASHES_MAX ? serial - told : 1);
}
