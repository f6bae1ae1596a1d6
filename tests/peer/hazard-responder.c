/* SPDX-License-Identifier: MIT */
/*
 * Handlers that do to their worker what handlers do: each route is one hazard.
 * An argument sets the scene before the split into guardian and worker:
 *
 *	plain		nothing
 *	thread		a thread runs already
 *	no-clone	the system refuses clone(2) with a shared table
 *	many-fds	400 descriptors are open already
 *	mortal		a worker dies at its start while the file is executable
 *
 * The file is the one that HAZARD_FILE names; /stray and /lock use it too.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/nds.h"

#define MANY 400

static int many[MANY];

static int
die(void)
{
	raise(SIGKILL);
	return -1;
}

/* Dies the first time, answers the second. */
static int
second_time(struct nds_request *req, struct nds_response *res)
{
	char text[64];
	size_t bytes = 0;

	if (!nds_is_replay(req))
		return die();
	nds_body(req, &bytes);
	snprintf(text, sizeof(text), "replayed with %zu bytes\n", bytes);
	return nds_text(res, 200, text);
}

/* Takes memory, and waits for somebody to mind. */
static int
grow(struct nds_request *req, struct nds_response *res)
{
	size_t bytes = (size_t)160 << 20;
	volatile char *some = malloc(bytes);

	(void)req;
	if (some == NULL)
		return nds_problem(res, 500, "there is no memory");
	for (size_t at = 0; at < bytes; at += 4096)
		some[at] = 1;
	for (;;)
		pause();
}

/* Closes what is not its own, has a file of its own under each number, and
 * dies. */
static int
stray(struct nds_request *req, struct nds_response *res)
{
	int file = open(getenv("HAZARD_FILE"), O_RDWR | O_CREAT, 0600);

	(void)req;
	(void)res;
	for (int fd = 3; fd < 1000; fd++)
		if (fd != file && fcntl(fd, F_GETFD) >= 0)
			dup2(file, fd);
	return die();
}

static int
lock(struct nds_request *req, struct nds_response *res)
{
	struct flock whole = {.l_type = F_WRLCK};
	int file = open(getenv("HAZARD_FILE"), O_RDWR | O_CREAT, 0600);

	if (fcntl(file, F_SETLK, &whole) < 0)
		return nds_problem(res, 423, "it is locked");
	return nds_query(req, "die") != NULL ? die() :
	    nds_text(res, 200, "locked\n");
}

/* Leaves a child and one of that behind, which hold all that they inherited. */
static int
child(struct nds_request *req, struct nds_response *res)
{
	char text[32];
	pid_t pid = fork();

	if (pid == 0)
		fork();
	while (pid == 0)
		pause();
	if (nds_query(req, "die") != NULL)
		return die();
	snprintf(text, sizeof(text), "child %d\n", pid);
	return nds_text(res, 200, text);
}

static void
crash_handler(int sig)
{
	static const char words[] = "the crash handler ran\n";

	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
		_exit(1);
	signal(sig, SIG_DFL);
}

static int
segv(struct nds_request *req, struct nds_response *res)
{
	volatile int *volatile nowhere = NULL;

	(void)req;
	*nowhere = 1;
	return nds_text(res, 200, "survived\n");
}

/* In vfork(2) a parent does not obey SIGSTOP: stuck as in a dead file system,
 * save that this ends when it is killed. */
static int
stuck(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	if (syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0) == 0)
		for (;;)
			pause();
	return nds_text(res, 200, "not stuck\n");
}

static int
fds(struct nds_request *req, struct nds_response *res)
{
	char text[32];
	int open_still = 0;

	(void)req;
	for (int i = 0; i < MANY; i++)
		open_still += many[i] > 0 && fcntl(many[i], F_GETFD) >= 0;
	snprintf(text, sizeof(text), "open %d\n", open_still);
	return nds_text(res, 200, text);
}

static void *
idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* What a container's profile may do. */
static int
refuse_clone(void)
{
	const unsigned low = offsetof(struct seccomp_data, args);
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low),
	    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, CLONE_FILES | CLONE_VM),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLONE_FILES, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0;
}

static int
start(void *mortal)
{
	const char *file = getenv("HAZARD_FILE");

	if (*(int *)mortal && file != NULL && access(file, X_OK) == 0)
		return die();
	return 0;
}

static int
set_scene(const char *how)
{
	pthread_t thread;

	signal(SIGSEGV, crash_handler);
	if (strcmp(how, "thread") == 0)
		return pthread_create(&thread, NULL, idle, NULL);
	if (strcmp(how, "no-clone") == 0)
		return refuse_clone();
	for (int i = 0; strcmp(how, "many-fds") == 0 && i < MANY; i++)
		many[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

/* Write over the head of the slot that this worker has. */
static int
scribble(struct nds_request *req, struct nds_response *res)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	uintptr_t at;

	(void)req;
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
		if (strstr(line, "nds-slot") != NULL &&
		    sscanf(line, "%" SCNxPTR, &at) == 1)
			memset((void *)at, 0xff, 32);
	if (maps != NULL)
		fclose(maps);
	return nds_text(res, 200, "scribbled\n");
}

int
main(int argc, char **argv)
{
	struct nds_app *a = nds_app_new("hazard-responder", "1.0");
	int mortal = argc > 1 && strcmp(argv[1], "mortal") == 0;

	nds_on_start(a, start, &mortal);
	if (argc < 2 || set_scene(argv[1]) != 0)
		return 2;
	nds_route(a, "GET,POST", "/second", second_time);
	nds_route_idempotent(nds_route(a, "POST", "/again", second_time));
	nds_route(a, "GET", "/grow", grow);
	nds_route(a, "GET", "/stray", stray);
	nds_route(a, "GET", "/lock", lock);
	nds_route(a, "GET", "/child", child);
	nds_route(a, "GET", "/segv", segv);
	nds_route(a, "GET", "/stuck", stuck);
	nds_route(a, "GET", "/fds", fds);
	nds_route(a, "GET", "/scribble", scribble);
	argv[1] = argv[0]; /* nds_run() knows nothing of our argument */
	return nds_run(a, argc - 1, argv + 1);
}
