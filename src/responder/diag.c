/* SPDX-License-Identifier: MIT */
/*
 * The diagnostic routes: each does one thing that a service may suffer from,
 * by parameters of the query that are checked before anything is done.
 */
#include "diag.h"

#include <ctype.h>
#include <errno.h>
#include <sha2.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MS_MAX 600000
#define BYTES_MAX INT64_C(1000000000000)
#define STREAM_BYTES 65536 /* answers above it are streamed */

/* The number that a parameter holds, within min..max.  Returns 0; or -1 once
 * it has answered 400: the handler then returns 0. */
static int
number(struct nds_request *req, struct nds_response *res, const char *name,
    const int64_t range[2], int64_t *value)
{
	const char *text = nds_query(req, name);
	char *end;

	errno = EINVAL;
	if (text != NULL && isdigit((unsigned char)*text)) {
		errno = 0;
		*value = strtoll(text, &end, 10);
		if (errno == 0 && *end == '\0' && *value >= range[0] &&
		    *value <= range[1])
			return 0;
	}
	nds_problem(res, 400, "the parameter %s %s; it takes a whole number "
	    "from %lld to %lld", name, text == NULL ? "is missing" : "is wrong",
	    (long long)range[0], (long long)range[1]);
	return -1;
}

static const int64_t ms_range[] = {0, MS_MAX};

/* ms, and no longer than the request may take. */
static int64_t
within_deadline(const struct nds_request *req, int64_t ms)
{
	int64_t left = nds_deadline_left_ms(req);

	return ms < left ? ms : left;
}

static void
sleep_ms(int64_t ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static int
work(struct nds_request *req, struct nds_response *res)
{
	int64_t ms;

	if (number(req, res, "ms", ms_range, &ms) != 0)
		return 0;
	ms = within_deadline(req, ms);
	sleep_ms(ms);
	return nds_json(res, 200, json_pack("{s:I, s:I}", "slept_ms",
	    (json_int_t)ms, "pid", (json_int_t)getpid()));
}

static int64_t
monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
spin(struct nds_request *req, struct nds_response *res)
{
	int64_t ms, end;

	if (number(req, res, "ms", ms_range, &ms) != 0)
		return 0;
	ms = within_deadline(req, ms);
	for (end = monotonic_ms() + ms; monotonic_ms() < end;)
		;
	return nds_json(res, 200, json_pack("{s:I, s:I}", "spun_ms",
	    (json_int_t)ms, "pid", (json_int_t)getpid()));
}

static int
echo(struct nds_request *req, struct nds_response *res)
{
	static char piece[65536];
	char hash[SHA256_DIGEST_STRING_LENGTH];
	json_int_t bytes = 0;
	SHA2_CTX sha;
	ssize_t got;

	SHA256Init(&sha);
	while ((got = nds_body_read(req, piece, sizeof(piece))) > 0) {
		SHA256Update(&sha, (uint8_t *)piece, (size_t)got);
		bytes += got;
	}
	if (got < 0)
		return -1;
	SHA256End(&sha, hash);
	return nds_json(res, 200, json_pack("{s:s, s:I, s:s, s:s, s:I, s:I}",
	    "method", nds_method(req), "body_bytes", bytes, "sha256", hash,
	    "request_id", nds_request_id(req), "pid", (json_int_t)getpid(),
	    "generation", (json_int_t)nds_generation()));
}

/* The pattern of /_diag/bytes: lines of 64 bytes, the same from the first. */
static const char *
pattern(void)
{
	static const char line[] =
	    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";
	static char text[STREAM_BYTES];
	size_t at;

	if (text[0] == '\0')
		for (at = 0; at < sizeof(text); at += 64)
			memcpy(text + at, line, 64);
	return text;
}

static int
bytes(struct nds_request *req, struct nds_response *res)
{
	static const int64_t range[] = {0, BYTES_MAX};
	static const char type[] = "application/octet-stream";
	int64_t left;
	size_t piece;

	if (number(req, res, "n", range, &left) != 0)
		return 0;
	if (left <= STREAM_BYTES)
		return nds_data(res, 200, type, pattern(), (size_t)left);
	if (nds_stream(res, 200, type, left) != 0)
		return -1;
	for (; left > 0; left -= (int64_t)piece) {
		piece = left < STREAM_BYTES ? (size_t)left : STREAM_BYTES;
		if (nds_write(res, pattern(), piece) != 0)
			return -1;
	}
	return 0;
}

static int
crash(struct nds_request *req, struct nds_response *res)
{
	static const int64_t range[] = {1, 31};
	struct sigaction now = {.sa_flags = 0};
	int64_t number_of = SIGSEGV;
	sigset_t set;

	if (nds_query(req, "signal") != NULL &&
	    number(req, res, "signal", range, &number_of) != 0)
		return 0;
	nds_log(NDS_WARN, "asked to die of signal %d", (int)number_of);
	sigaction((int)number_of, NULL, &now);
	if (!(now.sa_flags & SA_RESETHAND)) /* that lets it kill, once noted */
		signal((int)number_of, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, (int)number_of);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise((int)number_of);
	return nds_text(res, 200, "survived\n"); /* SIGCHLD and its like */
}

static int
hang(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	(void)res;
	while (pause() != 0) /* which it never is */
		;
	return -1;
}

static int
slow_start(struct nds_request *req, struct nds_response *res)
{
	static const char first[] = "first part\n", second[] = "second part\n";
	size_t first_bytes = sizeof(first) - 1;
	size_t second_bytes = sizeof(second) - 1;
	int64_t ms;

	if (number(req, res, "ms", ms_range, &ms) != 0)
		return 0;
	if (nds_stream(res, 200, "text/plain; charset=utf-8",
		(int64_t)(first_bytes + second_bytes)) != 0 ||
	    nds_write(res, first, first_bytes) != 0)
		return -1;
	sleep_ms(within_deadline(req, ms));
	return nds_write(res, second, second_bytes);
}

void
diag_routes(struct nds_app *app)
{
	nds_route(app, "GET", "/_diag/work", work);
	nds_route(app, "GET", "/_diag/spin", spin);
	nds_route_stream_body(nds_route(app, "*", "/_diag/echo", echo));
	nds_route(app, "GET", "/_diag/bytes", bytes);
	nds_route(app, "GET,POST", "/_diag/crash", crash);
	nds_route(app, "GET,POST", "/_diag/hang", hang);
	nds_route(app, "GET", "/_diag/slow-start", slow_start);
}
