/* SPDX-License-Identifier: MIT */
/*
 * A raw FastCGI client for the tests: sends right and wrong requests to a
 * socket, pauses at any byte, cuts, floods, and prints what came back as
 * lines that a shell test can grep.  It never waits past its own --timeout.
 *
 * Exit: 0 a whole answer came, 1 it did not, 2 usage, 3 nobody is there.
 */
#include "peer.h"

#include <ctype.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct tally {
	atomic_int whole, partial, refused, nonsense, wrong_id, status[600];
};

static const struct option options[] = {
	{"method", 1, NULL, 'm'}, {"path", 1, NULL, 'p'},
	{"query", 1, NULL, 'q'}, {"header", 1, NULL, 'H'},
	{"param", 1, NULL, 'P'}, {"body", 1, NULL, 'b'},
	{"body-size", 1, NULL, 'B'}, {"announce", 1, NULL, 'a'},
	{"no-length", 0, NULL, 'L'},
	{"params-size", 1, NULL, 'S'}, {"id", 1, NULL, 'i'},
	{"stdin-id", 1, NULL, 'I'}, {"version", 1, NULL, 'v'},
	{"role", 1, NULL, 'r'}, {"first-type", 1, NULL, 't'},
	{"keep-conn", 0, NULL, 'k'}, {"management", 1, NULL, 'M'},
	{"endless", 1, NULL, 'e'}, {"limit", 1, NULL, 'l'},
	{"raw", 1, NULL, 'R'}, {"pause-at", 1, NULL, 'z'},
	{"byte-by-byte", 0, NULL, '1'}, {"byte-every", 1, NULL, 'E'},
	{"cut-at", 1, NULL, 'c'}, {"cut", 1, NULL, 'C'},
	{"never-read", 0, NULL, 'n'}, {"timeout", 1, NULL, 'T'},
	{"many", 1, NULL, 'N'}, {"repeat", 1, NULL, 'x'},
	{"ids", 0, NULL, 'D'}, {"close-at-end", 0, NULL, 'F'},
	{NULL, 0, NULL, 0}};

static void
usage(void)
{
	fprintf(stderr, "usage: fcgi-peer [OPTION...] SOCKET\n");
	for (const struct option *o = options; o->name != NULL; o++)
		fprintf(stderr, "  --%s%s\n", o->name,
		    o->has_arg ? " VALUE" : "");
	exit(2);
}

static size_t
number(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0') {
		fprintf(stderr, "fcgi-peer: not a number: %s\n", text);
		exit(2);
	}
	return (size_t)value;
}

static void
pair(struct peer *p, const char *text)
{
	if (strchr(text, '=') == NULL || p->pair_count == PEER_PAIRS_MAX)
		usage();
	p->pairs[p->pair_count++] = text;
}

/* "X-Thing: value" becomes HTTP_X_THING=value. */
static void
header(struct peer *p, const char *text)
{
	const char *colon = strchr(text, ':');
	char *made = malloc(strlen(text) + 8);
	size_t at = 5;

	if (colon == NULL || made == NULL)
		usage();
	memcpy(made, "HTTP_", 5);
	for (; text < colon; text++)
		made[at++] = *text == '-' ? '_' :
		    (char)toupper((unsigned char)*text);
	made[at++] = '=';
	strcpy(made + at, text + 1 + strspn(text + 1, " "));
	pair(p, made);
}

static int
option_request(struct peer *p, int key, const char *value)
{
	switch (key) {
	case 'm': p->method = value; break;
	case 'p': p->path = value; break;
	case 'q': p->query = value; break;
	case 'H': header(p, value); break;
	case 'P': pair(p, value); break;
	case 'b': p->body = value; p->body_bytes = strlen(value); break;
	case 'B': p->body_bytes = number(value); break;
	case 'a': p->announce = (int64_t)number(value); break;
	case 'L': p->no_length = 1; break;
	case 'S': p->params_bytes = number(value); break;
	case 'i': p->id = p->stdin_id = (unsigned)number(value); break;
	case 'I': p->stdin_id = (unsigned)number(value); break;
	case 'v': p->version = (unsigned)number(value); break;
	case 'r': p->role = (unsigned)number(value); break;
	case 't': p->first_type = (unsigned)number(value); break;
	case 'k': p->flags = 1; break;
	case 'M': p->management = (int)number(value); break;
	case 'R': p->raw = value; break;
	default: return 0;
	}
	return 1;
}

static int
option_sending(struct peer *p, int key, const char *value)
{
	switch (key) {
	case 'e':
		p->endless = strcmp(value, "params") == 0 ? PEER_PARAMS :
		    PEER_STDIN;
		break;
	case 'l': p->limit = number(value); break;
	case 'z':
		if (p->stop_count < PEER_STOPS_MAX)
			p->stops[p->stop_count++] = number(value);
		break;
	case '1': p->byte_by_byte = 1; break;
	case 'E':
		p->byte_by_byte = 1;
		p->every_ms = (int)number(value);
		break;
	case 'c': p->cut_at = number(value); break;
	case 'C':
		p->cut = strcmp(value, "half") == 0 ? CUT_HALF :
		    strcmp(value, "hold") == 0 ? CUT_HOLD : CUT_CLOSE;
		break;
	case 'n': p->never_read = 1; break;
	case 'T': p->timeout_ms = (int)number(value); break;
	case 'N': p->many = (int)number(value); break;
	case 'x': p->repeat = (int)number(value); break;
	case 'D': p->ids = 1; break;
	case 'F': p->close_at_end = 1; break;
	default: return 0;
	}
	return 1;
}

