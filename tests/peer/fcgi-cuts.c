/* SPDX-License-Identifier: MIT */
/*
 * One POST cut at every byte: a connection a cut, held in batches with the
 * first part sent and the rest not.  After each batch it prints `paused` and
 * waits for a line; then the rest goes out, and each answer must be whole, 200
 * and hold the words that are expected.
 *
 *	fcgi-cuts SOCKET BODY WORDS BATCH STEP
 *
 * Exit: 0 all were, 1 not (the wrong ones are told), 2 usage, 3 nobody there.
 */
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BATCH_MAX 128
#define ANSWER_MS 20000

struct cut {
	size_t at; /* so many bytes go out first */
	int fd;
};

static int
connect_to(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror(path);
		exit(3);
	}
	return fd;
}

/* A few hundred bytes always fit into the socket.  The end of STDIN may find
 * nobody there any more: the announced body was all that was waited for. */
static void
push(int fd, const uint8_t *data, size_t bytes)
{
	if (bytes > 0 &&
	    send(fd, data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes &&
	    errno != EPIPE)
		perror("send");
}

static void
pull(int fd, struct buffer *in)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t block[4096];
	ssize_t n = 1;

	while (n > 0 && poll(&p, 1, ANSWER_MS) > 0) {
		n = recv(fd, block, sizeof(block), 0);
		if (n > 0)
			buffer_add(in, block, (size_t)n);
	}
}

/* Returns 1 when the answer is as it should be. */
static int
judge(const struct cut *cut, const struct buffer *in, const char *words)
{
	struct answer a;
	int good;

	answer_read(in, &a);
	good = a.ended && a.status == 200 && a.out.used > 0 &&
	    strstr((char *)a.out.data + a.body_at, words) != NULL;
	if (!good)
		printf("wrong at %zu: status %d, %s, %zu bytes\n", cut->at,
		    a.status, a.ended ? "ended" : "not ended", in->used);
	free(a.out.data);
	free(a.err.data);
	return good;
}

static int
finish(struct cut *cut, const struct buffer *out, const char *words)
{
	struct buffer in = {0};
	int good;

	push(cut->fd, out->data + cut->at, out->used - cut->at);
	pull(cut->fd, &in);
	good = judge(cut, &in, words);
	close(cut->fd);
	free(in.data);
	return good;
}

/* Returns how many were good. */
static size_t
batch(struct cut *cuts, size_t count, const struct peer *p, const char *words)
{
	size_t good = 0;
	char line[16];

	for (size_t i = 0; i < count; i++) {
		cuts[i].fd = connect_to(p->address);
		push(cuts[i].fd, p->out.data, cuts[i].at);
	}
	printf("paused %zu\n", count);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return 0;
	for (size_t i = 0; i < count; i++)
		good += (size_t)finish(&cuts[i], &p->out, words);
	return good;
}

int
main(int argc, char **argv)
{
	static struct peer p = {.method = "POST", .path = "/_diag/echo",
	    .query = "", .id = 1, .stdin_id = 1, .version = 1, .role = 1,
	    .first_type = PEER_BEGIN, .announce = -1, .management = -1};
	struct cut cuts[BATCH_MAX];
	size_t most, step, count = 0, all = 0, good = 0;

	if (argc != 6 || (most = strtoul(argv[4], NULL, 10)) == 0 ||
	    most > BATCH_MAX || (step = strtoul(argv[5], NULL, 10)) == 0) {
		fprintf(stderr,
		    "usage: fcgi-cuts SOCKET BODY WORDS BATCH STEP\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	p.address = argv[1];
	p.body = argv[2];
	p.body_bytes = strlen(p.body);
	build_request(&p);
	for (size_t at = 0; at < p.out.used; at += step) {
		cuts[count++].at = at;
		all++;
		if (count < most && at + step < p.out.used)
			continue;
		good += batch(cuts, count, &p, argv[3]);
		count = 0;
	}
	printf("whole %zu of %zu\n", good, all);
	return good == all ? 0 : 1;
}
