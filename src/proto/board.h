/* SPDX-License-Identifier: MIT */
/*
 * The board: shared memory between ndsd, the responders and the health
 * responder.  One segment a slot (memfd), mapped by ndsd, by the slot's own
 * responder and, read-only, by the health responder; and one segment for what
 * the whole pool shares.  Slots outlive workers and supervisors, so counters
 * never go back.
 *
 * Both layouts carry magic, version and size and grow at their end only, so a
 * program linked with another libnds than ndsd's still works.  Whoever reads a
 * slot checks each value it takes from it: the writer is another program.
 */
#ifndef PROTO_BOARD_H
#define PROTO_BOARD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

/* How a responder finds what ndsd gives it: fd numbers in its environment.
 * None of them set = the program runs without ndsd. */
#define BOARD_ENV_ROLE "NDS_ROLE" /* worker | health | checks … */
#define BOARD_ENV_CONTROL "NDS_CONTROL_FD"  /* SOCK_SEQPACKET, see order.h */
#define BOARD_ENV_SLOT "NDS_SLOT_FD"	    /* struct slot */
#define BOARD_ENV_POOL "NDS_POOL_FD"	    /* struct pool_board */

#define BOARD_SLOTS_MAX 1024

/* The life of the connection that a slot holds.  Moved by compare-and-swap:
 * a worker and whoever cleans up after it may both want the next step. */
enum slot_state {
	SLOT_ACCEPTING, /* none; or accepted and not yet noted */
	SLOT_UNREAD,	/* fd noted, nothing consumed */
	SLOT_READING,	/* bytes are being consumed into the capture */
	SLOT_RUNNING,	/* captured; the handler may have run */
	SLOT_SENDING,	/* the answer is finished and kept, may be on its way */
	SLOT_SENT,	/* the answer is out; fd about to be closed */
	SLOT_EXPIRED,	/* past its deadline; no longer the worker's */
	SLOT_STREAMING	/* bytes of an unfinished answer may be out */
};

/* Upper edges of the latency histogram in microseconds; one more bucket
 * stands for everything above. */
#define BOARD_LATENCY_EDGES                                                  \
	{1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000,      \
	    1000000, 2000000, 5000000, 10000000, 20000000, 60000000}
#define BOARD_LATENCY_BUCKETS 16

/* Of the request that a slot holds. */
#define SLOT_PROBE 1u /* came by ORDER_PROBE */
#define SLOT_ONCE 2u  /* its handler may have done what must not be repeated */
#define SLOT_RESUMED 4u /* its reading was gone on with after a death */
#define SLOT_COUNTED 8u /* it stands in the counters and in the log */

/* A slot as ndsd's pool sees it. */
enum slot_place { SLOT_EMPTY, SLOT_STARTING, SLOT_READY, SLOT_RETIRING };

#define SLOT_MAGIC 0x5344534eu /* "NSDS" */
#define SLOT_VERSION 1

struct slot_counters {		     /* all only ever grow */
	_Atomic uint64_t accepted;   /* connections taken off the listener */
	_Atomic uint64_t requests;   /* answered: by a handler or by libnds */
	_Atomic uint64_t status[6];  /* [1]=1xx … [5]=5xx; [0] = other */
	_Atomic uint64_t bad_input;  /* refused for what they sent */
	_Atomic uint64_t cancelled;  /* the peer was gone before the answer */
	_Atomic uint64_t bytes_in;   /* of requests, framing included */
	_Atomic uint64_t bytes_out;  /* answer bytes, the same */
	_Atomic uint64_t busy_us;    /* time from accept to close */
	_Atomic uint64_t log_dropped; /* log lines that found the ring full */
	_Atomic uint64_t latency[BOARD_LATENCY_BUCKETS];
	_Atomic uint64_t latency_us;  /* sum over the histogram */
	/* by the guardian, of workers that died or hung: */
	_Atomic uint64_t replayed;  /* requests run again */
	_Atomic uint64_t delivered; /* finished answers it settled */
	_Atomic uint64_t lost;	    /* answered 502, or broken off */
	_Atomic uint64_t expired;   /* taken away at their deadline: 504 */
	/* by the worker again: */
	_Atomic uint64_t late; /* not run: too late for whoever asked */
};

