/* SPDX-License-Identifier: MIT */
/* The board, its log rings and the orders: what crosses between processes. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sock.h"
#include "proto/board.h"
#include "proto/order.h"
#include "proto/ring.h"

#define RING 16384

static struct slot *
slot_make(int *fd)
{
	struct nds_error err = {""};
	struct slot *s;

	*fd = board_slot_new(7, 65536, 65536, RING, &err);
	ck_assert_msg(*fd >= 0, "%s", err.text);
	s = board_slot_map(*fd, 1, &err);
	ck_assert_msg(s != NULL, "%s", err.text);
	return s;
}

START_TEST(a_new_slot_is_whole_and_idle)
{
	int fd;
	struct slot *s = slot_make(&fd);

	ck_assert_uint_eq(s->number, 7);
	ck_assert_uint_eq(s->ring_bytes, RING);
	ck_assert_uint_ge(s->capture_bytes, 65536);
	ck_assert_int_eq(atomic_load(&s->fd), -1);
	ck_assert_uint_eq(atomic_load(&s->state), SLOT_ACCEPTING);
	memset(slot_capture(s), 1, s->capture_bytes);
	memset(slot_answer(s), 2, s->answer_bytes);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	board_unmap(s);
	close(fd);
}
END_TEST

START_TEST(two_mappings_see_the_same_and_one_cannot_write)
{
	struct nds_error err;
	int fd, status;
	struct slot *s = slot_make(&fd), *other = board_slot_map(fd, 0, &err);
	pid_t child;

	ck_assert_ptr_nonnull(other);
	atomic_store(&s->count.requests, 5);
	ck_assert_uint_eq(atomic_load(&other->count.requests), 5);
	child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		atomic_store(&other->count.requests, 6);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(status != 0);
	ck_assert_uint_eq(atomic_load(&s->count.requests), 5);
	board_unmap(other);
	board_unmap(s);
	close(fd);
}
END_TEST

START_TEST(nobody_can_shrink_a_segment)
{
	int fd;
	struct slot *s = slot_make(&fd);

	ck_assert_int_eq(ftruncate(fd, 0), -1);
	board_unmap(s);
	close(fd);
}
END_TEST

/* Every header that lies is refused; the true one is taken again. */
START_TEST(a_lying_header_is_refused)
{
	struct nds_error err;
	int fd;
	struct slot *s = slot_make(&fd);
	struct {
		uint32_t *at, value;
	} lies[] = {{&s->magic, 1}, {&s->version, 0},
	    {&s->capture_at, 0}, {&s->capture_at, 8},
	    {&s->capture_bytes, UINT32_MAX}, {&s->answer_at, UINT32_MAX},
	    {&s->answer_bytes, 1u << 30}, {&s->ring_at, 0xfffff000u},
	    {&s->ring_bytes, 0}, {&s->ring_bytes, RING - 1},
	    {&s->ring_bytes, 1u << 20}, {&s->books_at, 8},
	    {&s->books_at, 0xffff0000u}, {&s->trace_at, UINT32_MAX},
	    {&s->trace_bytes, RING - 1}, {&s->trace_bytes, 1u << 20},
	    {&s->crash_at, 8}, {&s->crash_bytes, UINT32_MAX}};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint32_t truth = *lies[i].at;

		*lies[i].at = lies[i].value;
		ck_assert_msg(board_slot_map(fd, 1, &err) == NULL, "%zu", i);
		*lies[i].at = truth;
	}
	s->bytes *= 2;
	ck_assert_ptr_null(board_slot_map(fd, 1, &err));
	s->bytes /= 2;
	ck_assert_ptr_null(board_pool_map(fd, 1, &err));
	board_unmap(s);
	s = board_slot_map(fd, 1, &err);
	ck_assert_ptr_nonnull(s);
	board_unmap(s);
	close(fd);
}
END_TEST

START_TEST(what_is_no_segment_is_refused)
{
	struct nds_error err;
	int fd = memfd_create("empty", MFD_CLOEXEC);

	ck_assert_ptr_null(board_slot_map(fd, 1, &err));
	ck_assert_ptr_null(board_pool_map(fd, 1, &err));
	ck_assert_ptr_null(board_pool_map(-1, 1, &err));
	close(fd);
	ck_assert_int_eq(board_slot_new(0, UINT32_MAX, 1, 1, &err), -1);
}
END_TEST

