/* SPDX-License-Identifier: MIT */
/*
 * The books of a slot: what its requests were by route, and what the
 * application counts itself.  They lie behind the slot's other areas and
 * outlive its workers, so a number in them never goes back.
 *
 * Every table is bounded and filled from its begin; an entry stays with its
 * name.  So another generation with other routes finds those that it shares,
 * adds its own, and what has no more room is counted under "other".
 *
 * One writes (the worker, or whoever cleans up after it), any may read, and
 * checks what it reads.
 */
#ifndef PROTO_BOOKS_H
#define PROTO_BOOKS_H

#include "proto/board.h"

/* The first routes of all books. */
enum { BOOKS_UNMATCHED, BOOKS_OTHER, BOOKS_FIRST };
#define BOOKS_ROUTES (BOOKS_FIRST + 64)
#define BOOKS_LABEL_BYTES 96
#define BOOKS_SERIES 1024
#define BOOKS_METRICS 128
#define BOOKS_NAME_BYTES 64
#define BOOKS_LABELS_BYTES 192
#define BOOKS_HELP_BYTES 160
#define BOOKS_EDGES 15
#define BOOKS_CODE_BROKEN 1 /* in place of a status: broken off */

struct books_route {
	char label[BOOKS_LABEL_BYTES]; /* any bytes, terminated */
	_Atomic uint64_t latency[BOARD_LATENCY_BUCKETS];
	_Atomic uint64_t latency_us;
};

/* Requests of one route, method and code. */
struct books_series {
	_Atomic uint64_t key; /* books_key(); 0 = free */
	_Atomic uint64_t count;
};

enum books_kind { BOOKS_COUNTER, BOOKS_GAUGE, BOOKS_HISTOGRAM };

/* One series of the application's own.  Numbers are bits of a double. */
struct books_metric {
	_Atomic uint32_t kind; /* enum books_kind */
	_Atomic uint32_t edges; /* of a histogram */
	char name[BOOKS_NAME_BYTES];
	/* name, NUL, value, NUL and so on, up to an empty name */
	char labels[BOOKS_LABELS_BYTES];
	char help[BOOKS_HELP_BYTES];
	_Atomic uint64_t value; /* of a histogram: the sum */
	double edge[BOOKS_EDGES];
	_Atomic uint64_t bucket[BOOKS_EDGES + 1];
};

struct books {
	_Atomic uint32_t routes;  /* behind BOOKS_FIRST, in use */
	_Atomic uint32_t metrics; /* in use */
	_Atomic uint64_t rest;	  /* requests that no series has room for */
	struct books_route route[BOOKS_ROUTES];
	struct books_series series[BOOKS_SERIES];
	struct books_metric metric[BOOKS_METRICS];
};

/* The closed list of methods that are told apart; any other is "OTHER". */
enum { BOOKS_METHODS = 10 };
extern const char *const books_methods[BOOKS_METHODS];
uint32_t books_method(const char *method);

/* The place of a route's label, made if it is new; BOOKS_OTHER when there is
 * no more room.  A longer label is cut, and told from its like by a hash. */
uint32_t books_route(struct books *b, const char *pattern);

/* The key of a series, and back. */
uint64_t books_key(uint32_t route, uint32_t method, uint32_t code);
void books_key_parts(uint64_t key, uint32_t *route, uint32_t *method,
    uint32_t *code);

/* The counter of a series, made if it is new; books.rest when there is no more
 * room. */
_Atomic uint64_t *books_count(struct books *b, uint64_t key);

/* The metric with what `like` says of kind, name, labels and edges, made if it
 * is new; NULL when there is no more room. */
struct books_metric *
books_metric(struct books *b, const struct books_metric *like);

/* The number in a metric: read, replace, add to it. */
double books_value(const _Atomic uint64_t *value);
void books_set(_Atomic uint64_t *value, double number);
void books_add(_Atomic uint64_t *value, double by);

/* 1 when a name may stand in /metrics; when a label's may. */
int books_name_valid(const char *name);
int books_label_valid(const char *name);

#endif
