/* SPDX-License-Identifier: MIT */
#include "ndsd/pool.h"

#include <assert.h>
#include <string.h>

/* What the table holds, counted in one walk. */
struct pool_tally {
	uint32_t current; /* starting or ready, of this generation */
	uint32_t outdated; /* starting or ready, of another; or worn */
	uint32_t ready;	   /* of any generation */
	uint32_t waiting;  /* empty places that back off */
};

void
pool_limits(struct pool *p, const struct settings *s)
{
	int64_t retire_ms = s->request_timeout_ms + POOL_RETIRE_EXTRA_MS;

	/* what it has in hand ends at the deadline that it was given: those
	 * who serve under longer ones must not be cut short */
	if (retire_ms > p->retire_timeout_ms)
		p->retire_timeout_ms = retire_ms;
	p->start_timeout_ms = s->start_timeout_ms;
}

void
pool_init(struct pool *p, const struct settings *s)
{
	memset(p, 0, sizeof(*p));
	p->generation = p->latest = 1;
	pool_limits(p, s);
	pool_scale(p, (uint32_t)s->workers);
}

void
pool_scale(struct pool *p, uint32_t wanted)
{
	assert(wanted >= 1 && wanted <= BOARD_SLOTS_MAX / 2);
	p->wanted = wanted;
}

void
pool_stop(struct pool *p)
{
	p->stopping = 1;
}

int64_t
pool_retry_ms(uint32_t failures)
{
	int64_t wait = POOL_RETRY_FIRST_MS;

	if (failures == 0)
		return 0;
	while (--failures > 0 && wait < POOL_RETRY_MAX_MS)
		wait *= 2;
	return wait < POOL_RETRY_MAX_MS ? wait : POOL_RETRY_MAX_MS;
}

static void
place_enter(struct pool_place *at, enum pool_place_state state, int64_t now_ms)
{
	at->state = state;
	at->since_ms = now_ms;
}

static void
roll_enter(struct pool *p, enum pool_roll_state state, int64_t now_ms)
{
	p->roll = state;
	p->roll_ms = now_ms;
}

static int
rolling(const struct pool *p)
{
	return p->roll == POOL_ROLL_RUNNING || p->roll == POOL_ROLL_PROOF;
}

int
pool_reload(struct pool *p, int64_t now_ms)
{
	if (rolling(p) || p->stopping)
		return -1;
	p->roll_from = p->generation;
	p->roll_deaths = 0;
	p->generation = ++p->latest;
	roll_enter(p, POOL_ROLL_RUNNING, now_ms);
	return 0;
}

void
pool_take_back(struct pool *p, uint32_t generation, uint32_t roll)
{
	p->generation = generation;
	p->roll = roll;
}

/* What is new is outdated from here on, and what was old is wanted again. */
static void
roll_back(struct pool *p, int64_t now_ms)
{
	p->generation = p->roll_from;
	roll_enter(p, POOL_ROLL_BACK, now_ms);
}

static void
roll_judge(struct pool *p, const struct pool_place *at, int64_t now_ms)
{
	if (!rolling(p) || at->generation != p->generation)
		return;
	if (at->state == POOL_STARTING ||
	    (at->state == POOL_READY && ++p->roll_deaths >= POOL_ROLL_DEATHS))
		roll_back(p, now_ms);
}

void
pool_worn(struct pool *p, uint32_t place)
{
	if (p->place[place].state == POOL_READY)
		p->place[place].worn = 1;
}

void
pool_worker_died(struct pool *p, uint32_t place, int64_t now_ms)
{
	roll_judge(p, &p->place[place], now_ms);
}

static void
place_failed(struct pool_place *at, int64_t now_ms)
{
	at->failures++;
	at->retry_ms = now_ms + pool_retry_ms(at->failures);
}

void
pool_spawned(struct pool *p, uint32_t place, int32_t pid, int64_t now_ms)
{
	struct pool_place *at = &p->place[place];

	assert(at->state == POOL_EMPTY);
	if (pid <= 0) {
		place_failed(at, now_ms);
		if (rolling(p))
			roll_back(p, now_ms);
		return;
	}
	at->pid = pid;
	at->killed = 0;
	at->worn = 0;
	at->generation = p->generation;
	at->spawned_ms = now_ms;
	at->retry_ms = 0;
	place_enter(at, POOL_STARTING, now_ms);
}

void
pool_ready(struct pool *p, uint32_t place, int64_t now_ms)
{
	struct pool_place *at = &p->place[place];

	if (at->state != POOL_STARTING || at->killed)
		return;
	place_enter(at, POOL_READY, now_ms);
	if (pool_count(p, POOL_READY) >= p->wanted)
		p->was_ready = 1;
}

void
pool_unready(struct pool *p, uint32_t place)
{
	struct pool_place *at = &p->place[place];

	if (at->state == POOL_READY)
		place_enter(at, POOL_STARTING, at->spawned_ms);
}

/* A worker that served for a while has proved its place: the next start is
 * immediate.  One that was told to go has done as it should. */
void
pool_died(struct pool *p, uint32_t place, int64_t now_ms)
{
	struct pool_place *at = &p->place[place];

	if (at->state == POOL_EMPTY)
		return;
	roll_judge(p, at, now_ms);
	at->retry_ms = 0;
	if (at->state == POOL_STARTING ||
	    (at->state == POOL_READY &&
		now_ms - at->spawned_ms < POOL_YOUNG_MS))
		place_failed(at, now_ms);
	else
		at->failures = 0;
	at->pid = 0;
	at->killed = 0;
	place_enter(at, POOL_EMPTY, now_ms);
}

