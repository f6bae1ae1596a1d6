/* SPDX-License-Identifier: MIT */
/*
 * ndsctl: the command line.  A table of verbs; each says what became of it on
 * stdout, why not on stderr, and by the exit status.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/near.h"
#include "base/num.h"
#include "ndsctl/command.h"
#include "ndsctl/logs.h"
#include "ndsctl/probe.h"
#include "ndsctl/requests.h"
#include "ndsctl/status.h"
#include "ndsctl/term.h"
#include "ndsctl/top.h"
#include "proto/control.h"
#include "proto/exit.h"

#define RUNTIME_DIR "/run/nds"
#define WORKERS_MAX 512

struct verb {
	const char *name, *args, *summary, *help;
	int (*run)(const struct command *c);
};

/* ---- what every verb needs ----------------------------------------------- */

/* At most one flag, which may be there or not. Returns -1 when something else
 * is. */
static int
has_flag(const struct command *c, const char *flag)
{
	if (c->argc == 0)
		return 0;
	if (c->argc == 1 && flag != NULL && strcmp(c->argv[0], flag) == 0)
		return 1;
	return -1;
}

static int
call_and_say(const struct command *c, const char *arg, int timeout_ms,
    const char *done)
{
	int status = command_call(c, arg, timeout_ms, NULL);

	if (status == EXIT_DONE)
		puts(done);
	return status;
}

/* ---- verbs --------------------------------------------------------------- */

static int
run_drain(const struct command *c)
{
	int wait = has_flag(c, "--wait");

	if (wait < 0)
		return command_wrong(c, "unknown argument", c->argv[0]);
	if (wait)
		return call_and_say(c, "--wait", 0, "drained");
	return call_and_say(c, NULL, COMMAND_ANSWER_MS, "draining");
}

static int
run_reload(const struct command *c)
{
	char token[20] = ""; /* by which ndsd knows it when asked again */
	uint64_t random;

	if (has_flag(c, NULL) < 0)
		return command_wrong(c, "unknown argument", c->argv[0]);
	if (getrandom(&random, sizeof(random), 0) == sizeof(random))
		snprintf(token, sizeof(token), "%016" PRIx64, random);
	return call_and_say(c, token, 0, "reloaded");
}

static int
run_upgrade(const struct command *c)
{
	if (has_flag(c, NULL) < 0)
		return command_wrong(c, "unknown argument", c->argv[0]);
	return call_and_say(c, NULL, 0, "upgraded");
}

static int
run_undrain(const struct command *c)
{
	if (has_flag(c, NULL) < 0)
		return command_wrong(c, "unknown argument", c->argv[0]);
	return call_and_say(c, NULL, COMMAND_ANSWER_MS, "ready again");
}

static int
run_stop(const struct command *c)
{
	if (has_flag(c, NULL) < 0)
		return command_wrong(c, "unknown argument", c->argv[0]);
	return call_and_say(c, NULL, 0, "stopped");
}

static int
run_scale(const struct command *c)
{
	char done[64];
	int64_t workers;

	if (c->argc != 1)
		return command_wrong(c, "say how many workers", "");
	if (num_whole(c->argv[0], 1, WORKERS_MAX, &workers) < 0)
		return command_wrong(c, "not a number from 1 to 512:",
		    c->argv[0]);
	snprintf(done, sizeof(done), "%s worker%s", c->argv[0],
	    workers == 1 ? "" : "s");
	return call_and_say(c, c->argv[0], 0, done);
}

static int
run_probe(const struct command *c)
{
	static const char *const names[] = {"live", "ready", "startup"};
	static char body[65536];
	struct nds_error err;
	char path[16] = "";
	int status;

	if (c->argc != 1)
		return command_wrong(c, "say which: live, ready or startup",
		    "");
	for (size_t i = 0; i < 3; i++)
		if (strcmp(c->argv[0], names[i]) == 0)
			snprintf(path, sizeof(path), "/%s", names[i]);
	if (path[0] == '\0')
		return command_wrong(c,
		    "there are live, ready and startup, not", c->argv[0]);
	status = probe_get(c->dir, path, body, sizeof(body), &err);
	if (status <= 0) {
		fprintf(stderr, "ndsctl: probe: %s\n", term_safe(err.text));
		return status == 0 ? EXIT_NO_SUPERVISOR : EXIT_REFUSED;
	}
	puts(term_safe(body));
	return status == 200 ? EXIT_DONE : EXIT_REFUSED;
}

static int
run_version(const struct command *c)
{
	json_t *data = NULL;
	const char *text;
	char version[64];
	int status;

	if (has_flag(c, NULL) < 0)
		return command_wrong(c, "unknown argument", c->argv[0]);
	printf("ndsctl %s\n", NDS_VERSION);
	fflush(stdout);
	status = command_call(c, NULL, COMMAND_ANSWER_MS, &data);
	text = json_string_value(json_object_get(data, "version"));
	snprintf(version, sizeof(version), "%s", text == NULL ? "-" : text);
	if (status == EXIT_DONE)
		printf("ndsd %s\n", term_safe(version));
	json_decref(data);
	return status;
}

static int run_help(const struct command *c);

