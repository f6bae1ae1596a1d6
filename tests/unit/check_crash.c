/* SPDX-License-Identifier: MIT */
/* A worker that dies of a fault still dies of it, and says where it stood. */
#include <check.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/crash.h"
#include "observer/crash.h"

static struct slot *slot;
static pid_t pid; /* of who dies */

static void
begin(void)
{
	struct nds_error err;
	int fd = board_slot_new(0, 4096, 4096, 65536, &err);

	slot = board_slot_map(fd, 1, &err);
	ck_assert_ptr_nonnull(slot);
	close(fd);
}

static void
end(void)
{
	board_unmap(slot);
}

/* The kernel does not do the call again, as it does what has faulted. */
static void
die_of_a_call(void)
{
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data,
		nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog all = {sizeof(filter) / sizeof(filter[0]), filter};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) < 0)
		raise(SIGSYS);
	syscall(SYS_getppid);
}

START_TEST(a_fault_that_is_noted_still_kills)
{
	static const int faults[] = {SIGSEGV, SIGABRT, SIGSYS};
	int status;

	pid = fork();
	if (pid == 0) {
		slot->worker_pid = getpid();
		signal(faults[_i], SIG_DFL); /* a sanitizer has its own */
		crash_watch(slot);
		if (faults[_i] == SIGSYS)
			die_of_a_call();
		else
			raise(faults[_i]);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), faults[_i]);
	ck_assert_int_eq(slot->crash.signal, faults[_i]);
}
END_TEST

#ifdef HAVE_LIBDW
static char told[16384];

static void
keep_line(const char *line, size_t bytes, void *arg)
{
	(void)arg;
	strncat(told, line, bytes);
}

static int (*volatile nowhere)(int);
static volatile int depth;

static int __attribute__((noinline))
call_nowhere(void)
{
	return nowhere(1) + 1;
}

static int __attribute__((noinline))
overflow(int n)
{
	volatile char large[2048];

	large[0] = (char)n;
	return depth < 0 ? 0 : overflow(n + 1) + large[0];
}

static void
die_strangely(int how)
{
	const struct rlimit small = {256 << 10, 256 << 10};

	slot->worker_pid = getpid();
	signal(SIGSEGV, SIG_DFL);
	crash_watch(slot);
	setrlimit(RLIMIT_STACK, &small);
	if (how == 0)
		_exit(call_nowhere()); /* no tail call */
	else
		overflow(1);
	_exit(0);
}

/* Without a frame of its own, or with its stack pointer beyond the stack. */
START_TEST(a_strange_death_has_a_stack)
{
	int status;

	log_open(1, LOG_INFO, keep_line, NULL);
	told[0] = '\0';
	slot->guardian_pid = getpid();
	pid = fork();
	if (pid == 0)
		die_strangely(_i);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	crash_tell(slot, pid, CRASH_NONE);
	crash_look(slot, 0);
	if (_i == 0)
		ck_assert_msg(strstr(told, "\"stack\":\"0x0 < call_nowhere") !=
		    NULL, "%s", told);
	else
		ck_assert_msg(strstr(told, " < overflow") != NULL, "%s", told);
}
END_TEST
#endif

int
main(void)
{
	Suite *s = suite_create("crash");
	TCase *t = tcase_create("crash");
	SRunner *r = srunner_create(s);
	int failed;

	/* valgrind does not know one fault after the other */
	tcase_set_tags(t, "long");
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_loop_test(t, a_fault_that_is_noted_still_kills, 0, 3);
#ifdef HAVE_LIBDW
	tcase_add_loop_test(t, a_strange_death_has_a_stack, 0, 2);
#endif
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
