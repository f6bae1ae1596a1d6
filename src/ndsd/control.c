/* SPDX-License-Identifier: MIT */
#include "ndsd/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "ndsd/status.h"
#include "ndsd/supervisor.h"

#define CONTROL_OUT_MAX (4u << 20)

void
control_drop(struct control_client *c)
{
	int fd = c->watch.fd;

	loop_del(&c->sup->loop, &c->watch);
	if (fd >= 0)
		close(fd);
	free(c->out);
	c->out = NULL;
	c->out_bytes = c->out_sent = c->in_bytes = 0;
	c->wait = CONTROL_NOTHING;
	c->closing = 0;
}

static void
client_flush(struct control_client *c)
{
	while (c->out_sent < c->out_bytes) {
		ssize_t n = send(c->watch.fd, c->out + c->out_sent,
		    c->out_bytes - c->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			loop_change(&c->sup->loop, &c->watch,
			    EPOLLIN | EPOLLOUT);
			return;
		}
		if (n <= 0) {
			control_drop(c);
			return;
		}
		c->out_sent += (size_t)n;
	}
	c->out_bytes = c->out_sent = 0;
	loop_change(&c->sup->loop, &c->watch, EPOLLIN);
	if (c->closing)
		control_drop(c);
}

void
control_send(struct control_client *c, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT), *grown;
	size_t bytes = text != NULL ? strlen(text) : 0;

	json_decref(line);
	grown = bytes > 0 && c->out_bytes + bytes < CONTROL_OUT_MAX
	    ? realloc(c->out, c->out_bytes + bytes + 1)
	    : NULL;
	if (grown == NULL) {
		free(text);
		control_drop(c);
		return;
	}
	memcpy(grown + c->out_bytes, text, bytes);
	grown[c->out_bytes + bytes] = '\n';
	c->out = grown;
	c->out_bytes += bytes + 1;
	free(text);
	client_flush(c);
}

void
control_ok(struct control_client *c, json_t *data)
{
	json_t *line = json_pack("{s:b}", "ok", 1);

	if (data != NULL)
		json_object_set_new(line, "data", data);
	c->closing = 1;
	c->wait = CONTROL_NOTHING;
	control_send(c, line);
}

void
control_refuse_with(struct control_client *c, const char *error, json_t *data)
{
	json_t *line = json_pack("{s:b,s:s}", "ok", 0, "error", error);

	if (data != NULL)
		json_object_set_new(line, "data", data);
	c->closing = 1;
	c->wait = CONTROL_NOTHING;
	control_send(c, line);
}

void
control_refuse(struct control_client *c, const char *error)
{
	control_refuse_with(c, error, NULL);
}

/* ---- verbs -------------------------------------------------------------- */

typedef void (*verb_run)(struct control_client *c, const char *arg);

static void
verb_status(struct control_client *c, const char *arg)
{
	(void)arg;
	control_ok(c, status_json(c->sup));
}

static void
verb_version(struct control_client *c, const char *arg)
{
	(void)arg;
	control_ok(c, json_pack("{s:s}", "version", NDS_VERSION));
}

static void
verb_drain(struct control_client *c, const char *arg)
{
	struct nds_error err;

	if (supervisor_drain(c->sup, &err) < 0)
		control_refuse(c, err.text);
	else if (arg != NULL && strstr(arg, "wait") != NULL)
		c->wait = CONTROL_DRAINED;
	else
		control_ok(c, NULL);
}

static void
verb_undrain(struct control_client *c, const char *arg)
{
	struct nds_error err;

	(void)arg;
	if (supervisor_undrain(c->sup, &err) < 0)
		control_refuse(c, err.text);
	else
		control_ok(c, NULL);
}

/* A client whose connection died with a supervisor asks again, with the same
 * token: it shall hear what became of its reload, not begin another. */
static void
verb_reload(struct control_client *c, const char *arg)
{
	const char *token = arg == NULL ? "" : arg;
	struct nds_error err;

	if ((token[0] != '\0' &&
		strcmp(token, c->sup->state->roll_token) == 0) ||
	    supervisor_reload(c->sup, token, &err) == 0)
		c->wait = CONTROL_ROLLED;
	else
		control_refuse(c, err.text);
}

static void
verb_upgrade(struct control_client *c, const char *arg)
{
	struct nds_error err;
	int fd = fcntl(c->watch.fd, F_DUPFD_CLOEXEC, 3);

	(void)arg;
	if (fd >= 0 && upgrade_begin(c->sup, fd, &err) == 0) {
		control_drop(c); /* the copy lives on and is answered */
		return;
	}
	if (fd >= 0)
		close(fd);
	control_refuse(c, fd < 0 ? "out of descriptors" : err.text);
}

static void
verb_scale(struct control_client *c, const char *arg)
{
	struct nds_error err;
	int64_t wanted = 0;

	if (arg == NULL ||
	    num_whole(arg, 1, BOARD_SLOTS_MAX / 2, &wanted) < 0)
		control_refuse(c, "scale: say how many workers, 1 to 512");
	else if (supervisor_scale(c->sup, (long)wanted, &err) < 0)
		control_refuse(c, err.text);
	else
		c->wait = CONTROL_SCALED;
	c->wanted = (uint32_t)wanted;
}

static void
verb_stop(struct control_client *c, const char *arg)
{
	(void)arg;
	if (c->sup->state->drain.phase <= DRAIN_DRAINED)
		supervisor_stop(c->sup, 0);
	c->wait = CONTROL_STOPPED;
}

json_t *
control_text(char *text, size_t bytes)
{
	json_t *value;

	for (size_t i = 0; i < bytes; i++)
		if (text[i] == '\0')
			text[i] = '?';
	value = json_stringn(text, bytes);
	for (size_t i = 0; value == NULL && i < bytes; i++)
		if ((unsigned char)text[i] >= 0x80)
			text[i] = '?';
	return value != NULL ? value : json_stringn(text, bytes);
}

