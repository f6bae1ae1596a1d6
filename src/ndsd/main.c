/* SPDX-License-Identifier: MIT */
/*
 * ndsd(8): the command line, and everything that may fail before anything
 * runs.  What comes after is the keeper's, and the supervisor's that it
 * starts from this same program.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ndsd/announce.h"
#include "ndsd/front.h"
#include "ndsd/keeper.h"
#include "ndsd/listen.h"
#include "ndsd/recent.h"
#include "ndsd/supervisor.h"
#include "proto/exit.h"
#include "proto/shared.h"

struct command {
	struct options options;
	int test_only, print;
	char *default_program[2];
	char responder[PATH_MAX], lighttpd[PATH_MAX], program[PATH_MAX];
	char observer[PATH_MAX];
};

static const char usage_text[] =
    "usage: ndsd [-t] [-T] [-f FILE] [--front=lighttpd|none]"
    " [-- PROGRAM [ARG...]]\n";

static void
print_help(void)
{
	fputs(usage_text, stdout);
	puts("Run a pool of FastCGI responders whose requests are not lost.\n"
	     "\n"
	     "  -f FILE        read settings from FILE (KEY=VALUE lines)\n"
	     "  -t             check the settings and exit\n"
	     "  -T             check the settings, print them all and exit\n"
	     "  --front=NAME   lighttpd: run lighttpd too; none: do not "
	     "(default)\n"
	     "  -h, --help     this text\n"
	     "  -V, --version  the version\n"
	     "  -- PROGRAM     the FastCGI program to run (default: "
	     "nds-responder)\n"
	     "\n"
	     "Signals: TERM, INT drain and stop; QUIT stops without drain;\n"
	     "HUP reloads; USR2 upgrades; TTIN, TTOU one worker more or less.\n"
	     "See ndsd(8), ndsctl(1).\n"
	     "\n"
	     "Settings, from FILE and the environment:");
	settings_help(stdout);
}

static int
usage(const char *why, const char *what)
{
	fprintf(stderr, "ndsd: %s%s\n%stry: ndsd --help\n", why, what,
	    usage_text);
	return EXIT_USAGE;
}

/* Returns -1 to go on, or an exit status. */
static int
parse(struct command *c, int argc, char **argv)
{
	static const struct option longs[] = {
	    {"front", required_argument, NULL, 'F'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:tTf:hV", longs, NULL)) != -1) {
		switch (opt) {
		case 't':
			c->test_only = 1;
			break;
		case 'T':
			c->print = 1;
			break;
		case 'f':
			c->options.file = optarg;
			break;
		case 'F':
			c->options.front_lighttpd =
			    strcmp(optarg, "lighttpd") == 0;
			if (!c->options.front_lighttpd &&
			    strcmp(optarg, "none") != 0)
				return usage("--front is lighttpd or none, "
					     "not ",
				    optarg);
			break;
		case 'h':
			print_help();
			return EXIT_DONE;
		case 'V':
			puts("ndsd " NDS_VERSION);
			return EXIT_DONE;
		case ':':
			return usage("a value is missing behind ",
			    argv[optind - 1]);
		default:
			return usage("unknown option ", argv[optind - 1]);
		}
	}
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0)
		return usage("put -- before the program: ", argv[optind]);
	c->options.program = optind < argc ? argv + optind : NULL;
	return -1;
}

static int
is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    access(path, X_OK) == 0;
}

/* As execvp(3) would, and then in extra. Returns 0 with path filled. */
static int
find_program(const char *name, const char *extra, char path[PATH_MAX])
{
	const char *list = getenv("PATH");
	char dirs[PATH_MAX * 2], *next, *dir;

	if (strchr(name, '/') != NULL) {
		snprintf(path, PATH_MAX, "%s", name);
		return is_executable(path) ? 0 : -1;
	}
	snprintf(dirs, sizeof(dirs), "%s:%s",
	    list != NULL ? list : "/usr/bin:/bin", extra);
	for (dir = strtok_r(dirs, ":", &next); dir != NULL;
	     dir = strtok_r(NULL, ":", &next)) {
		snprintf(path, PATH_MAX, "%s/%s", dir, name);
		if (is_executable(path))
			return 0;
	}
	return -1;
}

/* Our programs lie beside ndsd before `make install`, in dir after. */
static void
find_own(const char *name, const char *dir, char path[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash != NULL)
			*slash = '\0';
		snprintf(path, PATH_MAX, "%.4000s/%s", self, name);
		if (is_executable(path))
			return;
	}
	snprintf(path, PATH_MAX, "%s/%s", dir, name);
}

