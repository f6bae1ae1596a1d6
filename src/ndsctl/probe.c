/* SPDX-License-Identifier: MIT */
/* One FastCGI request and its whole answer, under one deadline. */
#include "ndsctl/probe.h"

#include <sys/socket.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sock.h"
#include "proto/wire.h"

#define PROBE_MS 5000
#define ANSWER_BYTES PROBE_BYTES

static int
ask(int fd, const char *path, struct nds_error *err)
{
	const char *pairs[] = {"GATEWAY_INTERFACE", "CGI/1.1",
	    "REQUEST_METHOD", "GET", "SCRIPT_NAME", path, "REQUEST_URI", path,
	    "SERVER_PROTOCOL", "HTTP/1.1", "HTTP_ACCEPT", "application/json",
	    NULL};
	uint8_t request[1024];
	size_t bytes = wire_request(request, sizeof(request), pairs);

	if (send(fd, request, bytes, MSG_NOSIGNAL) == (ssize_t)bytes)
		return 0;
	return error_sys(err, "cannot ask the health responder");
}

/* Read on; returns 1 at the whole answer, 0 to go on, -1 with err. */
static int
read_more(int fd, uint8_t *raw, size_t *used, char *text,
    struct nds_error *err)
{
	ssize_t got = recv(fd, raw + *used, ANSWER_BYTES - *used, 0);
	int whole;

	if (got < 0 && errno == EINTR)
		return 0;
	if (got <= 0)
		return error_set(err, "the health responder gave no whole "
		    "answer");
	*used += (size_t)got;
	whole = wire_answer(raw, *used, text, ANSWER_BYTES);
	if (whole < 0 || (whole == 0 && *used == ANSWER_BYTES))
		return error_set(err, "the health responder's answer makes "
		    "no sense");
	return whole;
}

static int
answer(int fd, uint8_t *raw, char *text, struct nds_error *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t deadline = clock_ms() + PROBE_MS;
	size_t used = 0;
	int whole = 0, left;

	while (whole == 0) {
		left = clock_left(deadline, PROBE_MS);
		if (left == 0 || poll(&p, 1, left) == 0)
			return error_set(err, "no answer within %d s",
			    PROBE_MS / 1000);
		whole = read_more(fd, raw, &used, text, err);
	}
	return whole;
}

/* Split the CGI answer. Returns its status, -1 when it is none. */
static int
take(const char *text, char *body, size_t bytes, struct nds_error *err)
{
	const char *gap = strstr(text, "\r\n\r\n");
	int status = 200;

	if (gap == NULL)
		return error_set(err, "the health responder's answer has no "
		    "head");
	if (strncmp(text, "Status: ", 8) == 0)
		status = atoi(text + 8);
	snprintf(body, bytes, "%s", gap + 4);
	if (status < 100 || status > 599)
		return error_set(err, "the health responder's answer has no "
		    "status");
	return status;
}

static int
converse(int fd, const char *path, char *body, size_t bytes,
    struct nds_error *err)
{
	uint8_t *raw = malloc(ANSWER_BYTES);
	char *text = malloc(ANSWER_BYTES);
	int status = -1;

	if (raw == NULL || text == NULL)
		error_sys(err, "cannot ask the health responder");
	else if (ask(fd, path, err) == 0 && answer(fd, raw, text, err) > 0)
		status = take(text, body, bytes, err);
	free(raw);
	free(text);
	return status;
}

int
probe_get(const char *runtime_dir, const char *path, char *body,
    size_t bytes, struct nds_error *err)
{
	char place[256];
	int fd, status;

	snprintf(place, sizeof(place), "%s/health.sock", runtime_dir);
	fd = sock_connect(place, SOCK_STREAM, PROBE_MS);
	if (fd < 0) {
		error_sys(err, "nobody answers at %s", place);
		return errno == ENOENT || errno == ECONNREFUSED ||
		    errno == ENOTDIR ? 0 : -1;
	}
	status = converse(fd, path, body, bytes, err);
	close(fd);
	return status;
}
