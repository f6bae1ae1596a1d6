/* SPDX-License-Identifier: MIT */
#include "proto/bucket.h"

#include <sys/random.h>
#include <errno.h>
#include <string.h>

#include "base/siphash.h"

#define TIME_BITS 44 /* 203 days of microseconds, then it begins again */
#define LATE_US 60000000 /* a worker may be held up since it took the time */
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

_Static_assert(sizeof(struct bucket_head) == BUCKET_WAYS * 8,
    "a set does not cross a line");

/* ---- the area ------------------------------------------------------------ */

/* Whoever comes first chooses; each half once and for all. */
static int
secret_share(struct bucket_table *t)
{
	uint64_t own[2], none;

	if (getrandom(own, sizeof(own), 0) != (ssize_t)sizeof(own))
		return -1;
	for (int i = 0; i < 2; i++) {
		none = 0;
		atomic_compare_exchange_strong(&t->head->secret[i], &none,
		    own[i] | 1);
		t->secret[i] = atomic_load(&t->head->secret[i]);
	}
	return 0;
}

int
bucket_open(struct bucket_table *t, void *area, uint64_t bytes)
{
	uint64_t lines = bytes / sizeof(struct bucket_head);

	memset(t, 0, sizeof(*t));
	if (area == NULL || lines < 2) {
		errno = ENOSPC;
		return -1;
	}
	t->head = area;
	t->word = (_Atomic uint64_t *)(void *)(t->head + 1);
	t->sets = lines > UINT32_MAX ? UINT32_MAX : (uint32_t)lines - 1;
	if (secret_share(t) == 0)
		return 0;
	t->head = NULL;
	return -1;
}

uint64_t
bucket_hash(const struct bucket_table *t, const struct rate *rate,
    const void *key, size_t bytes)
{
	uint64_t secret[2] = {t->secret[0] ^ (uint64_t)rate->every_us,
	    t->secret[1] ^ (uint64_t)rate->burst};

	return siphash(secret, key, bytes);
}

/* ---- one word ------------------------------------------------------------ */

/* Microseconds until the bucket is full, 0 when it is.  A time further ahead
 * than any limit reaches is one long past, or of another clock. */
static int64_t
word_debt(uint64_t word, int64_t now_us)
{
	uint64_t ahead = (word - (uint64_t)now_us) & TIME_MASK;

	return ahead > RATE_REFILL_MAX_US ? 0 : (int64_t)ahead;
}

static uint64_t
word_make(uint64_t mark, int64_t full_us)
{
	return mark << TIME_BITS | ((uint64_t)full_us & TIME_MASK);
}

struct found {
	_Atomic uint64_t *at;
	uint64_t word;	 /* as it was read */
	int64_t debt_us; /* of this client: 0 when the bucket is another's */
	int in_use;	 /* another's, and not yet full */
};

/* The client's own word; else one that is free; else the one next to be. */
static void
set_find(_Atomic uint64_t *set, uint64_t mark, int64_t now_us,
    struct found *found)
{
	int64_t debt, least = INT64_MAX;
	uint64_t word;

	for (int i = 0; i < BUCKET_WAYS; i++) {
		word = atomic_load_explicit(&set[i], memory_order_relaxed);
		debt = word_debt(word, now_us);
		if (word >> TIME_BITS == mark) {
			*found = (struct found){&set[i], word, debt, 0};
			return;
		}
		if (debt < least) {
			*found = (struct found){&set[i], word, 0, debt > 0};
			least = debt;
		}
	}
}

static void
refuse(struct bucket_table *t, const struct rate *rate, int64_t debt_us,
    struct bucket_answer *answer)
{
	atomic_fetch_add_explicit(&t->head->refused, 1, memory_order_relaxed);
	answer->admitted = 0;
	answer->left = 0;
	answer->full_us = debt_us;
	answer->next_us = debt_us - (rate->burst - 1) * rate->every_us;
}

void
bucket_take(struct bucket_table *t, uint64_t hash, const struct rate *rate,
    int64_t now_us, struct bucket_answer *answer)
{
	uint64_t mark = hash >> TIME_BITS == 0 ? 1 : hash >> TIME_BITS;
	uint64_t at = (hash & UINT32_MAX) * t->sets >> 32;
	int64_t room_us = rate->burst * rate->every_us, debt;
	struct found found;

	do {
		set_find(t->word + at * BUCKET_WAYS, mark, now_us, &found);
		if (found.debt_us > room_us + LATE_US) /* another clock's */
			found.debt_us = 0;
		debt = found.debt_us + rate->every_us;
		if (debt > room_us) {
			refuse(t, rate, found.debt_us, answer);
			return;
		}
	} while (!atomic_compare_exchange_strong_explicit(found.at,
	    &found.word, word_make(mark, now_us + debt), memory_order_relaxed,
	    memory_order_relaxed));
	if (found.in_use)
		atomic_fetch_add_explicit(&t->head->replaced, 1,
		    memory_order_relaxed);
	answer->admitted = 1;
	answer->left = (room_us - debt) / rate->every_us;
	answer->full_us = debt;
	answer->next_us = 0;
}
