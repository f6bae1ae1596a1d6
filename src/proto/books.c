/* SPDX-License-Identifier: MIT */
#include "proto/books.h"

#include <stdio.h>
#include <string.h>

#define PROBES 32 /* cells looked at for one key */
#define KEY_IN_USE ((uint64_t)1 << 63)
#define METHOD_SHIFT 10
#define ROUTE_SHIFT 14
#define CODES 1024

const char *const books_methods[BOOKS_METHODS] = {"OTHER", "GET", "HEAD",
    "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"};

uint32_t
books_method(const char *method)
{
	for (uint32_t i = 1; i < BOOKS_METHODS; i++)
		if (strcmp(books_methods[i], method) == 0)
			return i;
	return 0;
}

/* ---- routes -------------------------------------------------------------- */

/* FNV-1a (Fowler, Noll, Vo). */
static uint32_t
hash(const char *text)
{
	uint32_t h = 0x811c9dc5u;

	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * 0x01000193u;
	return h;
}

static void
label_make(char label[BOOKS_LABEL_BYTES], const char *pattern)
{
	if (strlen(pattern) < BOOKS_LABEL_BYTES)
		snprintf(label, BOOKS_LABEL_BYTES, "%s", pattern);
	else
		snprintf(label, BOOKS_LABEL_BYTES, "%.*s~%08x",
		    BOOKS_LABEL_BYTES - 10, pattern, hash(pattern));
}

uint32_t
books_route(struct books *b, const char *pattern)
{
	uint32_t used = b->routes, i;
	char label[BOOKS_LABEL_BYTES];

	label_make(label, pattern);
	for (i = BOOKS_FIRST; i < BOOKS_ROUTES && i - BOOKS_FIRST < used; i++)
		if (strncmp(b->route[i].label, label, sizeof(label)) == 0)
			return i;
	if (i == BOOKS_ROUTES)
		return BOOKS_OTHER;
	memcpy(b->route[i].label, label, sizeof(label));
	atomic_store(&b->routes, i - BOOKS_FIRST + 1);
	return i;
}

/* ---- requests ------------------------------------------------------------ */

uint64_t
books_key(uint32_t route, uint32_t method, uint32_t code)
{
	return KEY_IN_USE | (uint64_t)route << ROUTE_SHIFT |
	    method << METHOD_SHIFT | (code < CODES ? code : 0);
}

void
books_key_parts(uint64_t key, uint32_t *route, uint32_t *method,
    uint32_t *code)
{
	*route = (uint32_t)((key & ~KEY_IN_USE) >> ROUTE_SHIFT);
	*method = (uint32_t)(key >> METHOD_SHIFT) &
	    ((1u << (ROUTE_SHIFT - METHOD_SHIFT)) - 1);
	*code = (uint32_t)key & (CODES - 1);
}

_Atomic uint64_t *
books_count(struct books *b, uint64_t key)
{
	uint64_t at = key * 0x9e3779b97f4a7c15u >> 32, found;
	struct books_series *s;

	for (int i = 0; i < PROBES; i++) {
		s = &b->series[(at + (uint64_t)i) % BOOKS_SERIES];
		found = atomic_load_explicit(&s->key, memory_order_relaxed);
		if (found == 0)
			atomic_store(&s->key, key);
		if (found == 0 || found == key)
			return &s->count;
	}
	return &b->rest;
}

/* ---- the application's own ----------------------------------------------- */

static int
metric_same(const struct books_metric *a, const struct books_metric *b)
{
	return a->kind == b->kind && a->edges == b->edges &&
	    memcmp(a->name, b->name, sizeof(a->name)) == 0 &&
	    memcmp(a->labels, b->labels, sizeof(a->labels)) == 0 &&
	    memcmp(a->edge, b->edge, sizeof(a->edge)) == 0;
}

struct books_metric *
books_metric(struct books *b, const struct books_metric *like)
{
	uint32_t used = b->metrics, i;
	struct books_metric *m;

	for (i = 0; i < BOOKS_METRICS && i < used; i++)
		if (metric_same(&b->metric[i], like))
			return &b->metric[i];
	if (i == BOOKS_METRICS)
		return NULL;
	m = &b->metric[i];
	m->kind = like->kind;
	m->edges = like->edges;
	memcpy(m->name, like->name, sizeof(m->name));
	memcpy(m->labels, like->labels, sizeof(m->labels));
	memcpy(m->help, like->help, sizeof(m->help));
	memcpy(m->edge, like->edge, sizeof(m->edge));
	atomic_store(&b->metrics, i + 1);
	return m;
}

static double
number_of(uint64_t bits)
{
	double number;

	memcpy(&number, &bits, sizeof(number));
	return number;
}

static uint64_t
bits_of(double number)
{
	uint64_t bits;

	memcpy(&bits, &number, sizeof(bits));
	return bits;
}

double
books_value(const _Atomic uint64_t *value)
{
	return number_of(atomic_load_explicit(value, memory_order_relaxed));
}

void
books_set(_Atomic uint64_t *value, double number)
{
	atomic_store_explicit(value, bits_of(number), memory_order_relaxed);
}

void
books_add(_Atomic uint64_t *value, double by)
{
	uint64_t old = atomic_load_explicit(value, memory_order_relaxed);

	while (!atomic_compare_exchange_weak(value, &old,
	    bits_of(number_of(old) + by)))
		;
}

static int
is_word(const char *text)
{
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0' &&
	    *text != '\0' && (*text < '0' || *text > '9');
}

int
books_name_valid(const char *name)
{
	return is_word(name) && strlen(name) < BOOKS_NAME_BYTES;
}

int
books_label_valid(const char *name)
{
	return is_word(name) && strncmp(name, "__", 2) != 0 &&
	    strcmp(name, "le") != 0 && strcmp(name, "quantile") != 0;
}