/* One direction of a connection.  It moves by sendmmsg(2) and recvmmsg(2)
 * alone, because those note in memory how much has moved before they return:
 * no death comes between the moving of bytes and the note. See
 * lib/transfer.h. */
struct slot_transfer {
	_Atomic uint64_t done;	    /* bytes, as the worker has counted them */
	_Atomic uint64_t from;	    /* done, when the last call began */
	_Atomic uint64_t goal;	    /* done, once all of it is; 0 = not known */
	_Atomic uint32_t wanted;    /* bytes that the last call was given */
	struct mmsghdr call;	    /* msg_len: bytes that it has moved */
};

/* What happens seldom, each kind counted apart: in a slot by the worker or its
 * guardian, in the pool's board by ndsd; what is shown is the sum.  Grows at
 * its end. */
enum board_event {
	EVENT_LOST_DIED,      /* requests answered 502: their worker died */
	EVENT_LOST_BROKEN,    /* an answer broken off, for the same reason */
	EVENT_LOST_MEMORY,    /* 502: it took more memory than it may */
	EVENT_LOST_CLOSED,    /* a handler closed its own connection */
	EVENT_LOST_UNGUARDED, /* the guardian was dead as well */
	EVENT_REPLAY_ANSWERED, /* what became of a request run again */
	EVENT_REPLAY_LOST,
	EVENT_REPLAY_EXPIRED,
	EVENT_REPLAY_CANCELLED,
	EVENT_EXIT_RETIRED, /* workers: told to, and ended well */
	EVENT_EXIT_EXITED,  /* by themselves, or with a status */
	EVENT_EXIT_CRASHED, /* a signal that a fault raises */
	EVENT_EXIT_KILLED,  /* any other signal */
	EVENT_EXIT_DEADLINE, /* killed at the deadline of their request */
	EVENT_EXIT_MEMORY,   /* killed: see EVENT_LOST_MEMORY */
	EVENT_EXIT_OVERDUE,  /* killed: would not start, retire or finish */
	EVENT_CACHE_HIT,
	EVENT_CACHE_STALE,
	EVENT_CACHE_MISS,
	EVENT_CACHE_BYPASS,
	EVENT_RELOAD_REFUSED, /* reloads that did not begin */
	EVENT_UPGRADE_FAILED, /* or were refused */
	EVENT_LOG_DROPPED,    /* lines that ndsd had no room for */
	EVENTS
};
#define BOARD_EVENTS 64 /* room */

/* Counters that move together: see tally.h. */
#define TALLY_STEPS 16
struct slot_tally {
	_Atomic uint32_t steps; /* that are decided on; 0 = none */
	struct {
		uint32_t at; /* of the counter, from the slot's begin */
		uint64_t value;
	} step[TALLY_STEPS];
};

/* Registers by their DWARF numbers, as far as frames are unwound with them. */
#define BOARD_REGISTERS 33
struct board_registers {
	uint64_t pc, sp;
	uint32_t count; /* 0 = not known on this machine */
	uint64_t value[BOARD_REGISTERS];
};

/* What became of the request that a crashed worker held. */
enum crash_fate { CRASH_NONE, CRASH_REPLAYED, CRASH_ANSWERED, CRASH_LOST };

/* Written by a worker that dies of a fault, then by its guardian. */
struct slot_crash {
	_Atomic uint32_t serial; /* one more with each that is complete */
	_Atomic int32_t pid;	 /* whose it is; 0 = none yet */
	int32_t told_pid;	 /* the same, once it is complete */
	int32_t signal, code;	 /* of siginfo_t */
	uint64_t address;
	uint32_t fate;		 /* enum crash_fate */
	uint32_t stack_bytes;	 /* copied, from registers.sp on */
	struct board_registers registers;
	char request_id[64], traceparent[56];
};

