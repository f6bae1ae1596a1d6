/* SPDX-License-Identifier: MIT */
/*
 * What the guardian makes of each place where a worker can have died: who goes
 * on, what the front reads, what stands in the counters.
 */
#include "lib/rescue.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "proto/wire.h"

#define REPLAY_BYTES 65536
#define TIMEOUT_MS 20000
#define ANSWER                                                               \
	"Status: 201 Created\r\nContent-Length: 5\r\n\r\nhello"

static struct slot *slot;
static int front; /* the other end of the connection */
static uint8_t request[4096];
static size_t request_bytes;
static char got[8192]; /* what the front has read */
static size_t got_bytes;

/* ---- the dead worker's slot ---------------------------------------------- */

static void
setup(void)
{
	static const char *const pairs[] = {"REQUEST_METHOD", "GET",
	    "REQUEST_URI", "/a/b?c=d", "HTTP_X_REQUEST_ID", "its-own-id",
	    NULL};
	struct nds_error err;
	int fd = board_slot_new(0, 65536, 65536, 4096, &err), pair[2];

	ck_assert_int_ge(fd, 0);
	slot = board_slot_map(fd, 1, &err);
	close(fd);
	ck_assert_ptr_nonnull(slot);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	front = pair[0];
	slot->fd = pair[1];
	slot->started_ms = clock_ms();
	slot->deadline_ms = clock_ms() + 60000;
	slot->boundary = 1;
	request_bytes = wire_request(request, sizeof(request), pairs);
	ck_assert_uint_gt(request_bytes, 0);
}

static void
teardown(void)
{
	close(front);
	board_unmap(slot);
}

static void
captured(size_t bytes)
{
	memcpy(slot_capture(slot), request, bytes);
	slot->capture_used = (uint32_t)bytes;
}

/* The worker has finished an answer, of which so much is out. */
static void
kept(size_t sent)
{
	uint8_t *out = slot_answer(slot);
	size_t content = strlen(ANSWER);

	captured(request_bytes);
	wire_header_put(out, WIRE_STDOUT, 1, (uint16_t)content, 0);
	memcpy(out + WIRE_HEADER_BYTES, ANSWER, content);
	wire_trailer(out + WIRE_HEADER_BYTES + content, 1);
	slot->answer_used =
	    (uint32_t)(WIRE_HEADER_BYTES + content + WIRE_TRAILER_BYTES);
	slot->answer_status = 201;
	slot->state = SLOT_SENDING;
	slot->out.goal = slot->answer_used;
	slot->out.wanted = slot->answer_used;
	slot->out.call.msg_len = (unsigned)sent;
	ck_assert_int_eq(write(slot->fd, out, sent), (ssize_t)sent);
}

static enum rescue
rescue(void)
{
	enum rescue next = rescue_dead(slot, -1, REPLAY_BYTES, TIMEOUT_MS);
	ssize_t n;

	got_bytes = 0;
	while ((n = recv(front, got + got_bytes,
		sizeof(got) - 1 - got_bytes, MSG_DONTWAIT)) > 0)
		got_bytes += (size_t)n;
	got[got_bytes] = '\0';
	return next;
}

static void
answered(const char *text)
{
	char out[4096];

	ck_assert_int_eq(wire_answer((uint8_t *)got, got_bytes, out,
	    sizeof(out)), 1);
	ck_assert_msg(strstr(out, text) != NULL, "no '%s' in '%s'", text, out);
}

static void
counted(uint64_t lost, uint64_t delivered, uint64_t class)
{
	struct slot_counters *c = &slot->count;
	uint64_t statuses = 0, latencies = 0;

	for (size_t i = 0; i < 6; i++)
		statuses += c->status[i];
	for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++)
		latencies += c->latency[i];
	ck_assert_uint_eq(c->requests, 1);
	ck_assert_uint_eq(statuses, 1);
	ck_assert_uint_eq(latencies, 1);
	ck_assert_uint_eq(c->status[class], 1);
	ck_assert_uint_eq(c->lost, lost);
	ck_assert_uint_eq(c->delivered, delivered);
}

/* ---- before the handler -------------------------------------------------- */

START_TEST(an_unread_one_is_handed_on)
{
	slot->state = SLOT_UNREAD;
	ck_assert_int_eq(rescue(), RESCUE_UNREAD);
	ck_assert_int_ge(slot->fd, 0);
}
END_TEST