/* Who has just been answered shall find the line of it. */
static void
collect_all(struct supervisor *sup)
{
	for (uint32_t i = 0; i < sup->state->slots; i++)
		if (sup->slot[i].map != NULL)
			slot_collect(&sup->slot[i]);
}

/* Lines behind "BORN:POSITION": a position counts in the log that it was given
 * for, and else as the first. */
static void
verb_logs(struct control_client *c, const char *arg)
{
	const struct recent *recent = c->sup->logs.recent;
	char *text = malloc(sizeof(recent->ring)), *colon;
	uint64_t position = 0;
	size_t bytes, older;

	if (text == NULL || recent == NULL) {
		free(text);
		control_refuse(c, "no memory");
		return;
	}
	collect_all(c->sup);
	if (arg != NULL && strtoll(arg, &colon, 10) == recent->born_us &&
	    *colon == ':')
		position = strtoull(colon + 1, NULL, 10);
	bytes = recent_since(recent, position, text, &older);
	control_ok(c, json_pack("{s:I,s:I,s:I,s:I,s:o}", "born",
	    (json_int_t)recent->born_us, "next",
	    (json_int_t)recent_end(recent), "lines",
	    (json_int_t)recent->lines, "older", (json_int_t)older, "text",
	    control_text(text, bytes)));
	free(text);
}

static const struct {
	const char *name;
	verb_run run;
} verbs[] = {
    {"status", verb_status},
    {"version", verb_version},
    {"reload", verb_reload},
    {"upgrade", verb_upgrade},
    {"drain", verb_drain},
    {"undrain", verb_undrain},
    {"scale", verb_scale},
    {"logs", verb_logs},
    {"stop", verb_stop},
};

static void
run_verb(struct control_client *c, const char *verb, const char *arg)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		c->last_done = -1;
		verbs[i].run(c, arg);
		return;
	}
	control_refuse(c, "this ndsd (" NDS_VERSION ") has no such verb");
}

static void
run_request(struct control_client *c, size_t bytes)
{
	json_t *request = json_loadb(c->in, bytes, 0, NULL);
	const char *verb = json_string_value(json_object_get(request, "verb"));
	const char *arg = json_string_value(
	    json_array_get(json_object_get(request, "args"), 0));

	if (verb == NULL)
		control_refuse(c, "not a request: {\"verb\":…,\"args\":[…]}");
	else
		run_verb(c, verb, arg);
	json_decref(request);
}

/* ---- connections -------------------------------------------------------- */

static void
client_ready(void *arg, uint32_t events)
{
	struct control_client *c = arg;
	char *end;
	ssize_t n;

	if (events & EPOLLOUT)
		client_flush(c);
	if (c->watch.fd < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	n = recv(c->watch.fd, c->in + c->in_bytes,
	    sizeof(c->in) - c->in_bytes, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		control_drop(c); /* gone, or more than a request may be */
		return;
	}
	if (c->wait != CONTROL_NOTHING || c->closing)
		return; /* one request a connection */
	c->in_bytes += (size_t)n;
	end = memchr(c->in, '\n', c->in_bytes);
	if (end != NULL)
		run_request(c, (size_t)(end - c->in));
	else if (c->in_bytes == sizeof(c->in))
		control_refuse(c, "the request is too long");
}

/* Same uid = same trust; root may do everything anyway. */
static int
peer_allowed(int fd)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
		return 0;
	if (peer.uid == 0 || peer.uid == geteuid())
		return 1;
	log_warnx("control: pid %d of uid %u is not allowed", peer.pid,
	    peer.uid);
	return 0;
}

/* A free place; if there is none, that of whoever has been silent longest. */
static struct control_client *
client_place(struct control *control)
{
	struct control_client *silent = NULL;

	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *c = &control->client[i];

		if (c->watch.fd < 0)
			return c;
		if (c->wait == CONTROL_NOTHING &&
		    (silent == NULL || c->since_ms < silent->since_ms))
			silent = c;
	}
	if (silent != NULL)
		control_drop(silent);
	return silent;
}

/* Out of descriptors or memory: who waits there would wake us for ever, so
 * nobody is listened to until the next tick. */
static void
listener_pause(struct control *control, struct supervisor *sup)
{
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	if (!control->starved)
		log_warn("control: cannot accept");
	control->starved = 1;
	loop_del(&sup->loop, &control->listener);
}

void
control_listen(struct supervisor *sup)
{
	if (sup->control.listener.fd < 0)
		loop_add(&sup->loop, &sup->control.listener, sup->control_fd,
		    EPOLLIN);
}

static void
listener_ready(void *arg, uint32_t events)
{
	struct supervisor *sup = arg;
	struct control_client *c;
	int fd = accept4(sup->control_fd, NULL, NULL,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0) {
		listener_pause(&sup->control, sup);
		return;
	}
	sup->control.starved = 0;
	c = peer_allowed(fd) ? client_place(&sup->control) : NULL;
	if (c == NULL || loop_add(&sup->loop, &c->watch, fd, EPOLLIN) < 0) {
		close(fd);
		return;
	}
	c->since_ms = clock_ms();
}

void
control_open(struct supervisor *sup)
{
	struct control *control = &sup->control;

	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		control->client[i].sup = sup;
		control->client[i].watch = (struct watch){.fd = -1,
		    .ready = client_ready,
		    .arg = &control->client[i]};
	}
	control->listener = (struct watch){.fd = -1,
	    .ready = listener_ready,
	    .arg = sup};
	control_listen(sup);
}
