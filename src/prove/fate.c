/* SPDX-License-Identifier: MIT */
#include "prove/fate.h"

#include <curl/curl.h>

static const struct {
	const char *key, *words;
} names[FATES] = {
	[FATE_ANSWERED] = {"answered", "answered"},
	[FATE_REFUSED] = {"refused", "refused"},
	[FATE_RESET] = {"reset", "reset"},
	[FATE_CUT] = {"cut_short", "cut short"},
	[FATE_BODY] = {"wrong_body", "wrong body"},
	[FATE_RESENT] = {"sent_again", "sent again"},
	[FATE_2XX] = {"status_2xx", "status 2xx"},
	[FATE_3XX] = {"status_3xx", "status 3xx"},
	[FATE_4XX] = {"status_4xx", "status 4xx"},
	[FATE_5XX] = {"status_5xx", "status 5xx"},
	[FATE_SLOW] = {"too_slow", "too slow"},
	[FATE_WRONG] = {"wrong_answer", "wrong answer"},
	[FATE_TWICE] = {"answered_twice", "answered twice"}};

const char *
fate_key(enum fate fate)
{
	return names[fate].key;
}

const char *
fate_words(enum fate fate)
{
	return names[fate].words;
}

/* A transfer that libcurl calls failed. */
static enum fate
failed(const struct outcome *seen)
{
	switch (seen->curl) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
		return FATE_REFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return FATE_SLOW;
	case CURLE_UNSUPPORTED_PROTOCOL: /* no status line: "HTTP/0.9" */
	case CURLE_WEIRD_SERVER_REPLY:
		return FATE_WRONG;
	default:
		return seen->status == 0 ? FATE_RESET : FATE_CUT;
	}
}

static enum fate
of_status(int status)
{
	static const enum fate classes[] = {FATE_2XX, FATE_3XX, FATE_4XX,
	    FATE_5XX};

	if (status < 200 || status >= STATUS_END)
		return FATE_WRONG;
	return classes[status / 100 - 2];
}

/*
 * The status comes before the id: the error page of a front knows no id, and
 * is a 5xx first of all.
 */
enum fate
fate_of(const struct outcome *seen, const struct rules *rules)
{
	if (seen->sent > 1)
		return FATE_RESENT;
	if (seen->curl != CURLE_OK)
		return failed(seen);
	if (seen->status <= 0 || seen->status >= STATUS_END ||
	    !rules->ok[seen->status])
		return of_status(seen->status);
	if (seen->latency_us > rules->timeout_us)
		return FATE_SLOW;
	if (rules->ids && !seen->id_matches)
		return FATE_WRONG;
	if (!seen->body_matches)
		return FATE_BODY;
	return seen->extra ? FATE_TWICE : FATE_ANSWERED;
}