static int
find_programs(struct command *c, struct nds_error *err)
{
	find_own("nds-responder", NDS_BINDIR, c->responder);
	find_own("nds-observer", NDS_LIBEXECDIR, c->observer);
	c->options.responder = c->responder;
	c->options.observer = c->observer;
	c->options.lighttpd = "lighttpd";
	c->default_program[0] = c->responder;
	if (!is_executable(c->responder))
		return error_set(err, "cannot find nds-responder (it answers "
				      "the probes) at %s: install it",
		    c->responder);
	if (c->options.program == NULL)
		c->options.program = c->default_program;
	c->options.program_path = c->program;
	if (find_program(c->options.program[0], "", c->program) < 0)
		return error_set(err, "cannot execute %s: %s",
		    c->options.program[0],
		    strchr(c->options.program[0], '/') == NULL
			? "it is not in PATH"
			: access(c->program, F_OK) == 0
			? "it is not an executable file"
			: strerror(ENOENT));
	if (!c->options.front_lighttpd)
		return 0;
	if (find_program("lighttpd", "/usr/sbin:/usr/local/sbin",
		c->lighttpd) < 0)
		return error_set(err, "--front=lighttpd: lighttpd is not "
				      "installed; install it (Debian: apt-get "
				      "install lighttpd) or leave --front out");
	c->options.lighttpd = c->lighttpd;
	return 0;
}

static void
open_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* The keeper's lines go where the supervisor's go, and wait for nobody. */
static void
log_to_stdout(const char *line, size_t bytes, void *arg)
{
	const struct keeper *k = arg;
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

	if (k->pid == 0) /* else a supervisor may write there */
		recent_add(k->recent, line, bytes);
	if (poll(&out, 1, 0) > 0 && write(STDOUT_FILENO, line, bytes) < 0)
		return; /* lost: there is nobody to tell */
}

static void
log_begin(const struct settings *s, struct keeper *k)
{
	log_open(s->log_format == LOG_FORMAT_JSON,
	    (enum log_level)s->log_level, log_to_stdout, k);
}

/* Those of the ndsd before, after an upgrade, if it kept any. */
static void
keep_recent(struct keeper *k)
{
	struct nds_error err;
	int fd;

	k->recent = recent_map(keeper_fd(k, STORE_RECENT), &err);
	if (k->recent != NULL)
		return;
	fd = recent_new(&k->recent, &err);
	if (fd >= 0)
		keeper_put(k, STORE_RECENT, fd);
}

static void
raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static struct board_file
board_made(const struct listen_made *made)
{
	return (struct board_file){made->dev, made->ino};
}

static int
prepare_state(const struct settings *s, const struct listeners *l,
    struct keeper *k, struct nds_error *err)
{
	struct state *state;
	struct pool_board *board;
	int state_fd = state_new(&state, err);
	int board_fd = state_fd < 0 ? -1 : board_pool_new(err);
	int shared_fd = board_fd < 0 ? -1 : shared_pool_new(s, err);

	board = shared_fd < 0 ? NULL : board_pool_map(board_fd, 1, err);
	if (board == NULL)
		return -1;
	state->settings = *s;
	memcpy(state->made, l->made, sizeof(state->made));
	board->made[BOARD_APP] = board_made(&l->made[LISTEN_APP]);
	board->made[BOARD_HEALTH] = board_made(&l->made[LISTEN_HEALTH]);
	board->made[BOARD_OWNER] = board_made(&l->made[LISTEN_PID]);
	atomic_store(&board->door_stays, (uint32_t)l->handed[LISTEN_APP]);
	state->started_ms = clock_ms();
	pool_init(&state->pool, s);
	atomic_store(&board->main_pid, (int32_t)getpid());
	atomic_store(&board->started_ms, state->started_ms);
	atomic_store(&board->heartbeat_ms, state->started_ms);
	board_unmap(board);
	keeper_put(k, STORE_STATE, state_fd);
	keeper_put(k, STORE_BOARD, board_fd);
	keeper_put(k, STORE_SHARED, shared_fd);
	return 0;
}

/* Of the ndsd before us, if that was killed. */
static int
adopt_front(const struct settings *s, struct keeper *k, struct nds_error *err)
{
	struct state *state = state_map(keeper_fd(k, STORE_STATE), err);
	pid_t pid = state == NULL ? -1 : front_find(s, err);

	if (pid < 0)
		return -1;
	state->helper[STATE_FRONT].pid = (int32_t)pid;
	if (pid > 0)
		log_info("lighttpd (pid %d) of the ndsd before goes on", pid);
	return 0;
}

static int
prepare(const struct command *c, const struct settings *s, struct keeper *k,
    struct nds_error *err)
{
	struct listeners l;

