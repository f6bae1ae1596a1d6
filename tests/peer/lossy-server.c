/* SPDX-License-Identifier: MIT */
/*
 * An HTTP/1.1 server that misbehaves on request, for what measures losses:
 * `/HOW/K` does HOW to every Kth request of that path and answers the rest
 * well; `/HOW` alone does it to each.  It chooses its port, prints it, and
 * serves until it is ended.  `/counts` says how often it did what.
 *
 *	lossy-server [PORT]
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS 256
#define HEAD_BYTES 16384
#define LATE_MS 300 /* too late for a client that waits for less */
#define IDLE_MS 10

struct conn {
	int fd; /* -1 = free */
	size_t used;
	size_t body_left; /* of a request, to be read and dropped */
	unsigned served;
	int64_t late_ms;  /* when the answer goes out, or 0 */
	int64_t end_ms;	  /* when the connection is closed, or 0 */
	char in[HEAD_BYTES + 1];
	char id[64];	  /* X-Request-Id of the request in hand */
	char path[64];
};

struct how {
	const char *name;
	void (*answer)(struct conn *c);
	unsigned seen, done;
};

static struct conn conns[CONNS];
static int listen_fd = -1;

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- answers ------------------------------------------------------------- */

static void
end(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
}

static void
send_all(struct conn *c, const char *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t n = send(c->fd, text, bytes, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the next read sees it */
		text += n;
		bytes -= (size_t)n;
	}
}

/* The body is this, or its beginning. */
static const char body[] = "all is well with this one\n";

static size_t
make(char text[512], const char *status, const char *id, size_t body_bytes)
{
	return (size_t)snprintf(text, 512, "HTTP/1.1 %s\r\nContent-Type: "
	    "text/plain\r\nContent-Length: %zu\r\nX-Request-Id: %s\r\n\r\n%.*s",
	    status, sizeof(body) - 1, id, (int)body_bytes, body);
}

static void
send_answer(struct conn *c, const char *status, const char *id, size_t bytes)
{
	char text[512];

	send_all(c, text, make(text, status, id, bytes));
}

static void
well(struct conn *c)
{
	send_answer(c, "200 OK", c->id, sizeof(body) - 1);
}

static void
cut(struct conn *c)
{
	send_answer(c, "200 OK", c->id, 10);
	end(c);
}

static void
reset(struct conn *c)
{
	struct linger now = {1, 0};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	end(c);
}

static void
swallow(struct conn *c)
{
	end(c);
}

static void
late(struct conn *c)
{
	c->late_ms = now_ms() + LATE_MS;
}

static void
wrong_id(struct conn *c)
{
	send_answer(c, "200 OK", "another's", sizeof(body) - 1);
}

static void
altered(struct conn *c)
{
	char text[512];
	size_t bytes = make(text, "200 OK", c->id, sizeof(body) - 1);

	text[bytes - 3] ^= 1;
	send_all(c, text, bytes);
}

static void
twice(struct conn *c)
{
	char text[1024];
	size_t bytes = make(text, "200 OK", c->id, sizeof(body) - 1);

	memcpy(text + bytes, text, bytes);
	send_all(c, text, 2 * bytes);
}

/* The second answer comes while nobody waits for one. */
static void
twice_late(struct conn *c)
{
	well(c);
	c->late_ms = now_ms() + IDLE_MS;
}

/* It closes while nobody waits for anything, as HTTP allows. */
static void
close_idle(struct conn *c)
{
	well(c);
	c->end_ms = now_ms() + IDLE_MS;
}

static void
busy(struct conn *c)
{
	send_answer(c, "503 Service Unavailable", c->id, sizeof(body) - 1);
}

static void
missing(struct conn *c)
{
	send_answer(c, "404 Not Found", c->id, sizeof(body) - 1);
}

static void
moved(struct conn *c)
{
	send_answer(c, "302 Found", c->id, sizeof(body) - 1);
}

static void
garbage(struct conn *c)
{
	send_all(c, "what is HTTP?\n", 14);
	end(c);
}

/* This one is answered; nobody gets a connection after it. */
static void
refuse(struct conn *c)
{
	close(listen_fd);
	listen_fd = -1;
	well(c);
}

static void swallow_reused(struct conn *c);

static struct how hows[] = {{"ok", well, 0, 0}, {"cut", cut, 0, 0},
    {"reset", reset, 0, 0}, {"swallow", swallow_reused, 0, 0},
    {"late", late, 0, 0}, {"wrong-id", wrong_id, 0, 0},
    {"altered", altered, 0, 0}, {"twice", twice, 0, 0},
    {"twice-late", twice_late, 0, 0},
    {"close-idle", close_idle, 0, 0}, {"503", busy, 0, 0},
    {"404", missing, 0, 0}, {"302", moved, 0, 0},
    {"garbage", garbage, 0, 0}, {"refuse", refuse, 0, 0}};

#define HOWS (sizeof(hows) / sizeof(hows[0]))

/* Only on a connection that has served before: there libcurl tries again. */
static void
swallow_reused(struct conn *c)
{
	if (c->served > 0) {
		swallow(c);
		return;
	}
	hows[3].done--;
	well(c);
}

