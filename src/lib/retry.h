/* SPDX-License-Identifier: MIT */
/*
 * When to try again.  The wait before a retry is random between 0 and a bound
 * that doubles up to a cap: "full jitter" of M. Brooker, "Exponential Backoff
 * And Jitter", AWS Architecture Blog, 2015.  All retries of the pool together
 * are bounded to a share of its calls, after Google, "Site Reliability
 * Engineering", chapters 21 and 22 (retry budgets): so an upstream that fails
 * under load is not given several times that load.
 *
 * Pure: random numbers come from the caller.
 */
#ifndef LIB_RETRY_H
#define LIB_RETRY_H

#include <stdatomic.h>
#include <stdint.h>

#define RETRY_RESERVE 10 /* retries that need no calls before them */

struct retry_policy {
	int tries;	    /* of one call, at most; 1 = no retry */
	int first_ms;	    /* bound of the first wait */
	int longest_ms;	    /* cap of the bound */
	int budget_percent; /* retries for 100 calls of the pool */
};

/* Milliseconds to wait after `done` tries (>= 1) have failed: 0 to the bound,
 * by a random number of 32 bits. */
int retry_wait_ms(const struct retry_policy *policy, int done,
    uint32_t random);

/* The budget is kept as the pool's debt in hundredths of a retry, so that zero
 * memory is a full purse.  A call pays off budget_percent of it; a retry
 * borrows 100, up to RETRY_RESERVE of them. retry_borrow() returns 0, or -1
 * when nothing is left. */
void retry_pay(_Atomic int64_t *debt, const struct retry_policy *policy);
int retry_borrow(_Atomic int64_t *debt);

#endif