START_TEST(a_capture_is_wiped_where_it_lies_and_nowhere_else)
{
	int fd;
	struct slot *s = slot_make(&fd);
	uint8_t *capture = slot_capture(s), *answer = slot_answer(s);

	capture[0] = capture[s->capture_bytes - 1] = answer[0] = 1;
	board_slot_wipe(s);
	ck_assert_int_eq(capture[0], 0);
	ck_assert_int_eq(capture[s->capture_bytes - 1], 0);
	ck_assert_int_eq(answer[0], 1);
	s->capture_at = 0x7fffffff; /* as a handler may have left it */
	board_slot_wipe(s);
	board_unmap(s);
	close(fd);
}
END_TEST

START_TEST(the_pool_board_maps)
{
	struct nds_error err = {""};
	int fd = board_pool_new(&err);
	struct pool_board *p = board_pool_map(fd, 1, &err);

	ck_assert_msg(p != NULL, "%s", err.text);
	ck_assert_uint_eq(atomic_load(&p->checks), 0);
	ck_assert_ptr_null(board_slot_map(fd, 1, &err));
	board_unmap(p);
	close(fd);
}
END_TEST

START_TEST(latencies_fall_into_their_buckets)
{
	ck_assert_int_eq(board_latency_bucket(-5), 0);
	ck_assert_int_eq(board_latency_bucket(0), 0);
	ck_assert_int_eq(board_latency_bucket(1000), 0);
	ck_assert_int_eq(board_latency_bucket(1001), 1);
	ck_assert_int_eq(board_latency_bucket(60000000), 14);
	ck_assert_int_eq(board_latency_bucket(60000001), 15);
	ck_assert_int_eq(board_latency_bucket(INT64_MAX), 15);
}
END_TEST

START_TEST(a_check_is_read_whole_or_not_at_all)
{
	static struct board_check from, to;

	memset(from.name, 'n', sizeof(from.name)); /* no terminator */
	memset(from.message, 'm', sizeof(from.message));
	atomic_store(&from.status, CHECK_FAILED);
	atomic_store(&from.seq, 4);
	ck_assert_int_eq(board_check_read(&from, &to), 0);
	ck_assert_uint_eq(strlen(to.name), sizeof(to.name) - 1);
	ck_assert_uint_eq(strlen(to.message), sizeof(to.message) - 1);
	ck_assert_uint_eq(atomic_load(&to.status), CHECK_FAILED);
	atomic_store(&from.seq, 5);
	ck_assert_int_eq(board_check_read(&from, &to), -1);
}
END_TEST

/* ---- ring -------------------------------------------------------------- */

START_TEST(lines_come_out_whole_and_in_order)
{
	char line[64], out[RING_LINE_MAX], want[64];
	size_t bytes, at;
	long wrote = 0, got = 0;
	int fd;
	struct slot *s = slot_make(&fd);

	while (got < 20000) {
		for (int i = 0; i < 37; i++, wrote++) {
			bytes = (size_t)snprintf(line, sizeof(line),
			    "line %ld %.*s\n", wrote, (int)(wrote % 20),
			    "....................");
			ck_assert_int_ge(ring_write(s, line, bytes), 0);
		}
		while ((bytes = ring_read(s, out, sizeof(out))) > 0)
			for (at = 0; at < bytes; got++) {
				snprintf(want, sizeof(want), "line %ld ", got);
				ck_assert_int_eq(memcmp(out + at, want,
				    strlen(want)), 0);
				at += (size_t)((char *)memchr(out + at, '\n',
				    bytes - at) - (out + at)) + 1;
			}
		ck_assert_int_eq(got, wrote);
	}
	ck_assert_uint_eq(atomic_load(&s->count.log_dropped), 0);
	board_unmap(s);
	close(fd);
}
END_TEST

START_TEST(a_full_ring_drops_and_counts_and_pokes_once)
{
	char line[100], out[RING];
	int fd, pokes = 0, wrote = 0, result;
	struct slot *s = slot_make(&fd);

	memset(line, 'x', sizeof(line));
	line[99] = '\n';
	while ((result = ring_write(s, line, sizeof(line))) >= 0) {
		pokes += result;
		wrote++;
		ck_assert_int_eq(pokes, wrote * 100 > RING / 4);
	}
	ck_assert_int_eq(wrote, RING / 100);
	ck_assert_uint_eq(atomic_load(&s->count.log_dropped), 1);
	ck_assert_uint_eq(ring_read(s, out, sizeof(out)), (size_t)wrote * 100);
	ck_assert_uint_eq(ring_read(s, out, sizeof(out)), 0);
	for (pokes = 0; pokes == 0;)
		pokes = ring_write(s, line, sizeof(line));
	ck_assert_int_eq(pokes, 1);
	ck_assert_int_eq(ring_write(s, line, 0), -1);
	ck_assert_int_eq(ring_write(s, line, RING_LINE_MAX + 1), -1);
	board_unmap(s);
	close(fd);
}
END_TEST