static void
counts(struct conn *c)
{
	char text[1024], list[512];
	size_t used = 0;

	for (size_t i = 0; i < HOWS; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used,
		    "%s %u %u\n", hows[i].name, hows[i].seen, hows[i].done);
	used = (size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n"
	    "Content-Length: %zu\r\n\r\n%s", used, list);
	send_all(c, text, used);
}

/* ---- requests ------------------------------------------------------------ */

static void
respond(struct conn *c)
{
	for (size_t i = 0; i < HOWS; i++) {
		size_t bytes = strlen(hows[i].name);
		unsigned each = 1;

		if (strncmp(c->path + 1, hows[i].name, bytes) != 0 ||
		    strchr("/", c->path[1 + bytes]) == NULL)
			continue;
		if (c->path[1 + bytes] == '/')
			each = (unsigned)atoi(c->path + 2 + bytes);
		if (++hows[i].seen % (each == 0 ? 1 : each) != 0) {
			well(c);
			return;
		}
		hows[i].done++;
		hows[i].answer(c);
		return;
	}
	if (strcmp(c->path, "/counts") == 0)
		counts(c);
	else
		well(c);
}

/* The value of a header, cut to the room there is. */
static void
header(const struct conn *c, const char *name, char *value, size_t room)
{
	const char *line = c->in;
	size_t bytes = strlen(name);

	value[0] = '\0';
	while ((line = strstr(line, "\r\n")) != NULL) {
		line += 2;
		if (strncasecmp(line, name, bytes) != 0 || line[bytes] != ':')
			continue;
		line += bytes + 1;
		line += strspn(line, " ");
		snprintf(value, room, "%.*s", (int)strcspn(line, "\r\n"), line);
		return;
	}
}

/* One whole head lies in c->in. Returns its bytes. */
static size_t
take_head(struct conn *c, size_t bytes)
{
	char length[24];

	c->in[bytes - 2] = '\0';
	if (sscanf(c->in, "%*15s %63s", c->path) != 1)
		strcpy(c->path, "/");
	header(c, "x-request-id", c->id, sizeof(c->id));
	header(c, "content-length", length, sizeof(length));
	c->body_left = (size_t)strtoull(length, NULL, 10);
	return bytes;
}

static void
drop(struct conn *c, size_t bytes)
{
	c->used -= bytes;
	memmove(c->in, c->in + bytes, c->used);
	c->in[c->used] = '\0';
}

/* Answer the request that is there whole, if one is. */
static void
step(struct conn *c)
{
	const char *head_end;
	size_t some;

	if (c->path[0] == '\0') {
		head_end = strstr(c->in, "\r\n\r\n");
		if (head_end == NULL)
			return;
		drop(c, take_head(c, (size_t)(head_end - c->in) + 4));
	}
	some = c->body_left < c->used ? c->body_left : c->used;
	c->body_left -= some;
	drop(c, some);
	if (c->body_left > 0)
		return;
	respond(c);
	c->path[0] = '\0';
	c->served++;
}

static void
receive(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->used, HEAD_BYTES - c->used, 0);

	if (n <= 0) {
		end(c);
		return;
	}
	c->used += (size_t)n;
	c->in[c->used] = '\0';
	step(c);
}

/* ---- the loop ------------------------------------------------------------ */

static void
take_connection(void)
{
	for (int i = 0; i < CONNS; i++) {
		if (conns[i].fd >= 0)
			continue;
		memset(&conns[i], 0, sizeof(conns[i]));
		conns[i].fd = accept(listen_fd, NULL, NULL);
		return;
	}
}

/* Has this time come?  If not, *wait_ms is at most until then. */
static int
is_due(int64_t *at_ms, int64_t now, int64_t *wait_ms)
{
	if (*at_ms == 0)
		return 0;
	if (*at_ms <= now) {
		*at_ms = 0;
		return 1;
	}
	if (*wait_ms < 0 || *at_ms - now < *wait_ms)
		*wait_ms = *at_ms - now;
	return 0;
}

/* Do what is due; returns how long until the next is, -1 = none. */
static int
do_due(void)
{
	int64_t now = now_ms(), wait_ms = -1;

	for (int i = 0; i < CONNS; i++) {
		struct conn *c = &conns[i];

		if (c->fd >= 0 && is_due(&c->late_ms, now, &wait_ms))
			well(c);
		if (c->fd >= 0 && is_due(&c->end_ms, now, &wait_ms))
			end(c);
	}
	return (int)wait_ms;
}

static void
serve(void)
{
	struct pollfd fds[CONNS + 1];
	int wait_ms = do_due();

	fds[CONNS] = (struct pollfd){.fd = listen_fd, .events = POLLIN};
	for (int i = 0; i < CONNS; i++)
		fds[i] = (struct pollfd){.fd = conns[i].fd, .events = POLLIN};
	poll(fds, CONNS + 1, wait_ms);
	for (int i = 0; i < CONNS; i++)
		if (fds[i].revents != 0)
			receive(&conns[i]);
	if (fds[CONNS].revents != 0)
		take_connection();
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t bytes = sizeof(at);
	int one = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listen_fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(listen_fd, 128) < 0 ||
	    getsockname(listen_fd, (struct sockaddr *)&at, &bytes) < 0) {
		perror("lossy-server");
		return 1;
	}
	printf("%u\n", ntohs(at.sin_port));
	fflush(stdout);
	for (int i = 0; i < CONNS; i++)
		conns[i].fd = -1;
	for (;;)
		serve();
}
