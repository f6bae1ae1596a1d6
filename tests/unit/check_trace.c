/* SPDX-License-Identifier: MIT */
/* Traces: shares, sampling, the ring of spans, the bodies made of them, and
 * how these leave. */
#include <arpa/inet.h>
#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "lib/request.h"
#include "lib/span.h"
#include "lib/trace.h"
#include "observer/sender.h"
#include "observer/spool.h"
#include "proto/ring.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define OFFERED "00-" TRACE "-00f067aa0ba902b7-01"

static struct settings settings;
static struct slot *slot;
static struct nds_request req;
static char out[16 * RING_LINE_MAX];

static void
begin(const char *share)
{
	struct nds_error err;
	int fd = board_slot_new(0, 4096, 4096, 65536, &err);

	slot = board_slot_map(fd, 1, &err);
	close(fd);
	settings_default(&settings);
	strcpy(settings.trace, share);
	trace_open(&settings, slot);
	memset(&req, 0, sizeof(req));
}

static void
end(void)
{
	board_unmap(slot);
}

static const struct {
	const char *text;
	int64_t value; /* -2 = refused */
} shares[] = {{"off", -1}, {"0%", 0}, {"1%", 10000}, {"100%", 1000000},
    {"0.05%", 500}, {"0.0001%", 1}, {"99.9999%", 999999}, {"100.0001%", -2},
    {"101%", -2}, {"1", -2}, {"%", -2}, {"1.%", -2}, {".5%", -2},
    {"0.00001%", -2}, {"-1%", -2}, {"1%%", -2}, {"", -2}, {"on", -2}};

START_TEST(reads_a_share)
{
	int64_t value = -77;
	int rc = num_share(shares[_i].text, &value);

	ck_assert_int_eq(rc, shares[_i].value == -2 ? -1 : 0);
	ck_assert_int_eq(value, rc < 0 ? -77 : shares[_i].value);
}
END_TEST

START_TEST(samples_the_share_of_new_traces)
{
	struct ident_trace trace;
	int sampled = 0;

	begin("10%");
	for (int i = 0; i < 10000; i++) {
		slot->traceparent[0] = '\0';
		trace_identify(slot, &trace, NULL);
		sampled += trace_wanted(&trace);
	}
	ck_assert_int_gt(sampled, 800);
	ck_assert_int_lt(sampled, 1200);
	end();
}
END_TEST

START_TEST(the_caller_decides)
{
	struct ident_trace trace;

	begin("0%");
	trace_identify(slot, &trace, OFFERED);
	ck_assert(trace_wanted(&trace));
	ck_assert_str_eq(trace.caller, "00f067aa0ba902b7");
	slot->traceparent[0] = '\0';
	trace_identify(slot, &trace, "00-" TRACE "-00f067aa0ba902b7-00");
	ck_assert(!trace_wanted(&trace));
	end();
}
END_TEST

START_TEST(a_request_keeps_its_ids_over_a_death)
{
	struct ident_trace first, second;

	begin("100%");
	trace_identify(slot, &first, NULL);
	trace_identify(slot, &second, NULL);
	ck_assert_str_eq(second.parent, first.parent);
	ck_assert_str_eq(second.trace_id, first.trace_id);
	ck_assert_str_eq(second.span_id, first.span_id);
	memset(slot->traceparent, 'x', sizeof(slot->traceparent));
	trace_identify(slot, &second, NULL); /* a writer gone mad */
	ck_assert_str_ne(second.trace_id, first.trace_id);
	end();
}
END_TEST

START_TEST(without_a_ring_nothing_is_wanted)
{
	struct ident_trace trace;

	begin("100%");
	trace_open(&settings, NULL);
	trace_identify(slot, &trace, OFFERED);
	ck_assert(!trace_wanted(&trace));
	memcpy(&req.trace, &trace, sizeof(trace));
	ck_assert_ptr_null(nds_span_begin(&req, "x"));
	nds_span_set(NULL, "a", "b");
	nds_span_end(NULL);
	end();
}
END_TEST