struct slot {
	uint32_t magic, version;
	uint64_t bytes; /* of the whole segment */

	/* Set by ndsd before a worker starts; constant while it lives. */
	uint32_t number;
	uint32_t capture_at, capture_bytes; /* offset and size of each area */
	uint32_t answer_at, answer_bytes;
	uint32_t ring_at, ring_bytes; /* ring_bytes is a power of two */
	_Atomic uint32_t generation;

	/* Written by the worker (and its guardian). */
	_Alignas(64) _Atomic uint32_t state; /* enum slot_state */
	_Atomic int32_t fd;		     /* the connection, -1 = none */
	_Atomic int32_t worker_pid;	     /* runs handlers; 0 = none */
	_Atomic int32_t guardian_pid;	     /* 0 = none */
	_Atomic uint32_t tries;		     /* replays so far */
	_Atomic uint32_t capture_used;	     /* bytes of the captured request */
	_Atomic uint32_t answer_used;	     /* bytes of the finished answer */
	_Atomic uint32_t flags;		     /* SLOT_ONCE … of this request */
	_Atomic uint32_t boundary; /* a stream stands between records */
	_Atomic int64_t started_ms;	     /* this request; 0 = idle */
	_Atomic int64_t deadline_ms;	     /* this request; 0 = none */
	char request_id[64];		     /* of this request, terminated */

	_Alignas(64) struct slot_counters count;

	/* Log ring: see ring.h. */
	_Alignas(64) _Atomic uint64_t ring_head; /* written by the worker */
	_Atomic uint32_t ring_poked; /* the worker has asked to be emptied */
	_Alignas(64) _Atomic uint64_t ring_tail; /* written by ndsd */

	/* Written by the worker. */
	_Alignas(64) struct slot_transfer in; /* what the capture took */
	struct slot_transfer out;	      /* the answer */
	_Atomic uint32_t answer_status;	      /* of HTTP; 0 = none yet */

	/* Written by the guardian: it does not look at deadline_ms before; a
	 * worker with an earlier one wakes it (SIGCHLD). 0 = no guardian. */
	_Atomic int64_t look_ms;

	/* Written by ndsd: what it has in mind with the worker. */
	_Atomic uint32_t place; /* enum slot_place */

	/* Set by ndsd, as the areas above; 0 bytes in a slot of an older one.
	 * See books.h. */
	uint32_t books_at, books_bytes;

	/* Written by the worker and its guardian. */
	_Atomic uint32_t route; /* of this request, in the books */
	_Atomic uint64_t event[BOARD_EVENTS];
	_Atomic uint64_t queue_wait[BOARD_LATENCY_BUCKETS];
	_Atomic uint64_t queue_wait_us; /* sum over that histogram */
	struct slot_tally tally;

	/* Finished spans, a line each: see ring.h. Set by ndsd. */
	uint32_t trace_at, trace_bytes; /* 0 = an older ndsd made none */
	uint32_t crash_at, crash_bytes; /* likewise: room for a stack */
	/* Written by the worker (and its guardian). */
	_Alignas(64) _Atomic uint64_t trace_head;
	_Atomic uint64_t trace_dropped;	 /* spans that found it full */
	_Atomic int64_t replayed_ms;	 /* clock_ms; valid when tries > 0 */
	char traceparent[56];		 /* of this request; "" = none yet */
	/* Written by the observer. */
	_Alignas(64) _Atomic uint64_t trace_tail;

	struct slot_crash crash;
	/* Written by the observer. */
	_Atomic uint32_t crash_told; /* the serial that it has told of */

	/* Written by the worker when it starts: of what spans are told. */
	char service[64], service_version[32];

	/* Written by the worker: the client of this request, "" = the front's
	 * peer. */
	char client[64];
	/* Written by the guardian: 1: it ends with its worker, whose death
	 * stands in event. */
	_Atomic uint32_t death_counted;
	/* Written by the observer: started_ms of the last slow request that it
	 * has told. */
	_Atomic int64_t slow_told;
};