/* Header lines as they came, control characters made visible. */
static void
print_text(const char *what, const uint8_t *text, size_t bytes)
{
	printf("%s ", what);
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\r')
			continue;
		if (text[i] == '\n' && i + 1 < bytes)
			printf("\n%s ", what);
		else if (text[i] != '\n')
			putchar(isprint(text[i]) ? text[i] : '?');
	}
	putchar('\n');
}

static void
print_answer(const struct peer *p, const struct answer *a)
{
	size_t body = a->out.used - a->body_at;

	printf("sent %zu of %zu\n", p->sent, p->out.used);
	if (a->status != 0) {
		printf("status %d\n", a->status);
		if (a->body_at > 2)
			print_text("header", a->out.data, a->body_at - 2);
		printf("body-bytes %zu\n", body);
		if (body > 0 && body <= 262144)
			print_text("body", a->out.data + a->body_at, body);
	}
	if (a->err.used > 0)
		print_text("stderr", a->err.data, a->err.used);
	if (a->ended)
		printf("end %u %u id %u\n", a->app_status, a->protocol_status,
		    a->request_id);
	else
		printf("no-end\n");
	if (a->nonsense)
		printf("nonsense\n");
	printf("closed %s\n", p->closed);
}

/* An id for this request alone; name has room for 64. */
static void
name_it(struct peer *p, char *name)
{
	static unsigned turn;

	snprintf(name, 64, "HTTP_X_REQUEST_ID=peer-%d-%u", (int)getpid(),
	    turn++);
	pair(p, name);
	memset(&p->out, 0, sizeof(p->out));
	if (build_request(p) < 0)
		exit(2);
}

/* Does its answer bear it? */
static int
is_named(const struct answer *a, const char *name)
{
	char line[128];

	snprintf(line, sizeof(line), "X-Request-Id: %s\r\n",
	    strchr(name, '=') + 1);
	return a->out.used == 0 || strstr((char *)a->out.data, line) != NULL;
}

static int
one(const struct peer *what, struct tally *tally)
{
	struct peer p = *what;
	struct answer a;
	char name[64];

	if (p.ids)
		name_it(&p, name);
	if (play(&p) < 0) {
		atomic_fetch_add(&tally->refused, 1);
		return 3;
	}
	answer_read(&p.in, &a);
	if (a.status > 0 && a.status < 600)
		atomic_fetch_add(&tally->status[a.status], 1);
	atomic_fetch_add(a.ended ? &tally->whole : &tally->partial, 1);
	if (a.nonsense)
		atomic_fetch_add(&tally->nonsense, 1);
	if (p.ids && !is_named(&a, name))
		atomic_fetch_add(&tally->wrong_id, 1);
	if (what->many == 0)
		print_answer(&p, &a);
	if (p.ids)
		free(p.out.data);
	free(p.in.data);
	free(a.out.data);
	free(a.err.data);
	return a.ended ? 0 : 1;
}

static int
many(const struct peer *what, struct tally *tally)
{
	for (int i = 0; i < what->many; i++) {
		pid_t child = fork();

		if (child == 0) {
			for (int k = 0; k < what->repeat; k++)
				one(what, tally);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	printf("whole %d\npartial %d\nrefused %d\n", tally->whole,
	    tally->partial, tally->refused);
	if (what->ids)
		printf("nonsense %d\nwrong-id %d\n", tally->nonsense,
		    tally->wrong_id);
	for (int i = 0; i < 600; i++)
		if (tally->status[i] > 0)
			printf("status %d %d\n", i, tally->status[i]);
	return tally->whole == what->many * what->repeat ? 0 : 1;
}

int
main(int argc, char **argv)
{
	static struct peer p = {.method = "GET", .path = "/", .query = "",
	    .id = 1, .stdin_id = 1, .version = 1, .role = 1,
	    .first_type = PEER_BEGIN, .announce = -1, .management = -1,
	    .cut_at = SIZE_MAX, .limit = 64u << 20, .timeout_ms = 10000,
	    .repeat = 1};
	struct tally *tally;
	int key, status;

	while ((key = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!option_request(&p, key, optarg) &&
		    !option_sending(&p, key, optarg))
			usage();
	if (optind != argc - 1)
		usage();
	p.address = argv[optind];
	if (p.endless == PEER_STDIN && p.body_bytes == 0)
		p.body_bytes = 32768;
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED || build_request(&p) < 0) {
		perror("fcgi-peer");
		return 2;
	}
	status = p.many > 0 ? many(&p, tally) : one(&p, tally);
	free(p.out.data);
	free(p.more.data);
	return status;
}