static const struct verb verbs[] = {
	{"status", "[--json]", "show workers, queue and counters",
	    "Shows the state of the pool as a table, or as JSON.", status_run},
	{"reload", "", "read the settings again, start the program anew",
	    "New workers start beside the old; an old one retires once a\n"
	    "new one has answered.  When the new ones die or do not get\n"
	    "ready, the old generation stays, and the reason is shown.",
	    run_reload},
	{"upgrade", "", "let a new ndsd binary take over",
	    "The binary at ndsd's own path takes over, with the same main\n"
	    "pid, sockets, workers and counters.  One that crashes, is\n"
	    "missing or cannot read the running state is refused.",
	    run_upgrade},
	{"drain", "[--wait]", "turn unready, so that traffic goes elsewhere",
	    "/ready answers 503 and connections are ended with their next\n"
	    "answer; the pool goes on serving what comes.  With --wait it\n"
	    "returns once no request has come for APP_DRAIN_QUIET.", run_drain},
	{"undrain", "", "end a drain", "Ready again.", run_undrain},
	{"stop", "", "drain and stop",
	    "As SIGTERM to the main process; returns when work has ended.",
	    run_stop},
	{"scale", "N", "have N workers",
	    "Returns when N workers (1 to 512) are ready.  Surplus ones\n"
	    "finish what they have in hand.", run_scale},
	{"top", "[--once]", "watch workers, requests and events",
	    "Redraws once a second.  Keys: a age, r requests, s slot: the\n"
	    "order of workers; q quits.  --once prints it once, in plain\n"
	    "lines.", top_run},
	{"requests", "[--json]", "show the requests under way",
	    "The oldest first, with the worker that has them.",
	    requests_run},
	{"logs", "[OPTION...]", "show the last lines of the log",
	    "  -f              go on with what comes\n"
	    "  --level LEVEL   from that level on: debug, info, warn, error\n"
	    "  --request ID    of that request\n"
	    "  --trace ID      of that trace\n"
	    "Without a line of that request or trace the status is 1.",
	    logs_run},
	{"probe", "live|ready|startup", "ask a probe on the health socket",
	    "Prints the answer.  The exit status is 0 for 200, 1 for any\n"
	    "other answer or none within 5 s, 3 when nobody listens.",
	    run_probe},
	{"version", "", "print the versions of ndsctl and ndsd",
	    "`ndsctl --version` prints its own alone.", run_version},
	{"help", "[VERB]", "print this, or the help of a verb",
	    "The same as `ndsctl VERB --help`.", run_help}};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* ---- help and main ------------------------------------------------------- */

static void
print_help(FILE *out)
{
	char synopsis[48];

	fputs("usage: ndsctl [-d DIR] VERB [ARGUMENT]\n\n", out);
	for (size_t i = 0; i < VERBS; i++) {
		snprintf(synopsis, sizeof(synopsis), "%s %s", verbs[i].name,
		    verbs[i].args);
		fprintf(out, "  %-26s %s\n", synopsis, verbs[i].summary);
	}
	fputs("\n  -d DIR       the runtime directory of ndsd; default: "
	    "APP_RUNTIME_DIR, else " RUNTIME_DIR "\n"
	    "  -h, --help   this, or behind a verb its own help\n"
	    "  --version    print the version of ndsctl\n\n"
	    "Exit status: 0 done, 1 refused or failed, 2 usage, "
	    "3 no ndsd there.\n", out);
}

static const struct verb *
verb_find(const char *name)
{
	const char *names[VERBS], *near;
	char text[64];

	for (size_t i = 0; i < VERBS; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
		names[i] = verbs[i].name;
	}
	near = near_word(name, names, VERBS);
	snprintf(text, sizeof(text), "%s", name);
	fprintf(stderr, "ndsctl: there is no verb '%s'", term_safe(text));
	if (near != NULL)
		fprintf(stderr, ", did you mean %s?\n", near);
	else
		fputs("; try `ndsctl help`\n", stderr);
	return NULL;
}

static int
verb_help(const struct verb *verb)
{
	printf("usage: ndsctl %s%s%s\n\n%s\n", verb->name,
	    *verb->args == '\0' ? "" : " ", verb->args, verb->help);
	return EXIT_DONE;
}

static int
run_help(const struct command *c)
{
	const struct verb *verb;

	if (c->argc == 0) {
		print_help(stdout);
		return EXIT_DONE;
	}
	verb = verb_find(c->argv[0]);
	return verb == NULL ? EXIT_USAGE : verb_help(verb);
}

static int
is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static int
run_verb(const struct command *c)
{
	const struct verb *verb = verb_find(c->verb);

	if (verb == NULL)
		return EXIT_USAGE;
	if (c->argc > 0 && is_help(c->argv[0]))
		return verb_help(verb);
	for (int i = 0; i < c->argc; i++)
		if (strcmp(c->argv[i], "-d") == 0) {
			fprintf(stderr, "ndsctl: -d stands before the verb: "
			    "ndsctl -d DIR %s\n", verb->name);
			return EXIT_USAGE;
		}
	return verb->run(c);
}

/* Options before the verb. Returns the exit status when they were all, -1 to
 * go on; *at is the verb's place. */
static int
options(int argc, char **argv, struct command *c, int *at)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (is_help(argv[i])) {
			print_help(stdout);
			return EXIT_DONE;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("ndsctl %s\n", NDS_VERSION);
			return EXIT_DONE;
		}
		if (strcmp(argv[i], "-d") != 0 || i + 1 == argc) {
			fprintf(stderr, "ndsctl: unknown option or no value: "
			    "%s\n", term_safe(argv[i]));
			return EXIT_USAGE;
		}
		c->dir = argv[++i];
	}
	*at = i;
	return -1;
}

int
main(int argc, char **argv)
{
	struct command c = {.dir = getenv("APP_RUNTIME_DIR")};
	int at, status;

	if (c.dir == NULL)
		c.dir = RUNTIME_DIR;
	status = options(argc, argv, &c, &at);
	if (status >= 0)
		return status;
	if (at == argc) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	c.verb = argv[at];
	c.argc = argc - at - 1;
	c.argv = argv + at + 1;
	status = run_verb(&c);
	if (fflush(stdout) != 0 && status == EXIT_DONE) {
		perror("ndsctl");
		return EXIT_REFUSED;
	}
	return status;
}