/* Why the shedder has refused a request. */
enum shed_reason {
	SHED_TIMEOUT, /* its burst has lasted too long */
	SHED_TARGET,  /* the queue stands */
	SHED_STOP,    /* the stop could not serve it any more */
	SHED_REASONS
};

#define POOL_MAGIC 0x4244534eu /* "NSDB" */
#define POOL_VERSION 1
#define BOARD_CHECKS_MAX 16
#define BOARD_SHED_RING 262144u /* bytes, a power of two */

enum check_status { CHECK_PENDING, CHECK_OK, CHECK_FAILED };

/* One dependency check.  Written by the checks process alone; a reader takes
 * it between two equal, even values of seq. */
struct board_check {
	_Atomic uint32_t seq;
	_Atomic uint32_t status;      /* enum check_status */
	_Atomic int64_t checked_ms;   /* clock_ms of the result, 0 = none */
	_Atomic uint32_t duration_ms; /* of the last run */
	_Atomic uint32_t good_for_ms; /* an older result counts for nothing */
	char name[64];
	char message[192];
};

/* What a shedder knows of the queue and its successor must not forget.  Zero =
 * nothing yet. See helper/delay.h. */
struct board_delay {
	_Atomic uint32_t standing;
	_Atomic uint32_t refusals; /* while it stood, or stood last */
	_Atomic int64_t above_ms; /* since when the head was too old; 0 = no */
	_Atomic int64_t refused_ms; /* the last refusal */
	_Atomic uint64_t accepted;  /* by workers until then */
};

#define BOARD_UNREACHABLE 2 /* unready: a socket's place is lost */

/* What an ndsd has made for others to find in its runtime directory.  It may
 * get its name later, and is the same file then.  ino 0 = not known. */
struct board_file {
	uint64_t dev, ino;
};
enum board_made { BOARD_APP, BOARD_HEALTH, BOARD_OWNER, BOARD_MADE };

struct pool_board {
	uint32_t magic, version;
	uint64_t bytes;

	/* Written by the supervisor. */
	_Atomic int64_t heartbeat_ms; /* clock_ms of its last tick */
	_Atomic uint32_t draining;    /* 1: answers carry Connection: close */
	_Atomic uint32_t unready;     /* /ready answers 503; 1: drain */
	_Atomic uint32_t stopping;    /* 1: SIGTERM was seen */
	_Atomic uint32_t started;     /* 1: the pool was once fully ready */
	_Atomic uint32_t wanted;      /* workers the pool should have */
	_Atomic uint32_t ready;	      /* workers that are ready */
	_Atomic uint32_t stuck;	      /* of them: overdue past their deadline */
	_Atomic uint32_t generation;
	_Atomic uint32_t queue_length; /* connections waiting in the backlog */
	_Atomic int64_t queue_wait_ms; /* age of the oldest of them */
	_Atomic int64_t started_ms;    /* clock_ms when ndsd began */
	_Atomic int32_t main_pid;
	_Atomic uint64_t workers_spawned, workers_died;
	_Atomic uint64_t supervisor_restarts, upgrades;
	_Atomic uint64_t reloads, reloads_failed;

	/* Written by the checks process. */
	_Atomic uint32_t checks; /* entries in use; set once */
	struct board_check check[BOARD_CHECKS_MAX];

	/* 1: the listener was handed to ndsd and outlives it: what a stop
	 * leaves in the queue is not lost.  Set before the first worker. */
	_Atomic uint32_t door_stays;

	/* Written by the supervisor: `wanted` stays between them. */
	_Atomic uint32_t wanted_min, wanted_max;

	/* Written by the supervisor. */
	_Atomic uint32_t emptying; /* 1: workers empty the queue and leave */

	/* Written by the shedder, and queue_length and queue_wait_ms above. */
	_Atomic int64_t queue_seen_ms; /* clock_ms of its last look */
	_Atomic uint64_t shed[SHED_REASONS];

	/* Written by the supervisor. */
	_Atomic uint64_t event[BOARD_EVENTS];