START_TEST(an_unread_one_past_its_deadline_is_answered_by_its_name)
{
	slot->state = SLOT_UNREAD;
	slot->deadline_ms = clock_ms() - 1;
	ck_assert_int_eq(write(front, request, request_bytes),
	    (ssize_t)request_bytes);
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	answered("X-Request-Id: its-own-id");
	answered("\"request_id\":\"its-own-id\"");
	counted(1, 0, 5);
	ck_assert_int_eq(slot->fd, -1);
}
END_TEST

/* What else stands in the slot is of the request before. */
START_TEST(one_that_was_only_accepted_has_its_time_and_no_more)
{
	captured(request_bytes);
	slot->capture_used = 24;
	slot->flags = SLOT_COUNTED;
	slot->started_ms = slot->deadline_ms = 0;
	ck_assert_int_eq(rescue(), RESCUE_UNREAD);
	ck_assert_int_gt(slot->deadline_ms, clock_ms());
	ck_assert_int_le(slot->deadline_ms, clock_ms() + TIMEOUT_MS);
	slot->deadline_ms = clock_ms() - 1;
	ck_assert_int_eq(write(front, request, request_bytes),
	    (ssize_t)request_bytes);
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	answered("X-Request-Id: its-own-id");
	counted(1, 0, 5);
}
END_TEST

START_TEST(bytes_that_were_not_yet_counted_are_not_lost)
{
	captured(40);
	slot->capture_used = 15;
	slot->in.done = slot->in.from = 15;
	slot->in.call.msg_len = 25;
	slot->state = SLOT_READING;
	ck_assert_int_eq(rescue(), RESCUE_CAPTURED);
	ck_assert_uint_eq(slot->capture_used, 40);
	ck_assert_uint_eq(slot->state, SLOT_READING);
	ck_assert_uint_eq(slot->tries, 0);
	ck_assert_uint_eq(slot->count.replayed, 0);
}
END_TEST

START_TEST(bytes_that_were_counted_are_not_counted_twice)
{
	captured(40);
	slot->in.from = 15;
	slot->in.done = 40;
	slot->in.call.msg_len = 25;
	slot->state = SLOT_READING;
	ck_assert_int_eq(rescue(), RESCUE_CAPTURED);
	ck_assert_uint_eq(slot->capture_used, 40);
}
END_TEST

START_TEST(reading_goes_on_once)
{
	captured(request_bytes - 8);
	slot->state = SLOT_READING;
	ck_assert_int_eq(rescue(), RESCUE_CAPTURED);
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	answered("Status: 502");
	answered("X-Request-Id: its-own-id");
	counted(1, 0, 5);
}
END_TEST

/* ---- in the handler ------------------------------------------------------ */

START_TEST(a_whole_one_is_run_again_once)
{
	captured(request_bytes);
	slot->state = SLOT_RUNNING;
	ck_assert_int_eq(rescue(), RESCUE_CAPTURED);
	ck_assert_uint_eq(slot->count.replayed, 1);
	ck_assert_str_eq(slot->request_id, "its-own-id");
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	answered("Status: 502");
	counted(1, 0, 5);
}
END_TEST

START_TEST(what_must_not_be_repeated_is_not)
{
	captured(request_bytes);
	slot->state = SLOT_RUNNING;
	slot->flags = SLOT_ONCE;
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	answered("Status: 502");
	counted(1, 0, 5);
}
END_TEST

START_TEST(one_without_an_id_is_given_one)
{
	captured(24); /* BEGIN_REQUEST alone tells its number */
	slot->state = SLOT_RUNNING;
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	ck_assert_uint_eq(strlen(slot->request_id), 32);
	answered(slot->request_id);
	counted(1, 0, 5);
}
END_TEST

/* ---- the answer ---------------------------------------------------------- */

START_TEST(a_kept_answer_gets_out_once_and_whole)
{
	kept((size_t)_i);
	/* With nothing more to come, the close is not held back. */
	ck_assert_int_eq(shutdown(front, SHUT_WR), 0);
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	ck_assert_uint_eq(got_bytes, slot->answer_used);
	answered("hello");
	counted(0, 1, 2);
}
END_TEST

START_TEST(one_that_its_worker_has_counted_is_not_counted_again)
{
	kept(0);
	slot->state = SLOT_SENT;
	slot->flags = SLOT_COUNTED;
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	ck_assert_uint_eq(slot->count.requests, 0);
}
END_TEST

static void
streaming(uint64_t done, unsigned last, uint32_t wanted)
{
	captured(request_bytes);
	slot->state = SLOT_STREAMING;
	slot->answer_status = 200;
	slot->out.done = slot->out.from = done;
	slot->out.call.msg_len = last;
	slot->out.wanted = wanted;
}

