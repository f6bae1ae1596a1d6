/* SPDX-License-Identifier: MIT */
/*
 * Runs a command to which something is denied that a kernel has and a sandbox
 * may not give; 77 where seccomp is not there.
 *	netlink  as under systemd's RestrictAddressFamilies= or in gVisor:
 *	         sock_diag(7) is not there
 *	ptrace   as where kernel.yama.ptrace_scope is 2 or 3, or a profile of
 *	         seccomp forbids it
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(member) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
	    offsetof(struct seccomp_data, member))
#define UNLESS(value, skip) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define LOW_WORD (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)

static const struct sock_filter netlink[] = {
	LOAD(nr),
	UNLESS(SYS_socket, 3),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    offsetof(struct seccomp_data, args[0]) + LOW_WORD),
	UNLESS(AF_NETLINK, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static const struct sock_filter ptrace[] = {
	LOAD(nr),
	UNLESS(SYS_ptrace, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

int
main(int argc, char **argv)
{
	struct sock_fprog program = {sizeof(ptrace) / sizeof(ptrace[0]),
	    (struct sock_filter *)(uintptr_t)ptrace};

	if (argc < 3 || (strcmp(argv[1], "netlink") != 0 &&
	    strcmp(argv[1], "ptrace") != 0)) {
		fprintf(stderr, "usage: denied netlink|ptrace COMMAND "
		    "[ARGUMENT...]\n");
		return 2;
	}
	if (argv[1][0] == 'n') {
		program.len = sizeof(netlink) / sizeof(netlink[0]);
		program.filter = (struct sock_filter *)(uintptr_t)netlink;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 77;
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
