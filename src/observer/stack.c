/* SPDX-License-Identifier: MIT */
#include "observer/stack.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#ifdef HAVE_LIBDW
#include <elfutils/libdwfl.h>
#endif

#define HOLD_MS 200 /* a process in the midst of disk input does not stop */
#define PAGE 4096u
#define FRAMES_MAX 32

struct stack_sample *
stack_room(void)
{
	void *room = mmap(NULL, sizeof(struct stack_sample),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return room == MAP_FAILED ? NULL : room;
}

/* ---- copying ---------------------------------------------------------- */

/* In the order that the DWARF numbers have. */
static int
registers_take(struct stack_sample *s)
{
	struct board_registers *to = &s->registers;
	struct user_regs_struct r;
	struct iovec io = {&r, sizeof(r)};

	if (ptrace(PTRACE_GETREGSET, s->pid, NT_PRSTATUS, &io) < 0)
		return -1;
#if defined(__x86_64__)
	*to = (struct board_registers){r.rip, r.rsp, 17, {r.rax, r.rdx, r.rcx,
	    r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11,
	    r.r12, r.r13, r.r14, r.r15, r.rip}};
#elif defined(__aarch64__)
	*to = (struct board_registers){.pc = r.pc, .sp = r.sp, .count = 32};
	memcpy(to->value, r.regs, 31 * sizeof(r.regs[0]));
	to->value[31] = r.sp;
#else
	to->count = 0;
	errno = ENOSYS;
	return -1;
#endif
	return 0;
}

/* By pages, as the stack may end before. */
static void
stack_copy(struct stack_sample *s)
{
	struct iovec to = {s->stack, STACK_BYTES}, from[STACK_BYTES / PAGE + 1];
	uint64_t at = s->registers.sp, end = at + STACK_BYTES, next;
	unsigned long count = 0;
	ssize_t n;

	for (; at < end; at = next) {
		next = (at / PAGE + 1) * PAGE;
		next = next < end ? next : end;
		from[count].iov_base = (void *)(uintptr_t)at;
		from[count++].iov_len = (size_t)(next - at);
	}
	n = process_vm_readv(s->pid, &to, 1, from, count, 0);
	s->bytes = n > 0 ? (size_t)n : 0;
}

/* A signal that came first is what it stands at: it must have it. */
static unsigned long
signal_at(int status)
{
	return status >> 16 == 0 ? (unsigned long)WSTOPSIG(status) : 0;
}

/* A process can have one tracer. */
static int
is_traced(pid_t pid)
{
	char path[32], line[128];
	int tracer = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (tracer == 0 && fgets(line, sizeof(line), f) != NULL)
		sscanf(line, "TracerPid: %d", &tracer);
	fclose(f);
	return tracer != 0;
}

/* In a process of its own, whose end, however it comes, lets the other one
 * go. */
static int
look(struct stack_sample *s)
{
	const struct itimerval most = {.it_value.tv_usec = HOLD_MS * 1000};
	int64_t from_us;
	int status;

	setpgid(0, 0); /* whoever stops our group does not stop us */
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a stopped one has no timer */
	setitimer(ITIMER_REAL, &most, NULL);
	if (ptrace(PTRACE_SEIZE, s->pid, 0, 0) < 0) {
		errno = errno == EPERM && is_traced(s->pid) ? EBUSY : errno;
		return -1;
	}
	from_us = clock_us();
	if (ptrace(PTRACE_INTERRUPT, s->pid, 0, 0) < 0 ||
	    waitpid(s->pid, &status, __WALL) < 0)
		return -1;
	if (!WIFSTOPPED(status)) {
		errno = ESRCH;
		return -1;
	}
	if (registers_take(s) < 0)
		return -1;
	stack_copy(s);
	ptrace(PTRACE_DETACH, s->pid, 0, signal_at(status));
	s->held_us = clock_us() - from_us;
	return 0;
}

static const char *
why_not(int error)
{
	return error == EPERM || error == EACCES ?
	    "ptrace is not allowed (seccomp, kernel.yama.ptrace_scope)" :
	    error == EBUSY ? "another process traces the worker" :
	    error == ESRCH ? "the worker has gone" :
	    error == ETIMEDOUT ? "the worker does not stop" :
	    error == ENOSYS ? "not known on this machine" :
	    "ptrace does not work";
}

/* The timer ends it in time, unless somebody has stopped it. */
static void
look_end(pid_t child)
{
	struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, child, 0),
	    .events = POLLIN};

	if (p.fd >= 0 && poll(&p, 1, 2 * HOLD_MS) == 0)
		kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (p.fd >= 0)
		close(p.fd);
}

int
stack_take(struct stack_sample *s, pid_t pid)
{
	pid_t child;

	s->pid = pid;
	s->error = ETIMEDOUT;
	child = fork();
	if (child == 0) {
		s->error = look(s) < 0 ? errno : 0;
		_exit(0);
	}
	if (child < 0)
		s->error = errno;
	else
		look_end(child);
	s->why = why_not(s->error);
	return s->error == 0 ? 0 : -1;
}

