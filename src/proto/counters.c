/* SPDX-License-Identifier: MIT */
#include "proto/counters.h"

#include <signal.h>
#include <sys/wait.h>

static const struct {
	const char *name;
	size_t at;
} named[] = {
#define COUNTER(member) {#member, offsetof(struct slot_counters, member)}
    COUNTER(accepted),
    COUNTER(requests),
    {"status_1xx", offsetof(struct slot_counters, status[1])},
    {"status_2xx", offsetof(struct slot_counters, status[2])},
    {"status_3xx", offsetof(struct slot_counters, status[3])},
    {"status_4xx", offsetof(struct slot_counters, status[4])},
    {"status_5xx", offsetof(struct slot_counters, status[5])},
    COUNTER(bad_input),
    COUNTER(cancelled),
    COUNTER(bytes_in),
    COUNTER(bytes_out),
    COUNTER(log_dropped),
    COUNTER(replayed),
    COUNTER(delivered),
    COUNTER(lost),
    COUNTER(expired),
    COUNTER(late),
#undef COUNTER
};

/* Every member is a counter of 64 bits, so both are arrays of them. */
void
counters_add(struct slot_counters *sum, const struct slot_counters *from)
{
	_Atomic uint64_t *to = (_Atomic uint64_t *)sum;
	const _Atomic uint64_t *at = (const _Atomic uint64_t *)from;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += atomic_load_explicit(&at[i], memory_order_relaxed);
}

json_t *
counters_json(const struct slot_counters *sum, const struct pool_board *pool)
{
	json_t *object = json_object();

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		const _Atomic uint64_t *value = (const _Atomic uint64_t *)(
		    (const void *)((const char *)sum + named[i].at));

		json_object_set_new(object, named[i].name,
		    json_integer((json_int_t)*value));
	}
	json_object_set_new(object, "workers_spawned",
	    json_integer((json_int_t)pool->workers_spawned));
	json_object_set_new(object, "workers_died",
	    json_integer((json_int_t)pool->workers_died));
	return object;
}

enum board_event
counters_exit(int status)
{
	if (!WIFSIGNALED(status))
		return EVENT_EXIT_EXITED;
	switch (WTERMSIG(status)) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGABRT:
	case SIGTRAP:
	case SIGSYS:
		return EVENT_EXIT_CRASHED;
	default:
		return EVENT_EXIT_KILLED;
	}
}

const char *const counters_shed_names[SHED_REASONS] = {
    [SHED_TIMEOUT] = "queue_timeout",
    [SHED_TARGET] = "queue_target",
    [SHED_STOP] = "stop",
};

json_t *
counters_shed_json(const struct pool_board *pool)
{
	json_t *object = json_object();

	for (int i = 0; i < SHED_REASONS; i++)
		json_object_set_new(object, counters_shed_names[i],
		    json_integer((json_int_t)pool->shed[i]));
	return object;
}
