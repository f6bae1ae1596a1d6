/* SPDX-License-Identifier: MIT */
/*
 * The client's half of the control protocol: one request line out, reply lines
 * in until the last.  The reply may come in any pieces and may be large
 * (status of a large pool, the log), up to REPLY_MAX.
 */
#include "proto/control.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sock.h"

#define REPLY_MAX (4 * 1024 * 1024) /* bytes of one reply line */
#define READ_BYTES 8192
#define AGAIN_MAX 5
#define FOR_EVER_MS (24 * 3600 * 1000) /* of one wait; then again */

struct call {
	int fd;
	int64_t deadline_ms; /* 0 = none */
	int cut_off;	     /* the supervisor ended before it answered */
	char *buf;	     /* bytes read, not yet taken */
	size_t used, room;
	const struct control_request *request;
	json_t **data;
	struct nds_error *err;
};

int
control_path(const char *runtime_dir, char *path, size_t bytes)
{
	struct sockaddr_un sa;
	int length = snprintf(path, bytes, "%s/control/control.sock",
	    runtime_dir);

	if (length < 0 || (size_t)length >= bytes ||
	    (size_t)length >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/* Returns 0 with c->fd, else the result of the call. */
static int
connect_to(struct call *c)
{
	const char *runtime_dir = c->request->runtime_dir;
	char path[256];

	if (control_path(runtime_dir, path, sizeof(path)) < 0) {
		error_set(c->err, "%.100s: too long for a directory of sockets",
		    runtime_dir);
		return 1;
	}
	c->fd = sock_connect(path, SOCK_STREAM, c->request->timeout_ms);
	if (c->fd >= 0)
		return 0;
	if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
		return error_set(c->err, "no ndsd serves %s", runtime_dir);
	error_sys(c->err, "cannot reach ndsd at %s", path);
	return 1;
}

/* The request line, to be freed; NULL with errno. */
static char *
request_line(const struct control_request *r, size_t *bytes)
{
	const char *const *args = r->args;
	json_t *list = json_array(), *request;
	char *text = NULL, *line;
	int failed = 0;

	for (; args != NULL && *args != NULL; args++)
		failed |= json_array_append_new(list, json_string(*args));
	request = json_pack("{s:s, s:o}", "verb", r->verb, "args", list);
	if (request != NULL && failed == 0)
		text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (text == NULL) {
		errno = EINVAL; /* not UTF-8 */
		return NULL;
	}
	*bytes = strlen(text) + 1;
	line = realloc(text, *bytes + 1);
	if (line == NULL) {
		free(text);
		return NULL;
	}
	strcpy(line + *bytes - 1, "\n");
	return line;
}

static int
send_request(struct call *c)
{
	size_t bytes, sent = 0;
	char *line = request_line(c->request, &bytes);
	ssize_t got = 0;

	if (line == NULL)
		return error_sys(c->err, "cannot write the request");
	if (bytes > CONTROL_REQUEST_MAX) {
		free(line);
		return error_set(c->err, "the arguments are too long");
	}
	while (sent < bytes && got >= 0) {
		got = send(c->fd, line + sent, bytes - sent, MSG_NOSIGNAL);
		if (got > 0)
			sent += (size_t)got;
		else if (errno == EINTR)
			got = 0;
	}
	free(line);
	/* a server that refuses may close before it has read all: its reason
	 * is then still to be read */
	if (got < 0 && errno != EPIPE && errno != ECONNRESET)
		return error_sys(c->err, "cannot speak to ndsd");
	return 0;
}

static int
wait_readable(struct call *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	int wait, ready;

	do {
		wait = c->deadline_ms == 0 ? FOR_EVER_MS :
		    clock_left(c->deadline_ms, FOR_EVER_MS);
		ready = poll(&p, 1, wait);
	} while ((ready < 0 && errno == EINTR) ||
	    (ready == 0 && c->deadline_ms == 0));
	if (ready > 0)
		return 0;
	if (ready == 0)
		return error_set(c->err, "ndsd did not answer in time");
	return error_sys(c->err, "cannot wait for ndsd");
}

static int
make_room(struct call *c)
{
	char *larger;

	if (c->room - c->used >= READ_BYTES)
		return 0;
	if (c->room >= REPLY_MAX)
		return error_set(c->err, "ndsd's reply is too long");
	larger = realloc(c->buf, c->room + 8 * READ_BYTES);
	if (larger == NULL)
		return error_sys(c->err, "cannot read ndsd's reply");
	c->buf = larger;
	c->room += 8 * READ_BYTES;
	return 0;
}

/* The next reply: a new reference, or NULL with err filled. */
static json_t *
next_reply(struct call *c)
{
	char *newline = NULL;
	json_t *reply;
	size_t bytes;
	ssize_t got;

	while (c->used == 0 ||
	    (newline = memchr(c->buf, '\n', c->used)) == NULL) {
		if (make_room(c) < 0 || wait_readable(c) < 0)
			return NULL;
		got = recv(c->fd, c->buf + c->used, READ_BYTES, 0);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0) {
			c->cut_off = 1;
			error_set(c->err, "ndsd ended before it answered");
			return NULL;
		}
		c->used += (size_t)got;
	}
	bytes = (size_t)(newline - c->buf);
	reply = json_loadb(c->buf, bytes, 0, NULL);
	c->used -= bytes + 1;
	memmove(c->buf, newline + 1, c->used);
	if (reply == NULL)
		error_set(c->err, "ndsd's reply is not JSON");
	return reply;
}

static int
whole(const json_t *reply, const char *key)
{
	return (int)json_integer_value(json_object_get(reply, key));
}

/* Returns 2 for progress, else the result of the call. */
static int
take_reply(struct call *c, const json_t *reply)
{
	const char *text =
	    json_string_value(json_object_get(reply, "progress"));
	const json_t *ok = json_object_get(reply, "ok");

	if (text != NULL) {
		if (c->request->progress != NULL)
			c->request->progress(text, whole(reply, "done"),
			    whole(reply, "total"), c->request->arg);
		return 2;
	}
	if (c->data != NULL)
		*c->data = json_incref(json_object_get(reply, "data"));
	if (json_is_true(ok))
		return 0;
	text = json_string_value(json_object_get(reply, "error"));
	error_set(c->err, "%s", text != NULL ? text :
	    "ndsd's reply makes no sense");
	return 1;
}

static int
converse(struct call *c)
{
	json_t *reply;
	int result = 2;

	if (send_request(c) < 0)
		return 1;
	while (result == 2) {
		reply = next_reply(c);
		if (reply == NULL)
			return 1;
		result = take_reply(c, reply);
		json_decref(reply);
	}
	return result;
}

/* The main process holds the listener, so that who connects meanwhile waits for
 * the next supervisor.  When there is none, it stays cut off. */
static int
ask_again(struct call *c)
{
	struct nds_error first = *c->err;

	close(c->fd);
	c->fd = -1;
	c->used = 0;
	c->cut_off = 0;
	if (connect_to(c) == 0)
		return converse(c);
	*c->err = first;
	return 1;
}

int
control_call(const struct control_request *request, json_t **data,
    struct nds_error *err)
{
	struct call c = {.fd = -1,
	    .request = request, .data = data, .err = err};
	int result;

	if (data != NULL)
		*data = NULL;
	if (request->timeout_ms > 0)
		c.deadline_ms = clock_ms() + request->timeout_ms;
	result = connect_to(&c);
	if (result == 0)
		result = converse(&c);
	for (int again = 0; c.cut_off && again < AGAIN_MAX; again++)
		result = ask_again(&c);
	if (c.fd >= 0)
		close(c.fd);
	free(c.buf);
	return result;
}