	if (listen_prepare(s, &l, err) < 0 ||
	    listen_drop_privileges(s, err) < 0 ||
	    prepare_state(s, &l, k, err) < 0 ||
	    (c->options.front_lighttpd && adopt_front(s, k, err) < 0))
		return -1;
	if (l.killed_pid > 0)
		log_warnx("ndsd (pid %ld) was killed here: its workers serve "
			  "until ours are ready, and end",
		    l.killed_pid);
	announce_keep(&l);
	keeper_put(k, STORE_LOCK, l.lock_fd);
	keeper_put(k, STORE_APP, l.fd[LISTEN_APP]);
	keeper_put(k, STORE_HEALTH, l.fd[LISTEN_HEALTH]);
	keeper_put(k, STORE_CONTROL, l.fd[LISTEN_CONTROL]);
	return 0;
}

/* The binary before did not know all that we know.  In our trial they could be
 * read. */
static void
settings_again(const struct command *c, struct state *state)
{
	struct settings s;
	struct nds_error err;

	settings_default(&s);
	if (settings_load(&s, c->options.file, environ, &err) < 0 ||
	    front_config_find(c->options.front_lighttpd, &s, &err) < 0)
		log_errorx("%s", err.text);
	state->settings = state->settings_before = s;
	state->settings_bytes = sizeof(s);
}

/* Until all has stopped. */
static int
keep(struct keeper *k, char **argv)
{
	struct nds_error err;
	int status = keeper_run(k, argv);
	const struct state *state = state_map(keeper_fd(k, STORE_STATE), &err);

	if (state != NULL)
		announce_release(state->made);
	return status;
}

/* After an upgrade: everything is there already. */
static int
resume(const struct command *c, struct keeper *k, char **argv)
{
	struct nds_error err;
	struct state *state = state_map(keeper_fd(k, STORE_STATE), &err);

	if (state != NULL && !state_knows_settings(state))
		settings_again(c, state);
	if (state != NULL)
		log_begin(&state->settings, k);
	raise_file_limit();
	return keep(k, argv);
}

static int
start(struct command *c, struct settings *s, char **argv)
{
	static struct keeper keeper;
	struct nds_error err;

	int upgraded = keeper_open(&keeper, &err);

	keep_recent(&keeper);
	if (upgraded > 0)
		return resume(c, &keeper, argv);
	if (s != NULL)
		log_begin(s, &keeper);
	if (upgraded < 0 || find_programs(c, &err) < 0 ||
	    front_config_find(c->options.front_lighttpd, s, &err) < 0 ||
	    prepare(c, s, &keeper, &err) < 0) {
		fprintf(stderr, "ndsd: %s\n", err.text);
		return EXIT_REFUSED;
	}
	if (geteuid() == 0)
		log_warnx("everything runs as root: set APP_USER to the user "
			  "that responders should be");
	return keep(&keeper, argv);
}

/* Started by the keeper: settings and sockets are handed over.  A program that
 * has vanished since is no reason to give up those that run. */
static int
run_as_supervisor(struct command *c, const char *store)
{
	unsetenv(STORE_ENV);
	find_programs(c, NULL);
	c->options.self_path = getenv(KEEPER_PATH_ENV);
	if (c->options.self_path == NULL)
		c->options.self_path = "";
	if (c->options.program == NULL)
		c->options.program = c->default_program;
	fcntl(atoi(store), F_SETFD, FD_CLOEXEC);
	return supervisor_run(&c->options, atoi(store));
}

/* We hold the slots of all workers: no process of our user shall open them
 * through /proc/PID/fd, and no core dump have the requests in it.  What we
 * execute can be traced and dumped as ever: exec sets that anew. */
static void
close_to_others(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}

int
main(int argc, char **argv)
{
	static struct command c;
	const char *store = getenv(STORE_ENV), *prove = getenv(UPGRADE_ENV);
	struct settings s;
	struct nds_error err;
	int status;

	close_to_others();
	open_standard_fds();
	status = parse(&c, argc, argv);
	if (status >= 0)
		return status;
	if (prove != NULL)
		return upgrade_prove(atoi(prove), c.options.file);
	if (store != NULL)
		return run_as_supervisor(&c, store);
	if (getenv(KEEPER_ENV) != NULL) /* its settings are in force */
		return start(&c, NULL, argv);
	if (settings_load(&s, c.options.file, environ, &err) < 0 ||
	    listen_check(&s, &err) < 0) {
		fprintf(stderr, "ndsd: %s\n", err.text);
		return EXIT_SETTINGS;
	}
	if (c.print)
		settings_print(&s, stdout);
	if (c.test_only && !c.print)
		puts("settings are good");
	if (c.print || c.test_only)
		return EXIT_DONE;
	raise_file_limit();
	return start(&c, &s, argv);
}
