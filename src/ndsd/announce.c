/* SPDX-License-Identifier: MIT */
#include "ndsd/announce.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ndsd/status.h"
#include "ndsd/supervisor.h"

#define STATUS_EVERY_MS 1000
#define EXTEND_EVERY_MS 5000
#define EXTEND_SPARE_MS 10000

enum word { STARTING, READY, RELOADING, STOPPING };

void
announce_open(struct announce *a)
{
	memset(a, 0, sizeof(*a));
	notify_open(&a->notify);
	notify_hide();
}

static enum word
word_now(const struct state *state)
{
	if (state->drain.phase > DRAIN_DRAINED)
		return STOPPING;
	if (!state->pool.was_ready)
		return STARTING;
	return state->roll_open ? RELOADING : READY;
}

/* How long the next message may take to come, in what has a time limit. */
static int64_t
patience_ms(const struct supervisor *sup, enum word word, int64_t now_ms)
{
	const struct state *state = sup->state;

	if (word == STOPPING)
		return drain_deadline_ms(&state->drain, &state->settings) -
		    now_ms + EXTEND_SPARE_MS;
	return state->settings.start_timeout_ms + EXTEND_SPARE_MS;
}

static size_t
write_word(const struct supervisor *sup, enum word word, char *text,
    size_t bytes)
{
	static const char *const words[] = {"", "READY=1\n",
	    "RELOADING=1\nMONOTONIC_USEC=", "STOPPING=1\n"};

	if (word == (enum word)sup->announce.said)
		return 0;
	if (word == RELOADING)
		return (size_t)snprintf(text, bytes, "%s%" PRId64 "\n",
		    words[word], clock_us());
	return (size_t)snprintf(text, bytes, "%s", words[word]);
}

static void
write_status(const struct supervisor *sup, char *line, size_t bytes)
{
	const struct pool *pool = &sup->state->pool;

	snprintf(line, bytes, "%s, %u of %u workers ready, generation %u",
	    sup->state->roll_open ? "reloading" : status_word(sup),
	    pool_count(pool, POOL_READY), pool->wanted, pool->generation);
}

void
announce_step(struct supervisor *sup, int64_t now_ms)
{
	struct announce *a = &sup->announce, next = *a;
	enum word word = word_now(sup->state);
	char text[384];
	size_t n;

	if (a->notify.path[0] == '\0')
		return;
	n = write_word(sup, word, text, sizeof(text));
	next.said = (int)word;
	if (word >= RELOADING && (n > 0 || now_ms >= a->extend_ms)) {
		next.extend_ms = now_ms + EXTEND_EVERY_MS;
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "EXTEND_TIMEOUT_USEC=%" PRId64 "\n",
		    patience_ms(sup, word, now_ms) * 1000);
	}
	write_status(sup, next.status, sizeof(next.status));
	if (strcmp(next.status, a->status) != 0 &&
	    (n > 0 || now_ms >= a->status_ms)) {
		next.status_ms = now_ms + STATUS_EVERY_MS;
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "STATUS=%s\n", next.status);
	} else {
		memcpy(next.status, a->status, sizeof(next.status));
	}
	if (a->notify.watchdog_us > 0 && now_ms >= a->watchdog_ms) {
		next.watchdog_ms = now_ms + a->notify.watchdog_us / 2000;
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "WATCHDOG=1\n");
	}
	if (n > 0 && notify_send(&a->notify, text, -1) == 0)
		*a = next;
}

void
announce_reload(struct supervisor *sup, int64_t now_ms)
{
	struct announce *a = &sup->announce;
	char text[64];

	if (a->said != READY && a->said != RELOADING)
		return;
	a->said = READY;
	write_word(sup, RELOADING, text, sizeof(text));
	if (notify_send(&a->notify, text, -1) == 0)
		a->said = RELOADING;
	a->extend_ms = now_ms;
}

/* ---- sockets ------------------------------------------------------------ */

void
announce_name(char name[ANNOUNCE_NAME_BYTES], int which,
    const struct listen_made *place)
{
	static const char *const kinds[] = {"app", "health", "control"};

	snprintf(name, ANNOUNCE_NAME_BYTES, "ndsd.%s.%" PRIx64 ".%" PRIx64,
	    kinds[which], place->dev, place->ino);
}

void
announce_keep(const struct listeners *l)
{
	char name[ANNOUNCE_NAME_BYTES], text[ANNOUNCE_NAME_BYTES + 24];
	struct notify n;

	notify_open(&n);
	for (int which = 0; which < LISTEN_SOCKETS; which++) {
		if (n.path[0] == '\0' || l->handed[which] ||
		    l->kept[which]) /* it holds that one already */
			continue;
		announce_name(name, which, &l->made[which]);
		snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\n", name);
		if (notify_send(&n, text, l->fd[which]) < 0)
			log_warn("the service manager does not hold %s", name);
	}
}

void
announce_release(const struct listen_made *made)
{
	char name[ANNOUNCE_NAME_BYTES], text[ANNOUNCE_NAME_BYTES + 32];
	struct notify n;

	notify_open(&n);
	for (int which = 0; which < LISTEN_SOCKETS; which++) {
		if (n.path[0] == '\0' || made[which].ino == 0)
			continue;
		announce_name(name, which, &made[which]);
		snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s\n",
		    name);
		notify_send(&n, text, -1);
	}
}