int
stack_return(struct stack_sample *s)
{
	struct board_registers *r = &s->registers;
#if defined(__x86_64__)
	uint64_t back;

	if (r->count != 17 || s->bytes < sizeof(back))
		return -1;
	memcpy(&back, s->stack, sizeof(back));
	r->value[7] = r->sp + sizeof(back);
	r->pc = r->value[16] = back - 1; /* in the call, not behind it */
#elif defined(__aarch64__)
	if (r->count != 32)
		return -1;
	r->pc = r->value[30] - 1;
#else
	if (r->count == 0)
		return -1;
#endif
	return 0;
}

/* ---- naming ----------------------------------------------------------- */

#ifdef HAVE_LIBDW

struct frames {
	Dwfl *dwfl;
	char *text;
	size_t room, used;
	int count;
};

static pid_t
next_thread(Dwfl *dwfl, void *arg, void **thread)
{
	const struct stack_sample *s = arg;

	(void)dwfl;
	if (*thread != NULL)
		return 0;
	*thread = arg;
	return s->pid;
}

static bool
memory_read(Dwfl *dwfl, Dwarf_Addr at, Dwarf_Word *to, void *arg)
{
	const struct stack_sample *s = arg;
	uint64_t offset = at - s->registers.sp;

	(void)dwfl;
	if (at < s->registers.sp || s->bytes < sizeof(*to) ||
	    offset > s->bytes - sizeof(*to))
		return false;
	memcpy(to, s->stack + offset, sizeof(*to));
	return true;
}

static bool
registers_set(Dwfl_Thread *thread, void *arg)
{
	const struct stack_sample *s = arg;

	dwfl_thread_state_register_pc(thread, s->registers.pc);
	return dwfl_thread_state_registers(thread, 0, s->registers.count,
	    (const Dwarf_Word *)s->registers.value);
}

static void
frame_add(struct frames *f, const char *name, const char *place)
{
	int n = snprintf(f->text + f->used, f->room - f->used, "%s%s%s%s",
	    f->count > 0 ? " < " : "", name, *place == '\0' ? "" : " ", place);

	if (n > 0)
		f->used += (size_t)n < f->room - f->used ? (size_t)n :
		    f->room - f->used - 1;
	f->count++;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static int
frame_name(Dwfl_Frame *frame, void *arg)
{
	struct frames *f = arg;
	const char *name = NULL, *file;
	char place[300] = "";
	Dwfl_Module *module;
	Dwarf_Addr pc, start = 0;
	Dwfl_Line *line;
	bool is_exact;
	int number;

	if (!dwfl_frame_pc(frame, &pc, &is_exact))
		return DWARF_CB_ABORT;
	pc -= is_exact ? 0 : 1;
	module = dwfl_addrmodule(f->dwfl, pc);
	if (module == NULL)
		return DWARF_CB_ABORT;
	name = dwfl_module_addrname(module, pc);
	line = dwfl_module_getsrc(module, pc);
	file = line == NULL ? NULL :
	    dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
	if (file != NULL)
		snprintf(place, sizeof(place), "%s:%d", base_name(file),
		    number);
	else if (name == NULL)
		snprintf(place, sizeof(place), "%s+0x%llx",
		    base_name(dwfl_module_info(module, NULL, &start, NULL,
			NULL, NULL, NULL, NULL)),
		    (unsigned long long)(pc - start));
	frame_add(f, name == NULL ? "?" : name, place);
	return f->count < FRAMES_MAX ? DWARF_CB_OK : DWARF_CB_ABORT;
}

static const Dwfl_Callbacks files = {.find_elf = dwfl_linux_proc_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo};
static const Dwfl_Thread_Callbacks memory = {.next_thread = next_thread,
    .memory_read = memory_read,
    .set_initial_registers = registers_set};

char *
stack_name(struct stack_sample *s, char *text, size_t room)
{
	struct frames f = {.text = text, .room = room};

	snprintf(text, room, "not known");
	unsetenv("DEBUGINFOD_URLS"); /* it would ask the network */
	f.dwfl = dwfl_begin(&files);
	if (f.dwfl == NULL)
		return text;
	if (dwfl_linux_proc_report(f.dwfl, s->pid) == 0 &&
	    dwfl_report_end(f.dwfl, NULL, NULL) == 0 &&
	    dwfl_attach_state(f.dwfl, NULL, s->pid, &memory, s))
		dwfl_getthread_frames(f.dwfl, s->pid, frame_name, &f);
	dwfl_end(f.dwfl);
	return text;
}

#else

char *
stack_name(struct stack_sample *s, char *text, size_t room)
{
	snprintf(text, room, "at 0x%llx; built without libdw",
	    (unsigned long long)s->registers.pc);
	return text;
}

#endif
