/* SPDX-License-Identifier: MIT */
#include "lib/retry.h"

#define RETRY_COST 100

int
retry_wait_ms(const struct retry_policy *policy, int done, uint32_t random)
{
	int64_t bound = policy->first_ms;

	while (--done > 0 && bound < policy->longest_ms)
		bound *= 2;
	if (bound > policy->longest_ms)
		bound = policy->longest_ms;
	return (int)((uint64_t)random * (uint64_t)(bound + 1) >> 32);
}

/* What somebody scribbled there is no debt. */
static int64_t
debt_sane(int64_t debt)
{
	return debt < 0 || debt > RETRY_RESERVE * RETRY_COST ? 0 : debt;
}

void
retry_pay(_Atomic int64_t *debt, const struct retry_policy *policy)
{
	int64_t old = atomic_load(debt), next;

	do {
		if (old == 0)
			return;
		next = debt_sane(old) - policy->budget_percent;
		if (next < 0)
			next = 0;
	} while (!atomic_compare_exchange_weak(debt, &old, next));
}

int
retry_borrow(_Atomic int64_t *debt)
{
	int64_t old = atomic_load(debt), next;

	do {
		next = debt_sane(old) + RETRY_COST;
		if (next > RETRY_RESERVE * RETRY_COST)
			return -1;
	} while (!atomic_compare_exchange_weak(debt, &old, next));
	return 0;
}
