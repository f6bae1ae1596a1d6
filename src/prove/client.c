/* SPDX-License-Identifier: MIT */
#include "prove/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ID_HEADER "X-Request-Id: "
#define ID_HEADER_BYTES (sizeof(ID_HEADER) - 1)

/* ---- what libcurl tells meanwhile ---------------------------------------- */

static int
begins(const char *data, size_t bytes, const char *with)
{
	size_t n = strlen(with);

	return bytes >= n && strncasecmp(data, with, n) == 0;
}

/* A head may go out in pieces; only its first begins with the method. */
static int
on_debug(CURL *easy, curl_infotype type, char *data, size_t bytes, void *arg)
{
	struct client *c = arg;
	const char *method = options_method(c->crowd->options);

	(void)easy;
	if (type == CURLINFO_HEADER_OUT) {
		c->seen.sent += begins(data, bytes, method) &&
		    bytes > strlen(method) && data[strlen(method)] == ' ';
	} else if (type == CURLINFO_TEXT) {
		/* It throws these bytes away and does not say so otherwise. */
		c->seen.extra |= begins(data, bytes, "Excess found") ||
		    begins(data, bytes, "Leftovers after chunking");
	}
	return 0;
}

static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	struct client *c = arg;
	size_t bytes = size * count, id;

	if (begins(data, bytes, "HTTP/"))
		c->seen.id_matches = 0; /* a 100 may have come before */
	if (c->id == NULL || !begins(data, bytes, "x-request-id:"))
		return bytes;
	id = strlen(c->id);
	while (bytes > 0 && strchr("\r\n \t", data[bytes - 1]) != NULL)
		bytes--;
	c->seen.id_matches = bytes > id &&
	    memcmp(data + bytes - id, c->id, id) == 0 &&
	    strchr(": \t", data[bytes - id - 1]) != NULL;
	return size * count;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	struct client *c = arg;
	const struct options *o = c->crowd->options;

	if (o->hash_given || o->hash_of_first)
		SHA256Update(&c->digest, (uint8_t *)data, size * count);
	return size * count;
}