	/* Written by the observer: spans that the collector has taken; that
	 * were given up between the rings and the two below. */
	_Atomic uint64_t spans_sent, spans_dropped;
	_Atomic uint64_t observer_turns; /* of its loop; it lives */

	/* Set before the first process. */
	struct board_file made[BOARD_MADE];

	/* Written by the shedder. */
	struct board_delay delay;

	/* Written by the supervisor. 1: the last reload failed, so what serves
	 * is not what was asked for. */
	_Atomic uint32_t behind;

	/* Written by the observer: spans that the collector did not take; that
	 * stand in the file, that do not. */
	_Atomic uint64_t spans_unsent, spans_written, spans_unwritten;
	/* Those that it has in hand, for the one after it to count when it
	 * dies: on their way to the collector; to both. */
	_Atomic uint64_t spans_queued, spans_gathered;

	/* Spans of requests that the shedder has refused: see ring.h.  Written
	 * by the shedder; the tail by the observer. */
	_Alignas(64) _Atomic uint64_t shed_head;
	_Atomic uint64_t shed_dropped; /* spans that found it full */
	_Alignas(64) _Atomic uint64_t shed_tail;
};

/* Make an anonymous slot segment; the areas are rounded up to pages.
 * Returns a CLOEXEC fd, or -1 with err filled. */
int board_slot_new(uint32_t number, uint32_t capture_bytes,
    uint32_t answer_bytes, uint32_t ring_bytes, struct nds_error *err);

/* Make the pool's segment. Returns a CLOEXEC fd, or -1 with err filled. */
int board_pool_new(struct nds_error *err);

/* Map a segment of that kind and check magic, version and that every area lies
 * inside it.  writable = 0 maps it for reading alone.  Returns the mapping, to
 * be released with board_unmap(), or NULL with err filled. The fd stays the
 * caller's. */
struct slot *board_slot_map(int fd, int writable, struct nds_error *err);
struct pool_board *board_pool_map(int fd, int writable, struct nds_error *err);
void board_unmap(void *segment);

/* 1 while the head of a mapped slot says what it said when it was mapped: else
 * the next worker could not use it. */
int board_slot_whole(const struct slot *s, uint32_t number);

/* Make a slot ready for the next worker, of that generation. */
void board_slot_clean(struct slot *s, uint32_t generation);

/* Overwrite what is captured of a request.  For whoever cleans up when worker
 * and guardian are dead, and with them all who could have moved the area. */
void board_slot_wipe(struct slot *s);

/* The areas of a mapped slot. */
static inline uint8_t *
slot_capture(struct slot *s)
{
	return (uint8_t *)s + s->capture_at;
}

static inline uint8_t *
slot_answer(struct slot *s)
{
	return (uint8_t *)s + s->answer_at;
}

/* The log ring of a mapped slot, at the place and of the size (a power of two)
 * that were checked when it was mapped: safe whatever its writer has done to
 * the header since.  For ring.c. */
uint8_t *board_ring(const struct slot *s, uint32_t *bytes);

/* The bytes of a mapped segment as they were checked, whatever its writer has
 * done to the header since. */
uint64_t board_bytes(const struct slot *s);

struct books;

/* The books of a mapped slot, likewise; NULL when it has none. */
struct books *board_books(const struct slot *s);

/* The capture likewise, for who only looks at it. */
const uint8_t *board_capture(const struct slot *s, uint32_t *bytes);
/* The ring of finished spans likewise; 0 bytes = there is none. */
uint8_t *board_trace_ring(const struct slot *s, uint32_t *bytes);

/* Where the stack of a crashed worker stands, likewise. */
uint8_t *board_crash_stack(const struct slot *s, uint32_t *bytes);

/* The shedder's ring of a mapped pool; 0 bytes = an older ndsd made none. */
uint8_t *board_shed_ring(const struct pool_board *p, uint32_t *bytes);

/* The histogram's bucket for a duration. */
int board_latency_bucket(int64_t us);

/* Copy one check out whole; returns 0, or -1 while it is being written
 * (try again). */
int board_check_read(const struct board_check *from, struct board_check *to);

#endif
