/* SPDX-License-Identifier: MIT */
#include "ndsd/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "ndsd/supervisor.h"
#include "proto/exit.h"
#include "proto/store.h"

static void
say(int client_fd, json_t *line)
{
	const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
	char *text = json_dumps(line, JSON_COMPACT);

	if (client_fd >= 0 && text != NULL) {
		send(client_fd, text, strlen(text), flags);
		send(client_fd, "\n", 1, flags);
	}
	free(text);
	json_decref(line);
}

/* Of the two steps that an upgrade has, so many are done. */
static void
tell(const struct upgrade *u, const char *words, int done)
{
	say(u->client_fd, json_pack("{s:s,s:i,s:i}", "progress", words, "done",
			      done, "total", 2));
}

static void
answer(int client_fd, json_t *line)
{
	say(client_fd, line);
	if (client_fd >= 0)
		close(client_fd);
}

static void
upgrade_failed(struct supervisor *sup)
{
	atomic_fetch_add(&sup->board->event[EVENT_UPGRADE_FAILED], 1);
}

static void
refuse(struct supervisor *sup, const char *why)
{
	struct upgrade *u = &sup->upgrade;
	char text[640];

	upgrade_failed(sup);
	snprintf(text, sizeof(text), "%s %s; the running ndsd %s goes on",
	    u->path, why, NDS_VERSION);
	log_errorx("upgrade refused: %s", text);
	answer(u->client_fd, json_pack("{s:b,s:s}", "ok", 0, "error", text));
	u->client_fd = -1;
	u->pid = 0;
}

/* ---- the proof ---------------------------------------------------------- */

int
upgrade_prove(int state_fd, const char *file)
{
	struct nds_error err;
	struct settings fresh;
	struct state *state = state_map(state_fd, &err);

	if (state == NULL || (!state_knows_settings(state) &&
	    settings_load(&fresh, file, environ, &err) < 0)) {
		fprintf(stderr, "ndsd: %s\n", err.text);
		return EXIT_REFUSED;
	}
	state->proved_by = (int32_t)getpid();
	return EXIT_DONE;
}

static void
prove_exec(const struct supervisor *sup, const char *path)
{
	char *file = (char *)(uintptr_t)sup->options->file;
	char *argv[] = {(char *)(uintptr_t) "ndsd",
	    file == NULL ? NULL : (char *)(uintptr_t) "-f", file, NULL};
	char number[16];

	sig_reset();
	fcntl(sup->state_fd, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", sup->state_fd);
	setenv(UPGRADE_ENV, number, 1);
	execv(path, argv);
	_exit(127);
}

static int
prove_begin(struct supervisor *sup, int client_fd, struct nds_error *err)
{
	struct upgrade *u = &sup->upgrade;

	if (u->pid != 0)
		return error_set(err, "an upgrade is under way");
	if (sup->state->drain.phase > DRAIN_DRAINED)
		return error_set(err, "the service is stopping");
	snprintf(u->path, sizeof(u->path), "%s", sup->options->self_path);
	if (access(u->path, X_OK) < 0)
		return error_sys(err, "cannot execute %s", u->path);
	sup->state->proved_by = 0;
	u->pid = fork();
	if (u->pid == 0)
		prove_exec(sup, u->path);
	if (u->pid < 0) {
		u->pid = 0;
		return error_sys(err, "cannot try %s", u->path);
	}
	u->client_fd = client_fd;
	u->until_ms = clock_ms() + UPGRADE_CHECK_MS;
	tell(u, "the new binary is tried", 0);
	return 0;
}

int
upgrade_begin(struct supervisor *sup, int client_fd, struct nds_error *err)
{
	int result = prove_begin(sup, client_fd, err);

	if (result < 0)
		upgrade_failed(sup);
	return result;
}

/* From here on it is the keeper's: it ends us, at whatever we do, so we do
 * nothing. */
static void
hand_to_keeper(struct supervisor *sup)
{
	struct store_message m = {.type = STORE_UPGRADE};
	struct pollfd keeper = {.fd = sup->store_fd};

	log_info("upgrade: %s takes over", sup->upgrade.path);
	tell(&sup->upgrade, "the new binary takes over", 1);
	control_unheard(sup);
	logs_flush(&sup->logs);
	if (sup->upgrade.client_fd >= 0)
		store_put(sup->store_fd, UPGRADE_CLIENT,
		    sup->upgrade.client_fd);
	sup->state->upgrades++;
	atomic_store(&sup->board->upgrades, sup->state->upgrades);
	if (store_send(sup->store_fd, &m, -1) == 0)
		poll(&keeper, 1, -1);
	else /* the keeper is gone, or deaf */
		sup->done = 1;
}

int
upgrade_died(struct supervisor *sup, pid_t pid, int status)
{
	struct upgrade *u = &sup->upgrade;
	char why[96];

	if (u->pid == 0 || pid != u->pid)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
	    sup->state->proved_by == (int32_t)pid) {
		hand_to_keeper(sup);
		return 1;
	}
	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "died of %s in its trial",
		    sig_name(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 0)
		snprintf(why, sizeof(why), "is no ndsd");
	else
		snprintf(why, sizeof(why), "cannot read the running state "
					   "(status %d in its trial)",
		    WEXITSTATUS(status));
	refuse(sup, why);
	return 1;
}

void
upgrade_tick(struct supervisor *sup, int64_t now_ms)
{
	if (sup->upgrade.pid != 0 && now_ms >= sup->upgrade.until_ms)
		kill(sup->upgrade.pid, SIGKILL);
}

/* ---- afterwards --------------------------------------------------------- */

void
upgrade_answer(struct supervisor *sup, int client_fd, int failed)
{
	char text[160];

	if (failed == 0) {
		log_info("upgrade done: ndsd %s", NDS_VERSION);
		answer(client_fd, json_pack("{s:b,s:{s:s}}", "ok", 1, "data",
				      "version", NDS_VERSION));
		return;
	}
	sup->state->upgrades--; /* counted when it was begun */
	atomic_store(&sup->board->upgrades, sup->state->upgrades);
	upgrade_failed(sup);
	snprintf(text, sizeof(text), "the new binary cannot be executed: %s; "
				     "ndsd %s goes on",
	    strerror(failed), NDS_VERSION);
	log_errorx("upgrade failed: %s", text);
	answer(client_fd, json_pack("{s:b,s:s}", "ok", 0, "error", text));
}