/* An aborted transfer has sent nothing: it may simply begin again. */
static int
on_ready(void *arg, char *ip, char *own_ip, int port, int own_port)
{
	struct client *c = arg;

	(void)ip;
	(void)own_ip;
	(void)port;
	return sockets_take(&c->crowd->sockets, own_port) < 0 ?
	    CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* ---- the request --------------------------------------------------------- */

static int
add_header(struct client *c, const char *text)
{
	struct curl_slist *more = curl_slist_append(c->headers, text);

	if (more == NULL)
		return -1;
	c->headers = more;
	return 0;
}

/* The last node's text; libcurl copies none of them. */
static char *
last_header(struct client *c)
{
	struct curl_slist *node = c->headers;

	while (node->next != NULL)
		node = node->next;
	return node->data;
}

/* No Expect: nothing may be sent twice in good order. */
static int
make_headers(struct client *c, const struct options *o)
{
	char room[ID_HEADER_BYTES + CLIENT_ID_BYTES];
	int own_id = 1;

	if (add_header(c, "Expect:") < 0)
		return -1;
	for (int i = 0; i < o->header_count; i++) {
		if (strncasecmp(o->headers[i], "x-request-id:", 13) == 0)
			own_id = 0;
		if (add_header(c, o->headers[i]) < 0)
			return -1;
	}
	if (o->fresh && add_header(c, "Connection: close") < 0)
		return -1;
	if (!own_id)
		return 0;
	memset(room, 'x', sizeof(room) - 1);
	room[sizeof(room) - 1] = '\0';
	memcpy(room, ID_HEADER, ID_HEADER_BYTES);
	if (add_header(c, room) < 0)
		return -1;
	c->id = last_header(c) + ID_HEADER_BYTES;
	return 0;
}

static void
set_request(CURL *easy, const struct options *o)
{
	const char *method = options_method(o);
	int wants_body = strcmp(method, "POST") == 0 ||
	    strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;

	if (o->body != NULL || wants_body) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)o->body_bytes);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
		    o->body == NULL ? "" : o->body);
	}
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void
set_callbacks(struct client *c)
{
	curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	curl_easy_setopt(c->easy, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(c->easy, CURLOPT_DEBUGFUNCTION, on_debug);
	curl_easy_setopt(c->easy, CURLOPT_DEBUGDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(c->easy, CURLOPT_PREREQFUNCTION, on_ready);
	curl_easy_setopt(c->easy, CURLOPT_PREREQDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_CLOSESOCKETFUNCTION, sockets_close);
	curl_easy_setopt(c->easy, CURLOPT_CLOSESOCKETDATA, &c->crowd->sockets);
}

int
client_open(struct client *c, struct crowd *crowd)
{
	const struct options *o = crowd->options;

	memset(c, 0, sizeof(*c));
	c->crowd = crowd;
	c->easy = curl_easy_init();
	if (c->easy == NULL || make_headers(c, o) < 0)
		return -1;
	set_callbacks(c);
	set_request(c->easy, o);
	curl_easy_setopt(c->easy, CURLOPT_URL, o->url);
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c->easy, CURLOPT_USERAGENT, "nds-prove/" NDS_VERSION);
	curl_easy_setopt(c->easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, (long)o->fresh);
	curl_easy_setopt(c->easy, CURLOPT_FORBID_REUSE, (long)o->fresh);
	if (o->insecure) {
		curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	return 0;
}

void
client_close(struct client *c)
{
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	c->easy = NULL;
	c->headers = NULL;
}

void
client_begin(struct client *c, int64_t number, int64_t due_us,
    int64_t timeout_us)
{
	memset(&c->seen, 0, sizeof(c->seen));
	c->error[0] = '\0';
	c->number = number;
	c->due_us = due_us;
	if (c->id != NULL)
		snprintf(c->id, CLIENT_ID_BYTES, "prove-%s-%" PRId64,
		    c->crowd->run, number);
	SHA256Init(&c->digest);
	curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS,
	    (long)((timeout_us + 999) / 1000));
}

/* ---- its end ------------------------------------------------------------- */

/* Is this the body that was expected?  The first good one may say which. */
static int
body_matches(struct client *c)
{
	struct crowd *crowd = c->crowd;
	const struct options *o = crowd->options;
	uint8_t digest[HASH_BYTES];

	if (!o->hash_given && !o->hash_of_first)
		return 1;
	SHA256Final(digest, &c->digest);
	if (!crowd->hash_known && c->seen.curl == CURLE_OK &&
	    c->seen.status > 0 && c->seen.status < STATUS_END &&
	    o->rules.ok[c->seen.status]) {
		memcpy(crowd->hash, digest, HASH_BYTES);
		crowd->hash_known = 1;
	}
	return memcmp(crowd->hash, digest, HASH_BYTES) == 0;
}

void
client_end(struct client *c, int code)
{
	long status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	c->seen.curl = code;
	c->seen.status = (int)status;
	c->seen.body_matches = body_matches(c);
}

long
client_errno(const struct client *c)
{
	long number = 0;

	curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &number);
	return number;
}

void
client_rest(struct client *c, enum phase phase, int64_t end_us)
{
	struct rest rest = {.end_us = end_us, .phase = phase};
	curl_socket_t fd = CURL_SOCKET_BAD;
	long port = 0;

	curl_easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &fd);
	curl_easy_getinfo(c->easy, CURLINFO_LOCAL_PORT, &port);
	sockets_rest(&c->crowd->sockets, fd, port, &rest);
}

int
client_connected(const struct client *c)
{
	curl_off_t connect_us = 0;

	if (c->seen.status != 0 || c->seen.sent > 0)
		return 1;
	curl_easy_getinfo(c->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
	return connect_us > 0;
}
