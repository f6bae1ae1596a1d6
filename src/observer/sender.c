/* SPDX-License-Identifier: MIT */
#include "observer/sender.h"

#include <curl/curl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"

#define TIMEOUT_MS 10000L
#define FIRST_MS 1000
#define LONGEST_MS 30000

/* Of its body so much is kept; the status counts when there is more. */
static size_t
answer_take(char *data, size_t size, size_t count, void *arg)
{
	struct sender *s = arg;

	if (size * count > sizeof(s->answer) - s->answer_bytes)
		return 0;
	memcpy(s->answer + s->answer_bytes, data, size * count);
	s->answer_bytes += size * count;
	return size * count;
}

static int
easy_set(struct sender *s)
{
	struct curl_slist *list, *more;

#if LIBCURL_VERSION_NUM >= 0x075700 /* 7.87.0 */
	/* to give up a name that is being looked up; else it is waited for */
	curl_easy_setopt(s->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	list = curl_slist_append(NULL, "Content-Type: application/json");
	more = list == NULL ? NULL : curl_slist_append(list, "Expect:");
	s->headers = list;
	return more == NULL ||
	    curl_easy_setopt(s->easy, CURLOPT_URL, s->url) != CURLE_OK ||
	    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, list) != CURLE_OK ||
	    curl_easy_setopt(s->easy, CURLOPT_USERAGENT,
		"no-downtime-service/" NDS_VERSION) != CURLE_OK ||
	    curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, answer_take) !=
		CURLE_OK ||
	    curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s) != CURLE_OK ||
	    curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS) !=
		CURLE_OK ||
	    curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ? -1 :
	    0;
}

/* The URL without what may be secret in it, user and query. */
static void
name_set(struct sender *s, const char *url)
{
	const char *begin = strstr(url, "://");
	const char *host = begin == NULL ? url : begin + 3;
	const char *end = host + strcspn(host, "/?#");
	const char *user = memrchr(host, '@', (size_t)(end - host));
	int scheme = (int)(host - url);

	host = user == NULL ? host : user + 1;
	snprintf(s->name, sizeof(s->name), "%.*s%.*s", scheme, url,
	    (int)strcspn(host, "?#"), host);
}

int
sender_open(struct sender *s, const char *url, struct pool_board *pool,
    struct nds_error *err)
{
	memset(s, 0, sizeof(*s));
	s->pool = pool;
	if (*url == '\0')
		return 0;
	s->url = url;
	name_set(s, url);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
		s->multi = curl_multi_init();
		s->easy = curl_easy_init();
	}
	if (s->multi == NULL || s->easy == NULL || easy_set(s) < 0)
		return error_set(err, "libcurl cannot be used");
	return 0;
}

static void
pop(struct sender *s)
{
	free(s->body[s->first].text);
	s->first = (s->first + 1) % SENDER_QUEUE;
	s->count--;
}

static void
drop(struct sender *s, unsigned spans)
{
	s->dropped += spans;
	atomic_fetch_add(&s->pool->spans_unsent, spans);
}

void
sender_push(struct sender *s, struct sender_body body)
{
	if (s->url == NULL || s->count == SENDER_QUEUE) {
		if (s->url != NULL)
			drop(s, body.spans);
		free(body.text);
		return;
	}
	s->body[(s->first + s->count++) % SENDER_QUEUE] = body;
}

static void
begin(struct sender *s)
{
	const struct sender_body *b = &s->body[s->first];

	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE, (long)b->bytes);
	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, b->text);
	s->answer_bytes = 0;
	s->in_flight = curl_multi_add_handle(s->multi, s->easy) == CURLM_OK;
}

/* Until it takes some again it is told once. */
static int
complain(struct sender *s)
{
	int first = !s->complained;

	s->complained = 1;
	return first;
}

/* Spans of the batch that it says it has not taken (OTLP, partial success): a
 * number, which may be written as text. */
static unsigned
rejected(struct sender *s)
{
	json_t *body = json_loadb(s->answer, s->answer_bytes, 0, NULL);
	const json_t *part = json_object_get(body, "partialSuccess");
	const json_t *count = json_object_get(part, "rejectedSpans");
	const char *why = json_string_value(json_object_get(part,
	    "errorMessage")), *text = json_string_value(count);
	int64_t spans = json_integer_value(count);

	if (text != NULL && num_whole(text, 0, INT64_MAX, &spans) < 0)
		spans = 0;
	if (spans > s->body[s->first].spans)
		spans = s->body[s->first].spans;
	if (spans > 0)
		snprintf(s->why, sizeof(s->why), "%s",
		    why == NULL ? "it does not say why" : why);
	json_decref(body);
	return spans < 0 ? 0 : (unsigned)spans;
}