static json_t *
next_span(void)
{
	size_t bytes = ring_span_read(slot, out, RING_LINE_MAX);
	json_t *span;

	ck_assert_uint_gt(bytes, 0);
	span = json_loadb(out, bytes, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(span);
	return span;
}

START_TEST(a_span_stays_whole_json_whatever_is_put_in)
{
	char large[5000];
	struct nds_span *span;
	json_t *json;

	begin("100%");
	span_reset();
	trace_identify(slot, &req.trace, OFFERED);
	memset(large, '"', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	large[7] = '\xff';
	large[8] = '\n';
	span = nds_span_begin(&req, large);
	for (int i = 0; i < 20; i++)
		nds_span_set(span, i % 2 ? large : "key", large);
	nds_span_set_number(span, "n", INT64_MIN);
	nds_span_fail(span, large);
	nds_span_end(span);
	json = next_span();
	ck_assert_uint_gt(json_array_size(json_object_get(json, "attributes")),
	    1);
	json_decref(json);
	end();
}
END_TEST

START_TEST(what_is_open_within_a_span_ends_with_it)
{
	struct nds_span *outer;
	char parent[56];

	begin("100%");
	span_reset();
	trace_identify(slot, &req.trace, OFFERED);
	strcpy(parent, nds_traceparent(&req));
	outer = nds_span_begin(&req, "outer");
	ck_assert_str_ne(parent, nds_traceparent(&req));
	for (int i = 0; i < 14; i++)
		ck_assert_ptr_nonnull(nds_span_begin(&req, "inner"));
	ck_assert_ptr_null(nds_span_begin(&req, "one too many"));
	nds_span_end(outer);
	ck_assert_str_eq(parent, nds_traceparent(&req));
	nds_span_end(outer); /* twice does no harm */
	ck_assert_uint_gt(ring_span_read(slot, out, sizeof(out)), 15 * 100);
	end();
}
END_TEST

START_TEST(a_full_ring_drops_and_counts)
{
	char line[RING_LINE_MAX];
	int kept = 0;

	begin("100%");
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	while (ring_span_write(slot, line, sizeof(line)) == 0)
		kept++;
	ck_assert_int_eq(kept, 16);
	ck_assert_uint_eq(slot->trace_dropped, 1);
	ck_assert_uint_eq(slot->count.log_dropped, 0);
	ck_assert_uint_eq(ring_span_read(slot, out, sizeof(out)), sizeof(out));
	ck_assert_int_eq(ring_span_write(slot, line, sizeof(line)), 0);
	end();
}
END_TEST

START_TEST(a_body_holds_what_was_added_and_no_nonsense)
{
	static struct spool spool = {.service = "s\"x"};
	static const char good[] = "{\"traceId\":\"1\"}\n";
	unsigned spans, i;
	size_t bytes;
	json_t *json, *list;
	char *body;

	ck_assert_int_eq(spool_add(&spool, "{\"a\":1}\n", 8, 1), -1);
	ck_assert_int_eq(spool_add(&spool, "nonsense\n", 9, 1), -1);
	for (i = 0; i < SPOOL_SPANS; i++)
		ck_assert_int_eq(spool_add(&spool, good, sizeof(good) - 1,
		    (int64_t)i + 5), 0);
	ck_assert_int_eq(spool_add(&spool, good, sizeof(good) - 1, 9), 1);
	ck_assert_int_eq(spool.since_ms, 5);
	body = spool_take(&spool, &spans, &bytes);
	ck_assert_uint_eq(spans, SPOOL_SPANS);
	ck_assert_int_eq(body[bytes - 1], '\n');
	json = json_loadb(body, bytes, JSON_REJECT_DUPLICATES, NULL);
	list = json_object_get(json_array_get(json_object_get(json_array_get(
	    json_object_get(json, "resourceSpans"), 0), "scopeSpans"), 0),
	    "spans");
	ck_assert_uint_eq(json_array_size(list), SPOOL_SPANS);
	json_decref(json);
	free(body);
	ck_assert_int_eq(spool_add(&spool, good, sizeof(good) - 1, 9), 0);
}
END_TEST

/* ---- on the way to the collector ----------------------------------------- */

#define BODIES 8
#define BODY "{}\n"

/* A collector that takes all that comes, connection after connection. */
static void
collect(int listen_fd)
{
	static const char taken[] = "HTTP/1.1 200 OK\r\n"
				    "Content-Length: 0\r\n\r\n";
	char text[4096];
	size_t used;
	ssize_t n;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((fd = accept(listen_fd, NULL, NULL)) >= 0) {
		used = 0;
		while ((n = recv(fd, text + used, sizeof(text) - 1 - used,
			    0)) > 0) {
			used += (size_t)n;
			text[used] = '\0';
			if (strstr(text, "\r\n\r\n" BODY) == NULL)
				continue;
			used = 0;
			send(fd, taken, sizeof(taken) - 1, MSG_NOSIGNAL);
		}
		close(fd);
	}
	_exit(0);
}

/* Begin one; its URL stands in out. */
static pid_t
collector(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, bytes), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
	pid = fork();
	if (pid == 0)
		collect(fd);
	close(fd);
	snprintf(out, sizeof(out), "http://127.0.0.1:%u/v1/traces",
	    (unsigned)ntohs(at.sin_port));
	return pid;
}

/* A turn of the observer's ends when something comes or its time is over. Who
 * waited for the next turn with the next body would send ten a second. */
START_TEST(a_body_leaves_when_the_one_before_was_taken)
{
	static struct pool_board pool;
	static struct sender sender;
	pid_t pid = collector();
	int64_t from_ms = clock_ms();
	struct nds_error err;

	setenv("no_proxy", "*", 1);
	ck_assert_int_eq(sender_open(&sender, out, &pool, &err), 0);
	for (int i = 0; i < BODIES; i++)
		sender_push(&sender, (struct sender_body){strdup(BODY),
		    strlen(BODY), 1});
	for (int turns = 0; sender.count > 0 && turns < 1000; turns++) {
		sender_step(&sender, clock_ms());
		if (sender.count > 0)
			sender_wait(&sender, -1, 10000);
	}
	ck_assert_uint_eq(pool.spans_sent, BODIES);
	ck_assert_uint_eq(pool.spans_unsent, 0);
	ck_assert_int_lt(clock_ms() - from_ms, 10000);
	sender_close(&sender);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("trace");
	TCase *t = tcase_create("trace");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, reads_a_share, 0,
	    sizeof(shares) / sizeof(shares[0]));
	tcase_add_test(t, samples_the_share_of_new_traces);
	tcase_add_test(t, the_caller_decides);
	tcase_add_test(t, a_request_keeps_its_ids_over_a_death);
	tcase_add_test(t, without_a_ring_nothing_is_wanted);
	tcase_add_test(t, a_span_stays_whole_json_whatever_is_put_in);
	tcase_add_test(t, what_is_open_within_a_span_ends_with_it);
	tcase_add_test(t, a_full_ring_drops_and_counts);
	tcase_add_test(t, a_body_holds_what_was_added_and_no_nonsense);
	tcase_add_test(t, a_body_leaves_when_the_one_before_was_taken);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