/* The worker went mad: neither a crash nor an endless read follows. */
START_TEST(a_mad_writer_empties_its_ring)
{
	char out[RING_LINE_MAX];
	int fd;
	struct slot *s = slot_make(&fd);

	atomic_store(&s->ring_head, UINT64_MAX);
	ck_assert_uint_eq(ring_read(s, out, sizeof(out)), 0);
	ck_assert_uint_eq(ring_read(s, out, sizeof(out)), 0);
	ck_assert_int_eq(ring_write(s, "sane\n", 5), 0);
	ck_assert_uint_eq(ring_read(s, out, sizeof(out)), 5);
	s->ring_at = 0xffffff00u;
	s->ring_bytes = 1u << 31;
	s->bytes = UINT64_MAX;
	atomic_store(&s->ring_head, atomic_load(&s->ring_tail) + RING);
	while (ring_read(s, out, sizeof(out)) > 0)
		;
	atomic_store(&s->ring_tail, 99999);
	ck_assert_int_eq(ring_write(s, "sane\n", 5), -1);
	ck_assert_uint_eq(ring_read(s, out, sizeof(out)), 0);
	board_unmap(s);
	close(fd);
}
END_TEST

START_TEST(what_a_killed_writer_published_is_whole)
{
	char out[RING_LINE_MAX];
	size_t bytes;
	int fd, pipes[2];
	struct slot *s = slot_make(&fd);
	pid_t child;

	ck_assert_int_eq(pipe(pipes), 0);
	child = fork();
	if (child == 0)
		for (;;)
			if (ring_write(s, "0123456789\n", 11) < 0)
				ck_assert_int_eq(write(pipes[1], "", 1), 1);
	ck_assert_int_eq(read(pipes[0], out, 1), 1);
	ck_assert_uint_gt(ring_read(s, out, sizeof(out)), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	while ((bytes = ring_read(s, out, sizeof(out))) > 0) {
		ck_assert_uint_eq(bytes % 11, 0);
		for (size_t at = 0; at < bytes; at += 11)
			ck_assert_int_eq(memcmp(out + at, "0123456789\n", 11),
			    0);
	}
	close(pipes[0]);
	close(pipes[1]);
	board_unmap(s);
	close(fd);
}
END_TEST

/* ---- orders and sockets ------------------------------------------------ */

START_TEST(an_order_arrives_with_its_fd)
{
	int pair[2], fd;
	struct order order;
	struct stat a, b;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	ck_assert_int_eq(order_recv(pair[1], &order, &fd), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(order_send(pair[0], ORDER_SLOT, 9, pair[0]), 0);
	ck_assert_int_eq(order_send(pair[0], ORDER_RETIRE, 0, -1), 0);
	ck_assert_int_eq(order_recv(pair[1], &order, &fd), 1);
	ck_assert_uint_eq(order.type, ORDER_SLOT);
	ck_assert_uint_eq(order.value, 9);
	ck_assert_int_eq(fstat(fd, &a) | fstat(pair[0], &b), 0);
	ck_assert_uint_eq(a.st_ino, b.st_ino);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(fd);
	ck_assert_int_eq(order_recv(pair[1], &order, &fd), 1);
	ck_assert_uint_eq(order.type, ORDER_RETIRE);
	ck_assert_int_eq(fd, -1);
	close(pair[0]);
	ck_assert_int_eq(order_recv(pair[1], &order, &fd), 0);
	ck_assert_int_eq(order_send(pair[1], ORDER_HELLO, 1, -1), -1);
	ck_assert_int_eq(errno, EPIPE);
	close(pair[1]);
}
END_TEST

START_TEST(what_is_no_order_is_refused_and_leaks_nothing)
{
	static const char raw[64];
	int pair[2], fd, before;
	struct order order;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	before = dup(0);
	close(before);
	ck_assert_int_eq(sock_send_fd(pair[0], raw, 4, pair[0], 0), 4);
	ck_assert_int_eq(sock_send_fd(pair[0], raw, 64, pair[0], 0), 64);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(order_recv(pair[1], &order, &fd), -1);
		ck_assert_int_eq(errno, EPROTO);
		ck_assert_int_eq(fd, -1);
	}
	fd = dup(0);
	ck_assert_int_eq(fd, before);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(a_peer_that_does_not_read_blocks_nobody)
{
	int pair[2], result;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	do
		result = order_send(pair[0], ORDER_POKE, 0, -1);
	while (result == 0);
	ck_assert_int_eq(errno, EAGAIN);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

static void
listen_twice(const char *path)
{
	struct nds_error err = {""};
	struct stat st;
	int old, new, client, got;

	old = sock_listen(path, 0660, (gid_t)-1, 8, &err);
	ck_assert_msg(old >= 0, "%s", err.text);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0660);
	new = sock_listen(path, 0600, (gid_t)-1, 8, &err);
	ck_assert_msg(new >= 0, "%s", err.text);
	client = sock_connect(path, SOCK_STREAM, 1000);
	ck_assert_int_ge(client, 0);
	got = accept(new, NULL, NULL);
	ck_assert_int_ge(got, 0);
	close(got);
	close(client);
	close(new);
	close(old);
	ck_assert_int_eq(sock_connect(path, SOCK_STREAM, 1000), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
}

START_TEST(a_listener_replaces_a_socket_and_nothing_else)
{
	char dir[] = "/tmp/check_board.XXXXXX", path[200];
	struct nds_error err;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.sock", dir);
	listen_twice(path);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	ck_assert_int_eq(sock_listen(path, 0600, (gid_t)-1, 8,
	    &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "is not a socket"));
	unlink(path);
	memset(path + strlen(path), 'x', sizeof(path) - strlen(path));
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(sock_listen(path, 0600, (gid_t)-1, 8,
	    &err), -1);
	ck_assert_int_eq(sock_connect(path, SOCK_STREAM, 10), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	ck_assert_int_eq(rmdir(dir), 0); /* nothing was left behind */
}
END_TEST

START_TEST(a_full_backlog_holds_a_caller_for_its_timeout_alone)
{
	char dir[] = "/tmp/check_board.XXXXXX", path[200];
	struct nds_error err;
	int listener, fds[8], count = 0;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.sock", dir);
	listener = sock_listen(path, 0600, (gid_t)-1, 1, &err);
	while (count < 8 && (fds[count] = sock_connect(path, SOCK_STREAM, 50))
	    >= 0)
		count++;
	ck_assert_int_lt(count, 8);
	ck_assert_int_eq(errno, EAGAIN);
	while (count > 0)
		close(fds[--count]);
	close(listener);
	unlink(path);
	rmdir(dir);
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, a_new_slot_is_whole_and_idle);
	tcase_add_test(tc, two_mappings_see_the_same_and_one_cannot_write);
	tcase_add_test(tc, nobody_can_shrink_a_segment);
	tcase_add_test(tc, a_lying_header_is_refused);
	tcase_add_test(tc, what_is_no_segment_is_refused);
	tcase_add_test(tc, a_capture_is_wiped_where_it_lies_and_nowhere_else);
	tcase_add_test(tc, the_pool_board_maps);
	tcase_add_test(tc, latencies_fall_into_their_buckets);
	tcase_add_test(tc, a_check_is_read_whole_or_not_at_all);
	tcase_add_test(tc, lines_come_out_whole_and_in_order);
	tcase_add_test(tc, a_full_ring_drops_and_counts_and_pokes_once);
	tcase_add_test(tc, a_mad_writer_empties_its_ring);
	tcase_add_test(tc, what_a_killed_writer_published_is_whole);
	tcase_add_test(tc, an_order_arrives_with_its_fd);
	tcase_add_test(tc, what_is_no_order_is_refused_and_leaks_nothing);
	tcase_add_test(tc, a_peer_that_does_not_read_blocks_nobody);
	tcase_add_test(tc, a_listener_replaces_a_socket_and_nothing_else);
	tcase_add_test(tc, a_full_backlog_holds_a_caller_for_its_timeout_alone);
}

int
main(void)
{
	Suite *suite = suite_create("board");
	TCase *tc = tcase_create("board");
	SRunner *runner;
	int failed;

	add_tests(tc);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
