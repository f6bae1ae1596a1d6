/* SPDX-License-Identifier: MIT */
#include "lib/freshness.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SECONDS_MAX 86400000 /* longer than any route's time */
#define FIELDS_BYTES 16384 /* all that an answer may have */
#define UNSAID INT64_MAX

/* What one answer says. */
struct terms {
	const char *vary; /* of the route */
	int forbids;
	int revalidates; /* it must never be given stale */
	int expires;	 /* it has a date, which is not read */
	int64_t max_age_ms, s_maxage_ms, while_stale_ms;
};

int
freshness_list(const char *list, int (*each)(const char *name, void *arg),
    void *arg)
{
	char name[128];
	size_t bytes;
	int rc = 0;

	while (rc == 0 && *(list += strspn(list, ", \t")) != '\0') {
		bytes = strcspn(list, ", \t");
		snprintf(name, sizeof(name), "%.*s", (int)bytes, list);
		rc = each(name, arg);
		list += bytes;
	}
	return rc;
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Delta-seconds, which may stand in quotes (RFC 9111, 5.2); what is none is
 * 0, that is stale (4.2.1). */
static int64_t
seconds_ms(const char *text)
{
	size_t quoted = *text == '"', digits;
	int64_t s = 0;

	text += quoted;
	digits = strspn(text, "0123456789");
	if (digits == 0 || strcmp(text + digits, quoted ? "\"" : "") != 0)
		return 0;
	for (; digits > 0; digits--)
		s = least(s * 10 + (*text++ - '0'), SECONDS_MAX);
	return s * 1000;
}

static int
is_directive(const char *name, const char *word)
{
	size_t bytes = strlen(word);

	return strncasecmp(name, word, bytes) == 0 &&
	    (name[bytes] == '\0' || name[bytes] == '=');
}

/* Of times that are said twice the shorter one counts. */
static void
time_note(const char *name, const char *word, int64_t *ms)
{
	const char *value = name + strlen(word);

	if (is_directive(name, word))
		*ms = least(*ms, seconds_ms(value + (*value == '=')));
}

static int
directive_note(const char *name, void *arg)
{
	struct terms *t = arg;

	t->forbids |= is_directive(name, "no-store") ||
	    is_directive(name, "no-cache") || is_directive(name, "private");
	t->revalidates |= is_directive(name, "must-revalidate") ||
	    is_directive(name, "proxy-revalidate");
	time_note(name, "max-age", &t->max_age_ms);
	time_note(name, "s-maxage", &t->s_maxage_ms);
	time_note(name, "stale-while-revalidate", &t->while_stale_ms);
	return 0;
}

static int
name_is(const char *name, void *other)
{
	return strcasecmp(name, other) == 0;
}

/* Does the answer depend on a header by which the route's are not found? */
static int
name_unlisted(const char *name, void *arg)
{
	const struct terms *t = arg;
	char copy[128];

	snprintf(copy, sizeof(copy), "%s", name);
	return !freshness_list(t->vary, name_is, copy);
}

static void
field_note(struct terms *t, const char *name, const char *value)
{
	if (strcasecmp(name, "Set-Cookie") == 0) /* it is one client's */
		t->forbids = 1;
	else if (strcasecmp(name, "Cache-Control") == 0)
		freshness_list(value, directive_note, t);
	else if (strcasecmp(name, "Expires") == 0)
		t->expires = 1;
	else if (strcasecmp(name, "Vary") == 0)
		t->forbids |= freshness_list(value, name_unlisted, t);
}

static void
fields_note(struct terms *t, const char *at, size_t bytes)
{
	const char *end = at + bytes, *next;
	char line[FIELDS_BYTES], *colon;

	for (; at < end; at = next) {
		next = memchr(at, '\n', (size_t)(end - at));
		next = next == NULL ? end : next + 1;
		snprintf(line, sizeof(line), "%.*s",
		    (int)strcspn(at, "\r\n"), at);
		colon = strchr(line, ':');
		if (colon == NULL)
			continue;
		*colon = '\0';
		field_note(t, line, colon + 1);
	}
}

int
freshness_limit(struct freshness *f, const char *fields, size_t bytes,
    const char *vary)
{
	struct terms t = {.vary = vary, .max_age_ms = UNSAID,
	    .s_maxage_ms = UNSAID, .while_stale_ms = UNSAID};
	int64_t says_ms;

	fields_note(&t, fields, bytes);
	/* s-maxage is for caches such as this one, and forbids stale answers
	 * as proxy-revalidate does (RFC 9111, 5.2.2.10). */
	says_ms = t.s_maxage_ms != UNSAID ? t.s_maxage_ms : t.max_age_ms;
	if (t.s_maxage_ms != UNSAID || t.revalidates)
		t.while_stale_ms = 0;
	if (says_ms == UNSAID && t.expires)
		t.forbids = 1;
	f->fresh_ms = least(f->fresh_ms, says_ms);
	f->stale_ms = least(f->stale_ms, t.while_stale_ms);
	return !t.forbids && f->fresh_ms > 0;
}
