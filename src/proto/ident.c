/* SPDX-License-Identifier: MIT */
#include "proto/ident.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/clock.h"

#define STATE_MAX 512 /* bytes of tracestate that must be sent on (3.3.1.5) */

/* Random bytes in store.  Its page reads as zeros in a forked child, so that
 * parent and child never draw the same, at no system call a request. */
static struct store {
	size_t left;
	uint8_t bytes[4096 - sizeof(size_t)];
} *store;

/* Without getrandom (ENOSYS, a sandbox): unique, if not unguessable. */
static void
fill_from_clock(uint8_t *to, size_t bytes)
{
	static uint64_t word;

	for (; bytes > 0; bytes--) {
		word += (uint64_t)clock_us() + (uintptr_t)&word;
		word ^= word << 13;
		word ^= word >> 7;
		word ^= word << 17;
		*to++ = (uint8_t)(word >> 32);
	}
}

static void
fill(uint8_t *to, size_t bytes)
{
	ssize_t got;

	while (bytes > 0) {
		got = getrandom(to, bytes, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			fill_from_clock(to, bytes);
			return;
		}
		to += got;
		bytes -= (size_t)got;
	}
}

static void
store_open(void)
{
	static int tried;
	void *page;

	if (tried)
		return;
	tried = 1;
	page = mmap(NULL, sizeof(*store), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return;
	if (madvise(page, sizeof(*store), MADV_WIPEONFORK) == 0)
		store = page;
	else
		munmap(page, sizeof(*store));
}

static void
draw(uint8_t *to, size_t bytes)
{
	store_open();
	if (store == NULL) {
		fill(to, bytes);
		return;
	}
	if (store->left < bytes) {
		fill(store->bytes, sizeof(store->bytes));
		store->left = sizeof(store->bytes);
	}
	store->left -= bytes;
	memcpy(to, store->bytes + store->left, bytes);
}

/* digits is even and at most 32; a NUL stands behind them. */
static void
draw_hex(char *to, size_t digits)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t raw[16];
	size_t i;

	draw(raw, digits / 2);
	for (i = 0; i < digits / 2; i++) {
		*to++ = hex[raw[i] >> 4];
		*to++ = hex[raw[i] & 15];
	}
	*to = '\0';
}

void
ident_request(char id[IDENT_REQUEST_BYTES], const char *offered)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t bytes;

	bytes = offered == NULL ? 0 : strspn(offered, allowed);
	if (bytes == 0 || bytes >= IDENT_REQUEST_BYTES ||
	    offered[bytes] != '\0')
		draw_hex(id, 32);
	else
		memcpy(id, offered, bytes + 1);
}

/* Lower-case hex digits, as many as asked for. */
static int
is_hex(const char *text, size_t digits)
{
	return strspn(text, "0123456789abcdef") >= digits;
}

static int
is_zeros(const char *text, size_t digits)
{
	return strspn(text, "0") >= digits;
}

/* version "-" trace-id "-" parent-id "-" flags; a later version may carry more
 * behind another dash. */
static int
traceparent_valid(const char *t)
{
	if (strnlen(t, 55) < 55 || !is_hex(t, 2) || memcmp(t, "ff", 2) == 0)
		return 0;
	if (t[2] != '-' || t[35] != '-' || t[52] != '-')
		return 0;
	if (!is_hex(t + 3, 32) || !is_hex(t + 36, 16) || !is_hex(t + 53, 2))
		return 0;
	if (is_zeros(t + 3, 32) || is_zeros(t + 36, 16))
		return 0;
	return t[55] == '\0' || (t[55] == '-' && memcmp(t, "00", 2) != 0);
}

/* The caller's own span, where there is a trace that goes on. */
static int
caller_find(struct ident_trace *trace, const char *offered)
{
	trace->caller[0] = '\0';
	if (offered == NULL || !traceparent_valid(offered))
		return 0;
	memcpy(trace->caller, offered + 36, 16);
	trace->caller[16] = '\0';
	return 1;
}

void
ident_span(char id[17])
{
	draw_hex(id, 16);
}

int
ident_sampled(const struct ident_trace *trace)
{
	return trace->parent[54] == '1';
}

static void
ident_sample(struct ident_trace *trace, int sampled)
{
	trace->parent[54] = sampled ? '1' : '0';
}

void
ident_choose(struct ident_trace *trace, int64_t share)
{
	uint64_t random = strtoull(trace->trace_id + 18, NULL, 16);

	if (trace->caller[0] == '\0')
		ident_sample(trace, random % 1000000 < (uint64_t)share);
}

void
ident_trace(struct ident_trace *trace, const char *offered)
{
	/* A trace of our own is sampled: its access line is written.  Of the
	 * caller's flags only that bit has a meaning (3.2.2.5). */
	int sampled = 1;

	if (caller_find(trace, offered)) {
		memcpy(trace->trace_id, offered + 3, 32);
		trace->trace_id[32] = '\0';
		sampled = strchr("13579bdf", offered[54]) != NULL;
	} else {
		draw_hex(trace->trace_id, 32);
	}
	ident_span(trace->span_id);
	memcpy(trace->parent, "00-", 3);
	memcpy(trace->parent + 3, trace->trace_id, 32);
	trace->parent[35] = '-';
	memcpy(trace->parent + 36, trace->span_id, 16);
	memcpy(trace->parent + 52, "-00", 4);
	ident_sample(trace, sampled);
}

int
ident_again(struct ident_trace *trace, const char *own, const char *offered)
{
	if (!traceparent_valid(own) || strnlen(own, 56) != 55)
		return -1;
	memcpy(trace->parent, own, 56);
	memcpy(trace->trace_id, own + 3, 32);
	trace->trace_id[32] = '\0';
	memcpy(trace->span_id, own + 36, 16);
	trace->span_id[16] = '\0';
	caller_find(trace, offered);
	return 0;
}

const char *
ident_state(const struct ident_trace *trace, const char *offered)
{
	if (offered == NULL || trace->caller[0] == '\0')
		return "";
	for (const char *c = offered; *c != '\0'; c++)
		if (c - offered >= STATE_MAX || *c < 0x20 || *c > 0x7e)
			return "";
	return strchr(offered, '=') == NULL ? "" : offered;
}
