/* SPDX-License-Identifier: MIT */
#include "lib/crash.h"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096u

static struct slot *watched;
static char alternate[65536];

/* In the order that the DWARF numbers have. */
static void
registers_note(struct board_registers *to, const ucontext_t *from)
{
#if defined(__x86_64__)
	static const int order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX,
	    REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9, REG_R10,
	    REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

	to->count = sizeof(order) / sizeof(order[0]);
	for (uint32_t i = 0; i < to->count; i++)
		to->value[i] = (uint64_t)from->uc_mcontext.gregs[order[i]];
	to->pc = to->value[16];
	to->sp = to->value[7];
#elif defined(__aarch64__)
	to->count = 32;
	memcpy(to->value, from->uc_mcontext.regs, 31 * sizeof(uint64_t));
	to->pc = from->uc_mcontext.pc;
	to->sp = to->value[31] = from->uc_mcontext.sp;
#else
	(void)from;
	to->count = 0;
#endif
}

/* By the kernel, which knows where the stack ends; a page at a time.  One that
 * has overflowed begins beyond its end. */
static void
stack_note(struct slot_crash *crash, uint8_t *to, uint32_t room)
{
	uint64_t at = crash->registers.sp;
	uint32_t used = 0, end = 0;

	while (used < room && crash->registers.count > 0) {
		uint32_t step = PAGE - (uint32_t)((at + used) % PAGE);
		struct iovec here = {to + used,
		    step < room - used ? step : room - used};
		struct iovec there = {(void *)(uintptr_t)(at + used),
		    here.iov_len};
		long n = syscall(SYS_process_vm_readv, getpid(), &here, 1L,
		    &there, 1L, 0L);

		if (n > 0)
			end = used + (uint32_t)n;
		else if (end > 0)
			break;
		else
			memset(here.iov_base, 0, here.iov_len);
		used += (uint32_t)here.iov_len;
	}
	crash->stack_bytes = end;
}

/* Nothing here allocates, locks or formats.  A fault of the kernel's comes
 * again when we return; any other signal is sent again, and that of a forbidden
 * system call, which is not done again.  All of them then kill. */
static void
on_fault(int sig, siginfo_t *info, void *context)
{
	struct slot_crash *crash = &watched->crash;
	uint32_t room;
	uint8_t *stack = board_crash_stack(watched, &room);

	if (getpid() == atomic_load(&watched->worker_pid)) {
		crash->signal = sig;
		crash->code = info->si_code;
		crash->address = (uint64_t)(uintptr_t)info->si_addr;
		registers_note(&crash->registers, context);
		atomic_store(&crash->pid, (int32_t)getpid());
		stack_note(crash, stack, room);
	}
	/* the others come again by themselves */
	if (info->si_code <= 0 || sig == SIGSYS || sig == SIGTRAP)
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), sig);
}

void
crash_watch(struct slot *slot)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT,
	    SIGSYS, SIGTRAP};
	const stack_t stack = {.ss_sp = alternate,
	    .ss_size = sizeof(alternate)};
	struct sigaction old, action = {.sa_sigaction = on_fault,
	    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND};
	uint32_t room;

	board_crash_stack(slot, &room);
	if (room == 0)
		return;
	watched = slot;
	atomic_store(&slot->crash.pid, 0);
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (sigaction(faults[i], NULL, &old) == 0 &&
		    !(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL)
			sigaction(faults[i], &action, NULL);
}

void
crash_tell(struct slot *slot, pid_t pid, enum crash_fate fate)
{
	struct slot_crash *crash = &slot->crash;

	if (atomic_load(&crash->pid) != (int32_t)pid)
		return;
	crash->fate = fate;
	crash->told_pid = (int32_t)pid;
	memcpy(crash->request_id, slot->request_id, sizeof(crash->request_id));
	memcpy(crash->traceparent, slot->traceparent,
	    sizeof(crash->traceparent));
	atomic_fetch_add(&crash->serial, 1);
}
