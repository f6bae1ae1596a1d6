/* SPDX-License-Identifier: MIT */
/*
 * One child process of ndsd, whatever its role: how it is started, the socket
 * on which it takes orders, and the pipe that collects what it writes to
 * stdout and stderr.  Each is the leader of a process group of its own, so
 * that Ctrl-C does not reach it and its children can be killed with it.
 */
#ifndef NDSD_PROCESS_H
#define NDSD_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/log.h"
#include "ndsd/loop.h"
#include "ndsd/tail.h"
#include "proto/settings.h"

struct process {
	const char *name;  /* "worker", "health" …: in log lines and store */
	int number;	   /* of a worker's slot; -1 = there is one alone */
	int control_fd;	   /* our end of the orders' socket; -1 = none */
	int output_fd;	   /* our end of the pipe from stdout and stderr */
	int child_control_fd, child_output_fd; /* its ends, until the fork */
	enum log_level level; /* of the lines it writes */
	int writes_log;	      /* 1: they are finished log lines */
	struct watch control, output;
	struct loop *loop; /* that watches the output */
	size_t line_bytes; /* of the unfinished line in `line` */
	char line[LOG_LINE_MAX - 1]; /* a log line without its newline fits */
	char last[256];	   /* the last whole line it wrote, or "" */
	struct tail tail;  /* that and those before, its log included */
};

struct process_spec {
	char *const *argv;  /* program and arguments */
	const char *path;   /* of the program; NULL = argv[0] by PATH */
	int program_fd;	    /* the file itself: runs even when another one
			       stands at path; -1 = whatever stands there */
	const char *role;   /* NDS_ROLE; NULL = not a responder */
	int listen_fd;	    /* becomes fd 0; -1 = /dev/null */
	int slot_fd, pool_fd, shared_fd; /* -1 = none */
	const struct settings *settings; /* exported as APP_ variables */
	_Atomic int32_t *pid; /* written by the child itself before exec, so
				 that no supervisor can miss it */
};

/* Forget any earlier child; nothing is open. */
void process_init(struct process *p, const char *name, int number);

/* Make socket and pipe, so that the store can have our ends before the child
 * lives. Returns 0 or -1 with err. */
int process_open(struct process *p, struct nds_error *err);

/* Fork and exec what was opened; process_close() when it fails.  A program
 * that cannot be executed exits with 126 or 127 and a line on its stderr.
 * Returns the pid, or -1 with err filled. */
pid_t process_start(struct process *p, const struct process_spec *spec,
    struct nds_error *err);

/* Give our ends to the keeper, before the child lives; take them back. */
void process_keep(const struct process *p, int store_fd);
void process_forget(const struct process *p, int store_fd);

/* SIGKILL to its whole group; to it alone where it leads none. */
void process_kill(pid_t pid);

/* Close what is open, after the child's death: the rest of its output is
 * logged first. */
void process_close(struct process *p, struct loop *loop);

/* Watch and log the output, line by line. */
void process_watch_output(struct process *p, struct loop *loop);

/* Names of its two fds in the store: "control.worker.3", "output.health". */
void process_store_name(const struct process *p, const char *what,
    char name[32]);

#endif