uint32_t
pool_count(const struct pool *p, enum pool_place_state state)
{
	uint32_t count = 0;

	for (size_t i = 0; i < BOARD_SLOTS_MAX; i++)
		count += p->place[i].state == state;
	return count;
}

static int
is_outdated(const struct pool *p, const struct pool_place *at)
{
	return at->generation != p->generation || at->worn;
}

static struct pool_tally
pool_tally(const struct pool *p, int64_t now_ms)
{
	struct pool_tally t = {0};

	for (size_t i = 0; i < BOARD_SLOTS_MAX; i++) {
		const struct pool_place *at = &p->place[i];
		int active =
		    at->state == POOL_STARTING || at->state == POOL_READY;

		t.current += active && !is_outdated(p, at);
		t.outdated += active && is_outdated(p, at);
		t.ready += at->state == POOL_READY;
		t.waiting += at->state == POOL_EMPTY && at->retry_ms > now_ms;
	}
	return t;
}

/* The moment at which this place must be killed; INT64_MAX = never. */
static int64_t
place_kill_ms(const struct pool *p, const struct pool_place *at)
{
	if (at->killed)
		return INT64_MAX;
	if (at->state == POOL_STARTING)
		return at->since_ms + p->start_timeout_ms;
	if (at->state == POOL_RETIRING)
		return at->since_ms + p->retire_timeout_ms;
	return INT64_MAX;
}

static int
step_kill(struct pool *p, int64_t now_ms, struct pool_order *order)
{
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++) {
		struct pool_place *at = &p->place[i];

		if (now_ms < place_kill_ms(p, at))
			continue;
		at->killed = 1;
		*order = (struct pool_order){POOL_KILL, i};
		return 1;
	}
	return 0;
}

/* Retire the highest place of that state, of this generation or of another. */
static int
retire_one(struct pool *p, enum pool_place_state state, int outdated,
    int64_t now_ms, struct pool_order *order)
{
	for (uint32_t i = BOARD_SLOTS_MAX; i-- > 0;) {
		struct pool_place *at = &p->place[i];

		if (at->state != (uint32_t)state ||
		    is_outdated(p, at) != outdated)
			continue;
		place_enter(at, POOL_RETIRING, now_ms);
		*order = (struct pool_order){POOL_RETIRE, i};
		return 1;
	}
	return 0;
}

/* Who is too many: whatever lives when the pool stops; the outdated that never
 * got ready, at once; the outdated that serve, once enough others do; and of
 * the current, those first that are not ready yet. */
static int
step_retire(struct pool *p, int64_t now_ms, struct pool_order *order)
{
	struct pool_tally t = pool_tally(p, now_ms);
	int surplus = p->stopping || t.current > p->wanted;

	if (retire_one(p, POOL_STARTING, 1, now_ms, order))
		return 1;
	if ((p->stopping || t.ready > p->wanted) &&
	    retire_one(p, POOL_READY, 1, now_ms, order))
		return 1;
	return surplus &&
	    (retire_one(p, POOL_STARTING, 0, now_ms, order) ||
		retire_one(p, POOL_READY, 0, now_ms, order));
}

/* One at a time beyond the wanted number while old ones are being replaced.
 * A place that backs off is spoken for, else a crash loop would wander through
 * the table and never wait. */
static int
step_spawn(struct pool *p, int64_t now_ms, struct pool_order *order)
{
	struct pool_tally t = pool_tally(p, now_ms);
	uint32_t surge = t.outdated > 0;

	if (p->stopping || t.current + t.waiting >= p->wanted ||
	    t.current + t.outdated >= p->wanted + surge)
		return 0;
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++) {
		if (p->place[i].state != POOL_EMPTY ||
		    p->place[i].retry_ms > now_ms)
			continue;
		*order = (struct pool_order){POOL_SPAWN, i};
		return 1;
	}
	return 0;
}

/* With the pool complete no place need be waited for. */
static void
forget_backoff(struct pool *p)
{
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++)
		if (p->place[i].state == POOL_EMPTY)
			p->place[i].retry_ms = 0;
}

/* All new, none old: on proof for a while, then done. */
static void
step_roll(struct pool *p, int64_t now_ms)
{
	struct pool_tally t = pool_tally(p, now_ms);

	if (p->roll == POOL_ROLL_RUNNING && t.outdated == 0 &&
	    t.ready >= p->wanted)
		roll_enter(p, POOL_ROLL_PROOF, now_ms);
	else if (p->roll == POOL_ROLL_PROOF &&
	    now_ms - p->roll_ms >= POOL_PROOF_MS)
		roll_enter(p, POOL_ROLL_DONE, now_ms);
}

size_t
pool_step(struct pool *p, int64_t now_ms, struct pool_order *orders, size_t max)
{
	size_t count = 0;

	step_roll(p, now_ms);

	if (pool_tally(p, now_ms).current >= p->wanted)
		forget_backoff(p);
	while (count < max &&
	    (step_kill(p, now_ms, &orders[count]) ||
		step_retire(p, now_ms, &orders[count])))
		count++;
	/* a spawn changes the table only when pool_spawned() tells its end */
	if (count < max && step_spawn(p, now_ms, &orders[count]))
		count++;
	return count;
}

int64_t
pool_next_ms(const struct pool *p, int64_t now_ms)
{
	int64_t next = INT64_MAX;

	if (p->roll == POOL_ROLL_PROOF)
		next = p->roll_ms + POOL_PROOF_MS;
	for (size_t i = 0; i < BOARD_SLOTS_MAX; i++) {
		const struct pool_place *at = &p->place[i];
		int64_t due = place_kill_ms(p, at);

		if (at->state == POOL_EMPTY && at->retry_ms > now_ms)
			due = at->retry_ms;
		if (due < next)
			next = due;
	}
	return next;
}