static void
taken(struct sender *s)
{
	unsigned lost = rejected(s);

	atomic_fetch_add(&s->pool->spans_sent, s->body[s->first].spans - lost);
	if (lost > 0) {
		drop(s, lost);
		if (complain(s))
			log_warnx("%s takes only part of the traces: %s",
			    s->name, s->why);
		s->failures = 0;
		pop(s);
		return;
	}
	if (s->complained)
		log_info("%s takes traces again; spans dropped: %llu",
		    s->name, (unsigned long long)s->dropped);
	s->complained = 0;
	s->dropped = 0;
	s->failures = 0;
	pop(s);
}

/* It may take the same later. */
static void
put_off(struct sender *s, int64_t now_ms)
{
	curl_off_t asked = 0;
	int64_t wait_ms = FIRST_MS;

	curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &asked);
	for (unsigned i = 0; i < s->failures && wait_ms < LONGEST_MS; i++)
		wait_ms *= 2;
	if (asked > LONGEST_MS / 1000)
		asked = LONGEST_MS / 1000;
	if (asked * 1000 > wait_ms)
		wait_ms = asked * 1000;
	s->retry_ms = now_ms + (wait_ms < LONGEST_MS ? wait_ms : LONGEST_MS);
	s->failures++;
	if (complain(s))
		log_warnx("%s does not take traces: %s; tried again, and "
			  "beyond %d batches spans are dropped",
		    s->name, s->why, SENDER_QUEUE);
}

static void
refused(struct sender *s)
{
	if (complain(s))
		log_warnx("%s refuses traces: %s; spans are dropped", s->name,
		    s->why);
	s->failures = 0;
	drop(s, s->body[s->first].spans);
	pop(s);
}

static int
is_passing(long status)
{
	return status == 0 || status == 429 || (status >= 502 && status <= 504);
}

static void
finish(struct sender *s, CURLcode result, int64_t now_ms)
{
	long status = 0;

	curl_multi_remove_handle(s->multi, s->easy);
	s->in_flight = 0;
	if (result == CURLE_OK || s->answer_bytes > 0)
		curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	snprintf(s->why, sizeof(s->why), "%s",
	    curl_easy_strerror(result));
	if (status != 0)
		snprintf(s->why, sizeof(s->why), "it answers %ld", status);
	if (status >= 200 && status < 300)
		taken(s);
	else if (is_passing(status))
		put_off(s, now_ms);
	else
		refused(s);
}

/* Returns whether the body that was under way has come to its end. */
static int
is_finished(struct sender *s, int64_t now_ms)
{
	CURLMsg *message;
	int left;

	curl_multi_perform(s->multi, &left);
	while ((message = curl_multi_info_read(s->multi, &left)) != NULL)
		if (message->msg == CURLMSG_DONE)
			finish(s, message->data.result, now_ms);
	return !s->in_flight;
}

/* The next one leaves as soon as one is taken: nothing would end the wait. */
void
sender_step(struct sender *s, int64_t now_ms)
{
	if (s->url == NULL)
		return;
	do {
		if (!s->in_flight && s->count > 0 && now_ms >= s->retry_ms)
			begin(s);
	} while (s->in_flight && is_finished(s, now_ms));
}

void
sender_wait(struct sender *s, int fd, int timeout_ms)
{
	struct curl_waitfd extra = {.fd = fd, .events = CURL_WAIT_POLLIN};
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (s->url == NULL)
		poll(&p, 1, timeout_ms);
	else
		curl_multi_poll(s->multi, &extra, fd < 0 ? 0 : 1,
		    timeout_ms, NULL);
}

unsigned
sender_queued(const struct sender *s)
{
	unsigned spans = 0;

	for (unsigned i = 0; i < s->count; i++)
		spans += s->body[(s->first + i) % SENDER_QUEUE].spans;
	return spans;
}

void
sender_close(struct sender *s)
{
	while (s->count > 0) {
		drop(s, s->body[s->first].spans);
		pop(s);
	}
	if (s->url == NULL)
		return;
	curl_easy_cleanup(s->easy);
	curl_multi_cleanup(s->multi);
	curl_slist_free_all(s->headers);
	curl_global_cleanup();
}