START_TEST(a_stream_of_which_nothing_is_out_is_run_again)
{
	streaming(0, 0, 100);
	ck_assert_int_eq(rescue(), RESCUE_CAPTURED);
	ck_assert_uint_eq(slot->state, SLOT_RUNNING);
	ck_assert_uint_eq(got_bytes, 0);
}
END_TEST

START_TEST(a_stream_between_two_records_is_broken_off)
{
	streaming(0, 100, 100);
	slot->boundary = 0; /* of the call before */
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	ck_assert_uint_eq(got_bytes, WIRE_HEADER_BYTES);
	ck_assert_mem_eq(got, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	counted(1, 0, 5);
}
END_TEST

START_TEST(a_stream_within_a_record_is_only_closed)
{
	streaming(100, 50, 100);
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	ck_assert_uint_eq(got_bytes, 0);
	counted(1, 0, 5);
}
END_TEST

START_TEST(a_stream_that_is_all_out_is_whole)
{
	streaming(100, 24, 24);
	slot->out.goal = 124;
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	ck_assert_uint_eq(got_bytes, 0);
	counted(0, 1, 2);
}
END_TEST

START_TEST(what_did_not_come_off_the_listener_is_not_written_to)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at,
	    sizeof(at.sun_family)), 0); /* any abstract name */
	kept(0);
	ck_assert_int_eq(rescue_dead(slot, listener, REPLAY_BYTES,
	    TIMEOUT_MS), RESCUE_NOTHING);
	ck_assert_int_eq(recv(front, got, 1, MSG_DONTWAIT), -1);
	ck_assert_uint_eq(slot->count.lost, 1);
	close(listener);
}
END_TEST

/* ---- taken from a living one --------------------------------------------- */

START_TEST(an_overdue_one_is_answered_504)
{
	captured(request_bytes);
	slot->state = SLOT_RUNNING;
	slot->deadline_ms = clock_ms() - 1;
	ck_assert_int_eq(rescue_take(slot, 504, "late"), 1);
	ck_assert_uint_eq(slot->state, SLOT_EXPIRED);
	ck_assert_int_eq(rescue(), RESCUE_NOTHING);
	answered("Status: 504");
	answered("\"detail\":\"late\"");
	ck_assert_uint_eq(slot->count.expired, 1);
	counted(0, 0, 5);
}
END_TEST

START_TEST(one_that_began_since_is_not_taken)
{
	captured(request_bytes);
	slot->state = SLOT_RUNNING;
	ck_assert_int_eq(rescue_take(slot, 504, "late"), 0);
	ck_assert_uint_eq(slot->state, SLOT_RUNNING);
	ck_assert_int_eq(rescue_take(slot, 502, "too large"), 1);
}
END_TEST

START_TEST(a_finished_one_is_not_taken)
{
	kept(0);
	slot->deadline_ms = clock_ms() - 1;
	ck_assert_int_eq(rescue_take(slot, 504, "late"), 0);
	ck_assert_uint_eq(slot->state, SLOT_SENDING);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rescue");
	TCase *t = tcase_create("rescue");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_unread_one_is_handed_on);
	tcase_add_test(t,
	    an_unread_one_past_its_deadline_is_answered_by_its_name);
	tcase_add_test(t,
	    one_that_was_only_accepted_has_its_time_and_no_more);
	tcase_add_test(t, bytes_that_were_not_yet_counted_are_not_lost);
	tcase_add_test(t, bytes_that_were_counted_are_not_counted_twice);
	tcase_add_test(t, reading_goes_on_once);
	tcase_add_test(t, a_whole_one_is_run_again_once);
	tcase_add_test(t, what_must_not_be_repeated_is_not);
	tcase_add_test(t, one_without_an_id_is_given_one);
	tcase_add_loop_test(t, a_kept_answer_gets_out_once_and_whole, 0, 80);
	tcase_add_test(t, one_that_its_worker_has_counted_is_not_counted_again);
	tcase_add_test(t, a_stream_of_which_nothing_is_out_is_run_again);
	tcase_add_test(t, a_stream_between_two_records_is_broken_off);
	tcase_add_test(t, a_stream_within_a_record_is_only_closed);
	tcase_add_test(t, a_stream_that_is_all_out_is_whole);
	tcase_add_test(t, what_did_not_come_off_the_listener_is_not_written_to);
	tcase_add_test(t, an_overdue_one_is_answered_504);
	tcase_add_test(t, one_that_began_since_is_not_taken);
	tcase_add_test(t, a_finished_one_is_not_taken);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
