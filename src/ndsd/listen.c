/* SPDX-License-Identifier: MIT */
#include "ndsd/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sock.h"
#include "ndsd/handed.h"

#define LISTEN_BACKLOG 4096
#define LISTEN_MODE 0660

/* In APP_RUNTIME_DIR; and what each is called until it is shown, if it may have
 * to wait for that. */
static const char *const names[] = {"app.sock", "health.sock",
    "control/control.sock", "ndsd.pid"};
static const char *const hidden_names[] = {".app.sock", ".health.sock", NULL,
    "ndsd.pid.new"};

struct owner {
	uid_t uid;	  /* of files and processes */
	gid_t gid;
	gid_t socket_gid; /* of app.sock and health.sock; -1 = as it comes */
	int becomes;	  /* 1: we are root and shall be uid */
};

void
listen_path(const struct settings *s, const char *name, char *path)
{
	snprintf(path, PATH_MAX, "%s/%s", s->runtime_dir, name);
}

void
listen_socket_path(const struct settings *s, int which, char *path)
{
	listen_path(s, names[which], path);
}

static int
owner_find(const struct settings *s, struct owner *o, struct nds_error *err)
{
	struct passwd *user;
	struct group *group;

	*o = (struct owner){geteuid(), getegid(), (gid_t)-1, 0};
	if (s->user[0] != '\0' && geteuid() == 0) {
		user = getpwnam(s->user);
		if (user == NULL)
			return error_set(err,
			    "APP_USER=%s: there is no such user", s->user);
		*o = (struct owner){user->pw_uid, user->pw_gid, (gid_t)-1, 1};
	}
	if (s->socket_group[0] == '\0')
		return 0;
	group = getgrnam(s->socket_group);
	if (group == NULL)
		return error_set(err,
		    "APP_SOCKET_GROUP=%s: there is no such group",
		    s->socket_group);
	o->socket_gid = group->gr_gid;
	return 0;
}

/* A directory that is ours, made when missing.  One that another user could
 * have put there is refused: its owner could replace our sockets. */
static int
make_dir(const char *path, mode_t mode, const struct owner *o,
    struct nds_error *err)
{
	struct stat st;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return error_sys(err, "cannot make the directory %s; choose "
				      "another APP_RUNTIME_DIR or make it",
		    path);
	if (stat(path, &st) < 0)
		return error_sys(err, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, "%s is not a directory; choose another "
				      "APP_RUNTIME_DIR",
		    path);
	if (geteuid() == 0 && o->becomes && chown(path, o->uid, o->gid) < 0)
		return error_sys(err, "cannot give %s to APP_USER", path);
	if (access(path, W_OK | X_OK) < 0)
		return error_sys(err, "cannot use the directory %s as uid %u; "
				      "choose another APP_RUNTIME_DIR",
		    path, geteuid());
	return 0;
}

static long
pid_file_read(const struct settings *s, const char *name)
{
	char path[PATH_MAX];
	long pid = 0;
	FILE *file;

	listen_path(s, name, path);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%ld", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid;
}

/* Under its hidden name, and as a file that was not there before. */
static int
pid_file_write(const struct settings *s, struct nds_error *err)
{
	char path[PATH_MAX];
	FILE *file;
	int bad;

	listen_path(s, hidden_names[LISTEN_PID], path);
	unlink(path);
	file = fopen(path, "we");
	if (file == NULL)
		return error_sys(err, "cannot write %s", path);
	fprintf(file, "%ld\n", (long)getpid());
	bad = ferror(file);
	bad |= fclose(file) != 0;
	if (bad) {
		unlink(path);
		return error_sys(err, "cannot write %s", path);
	}
	return 0;
}

static long
pid_of_other(const struct settings *s)
{
	long pid = pid_file_read(s, hidden_names[LISTEN_PID]);

	return pid > 0 ? pid : pid_file_read(s, names[LISTEN_PID]);
}

/* The lock lives as long as the keeper or a supervisor does, and no longer:
 * responders do not inherit it. */
static int
lock_take(const struct settings *s, struct nds_error *err)
{
	char path[PATH_MAX];
	int fd;

	listen_path(s, "control/lock", path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_sys(err, "cannot open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (errno == EWOULDBLOCK)
		error_set(err, "another ndsd (pid %ld) runs in %s: stop it "
			       "(ndsctl -d %s stop) or set another "
			       "APP_RUNTIME_DIR",
		    pid_of_other(s), s->runtime_dir, s->runtime_dir);
	else
		error_sys(err, "cannot lock %s", path);
	close(fd);
	return -1;
}

/* rename(2) would replace whatever stands at the path. */
static int
check_place(const char *path, struct nds_error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0 || S_ISSOCK(st.st_mode))
		return 0;
	return error_set(err, "%s exists and is not a socket: move it away",
	    path);
}

int
listen_is_answered(const struct settings *s, int which)
{
	char path[PATH_MAX];
	int fd;

	listen_socket_path(s, which, path);
	fd = sock_connect(path, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		close(fd);
	return fd >= 0 || (errno != ECONNREFUSED && errno != ENOENT);
}

static int
listen_at(const struct settings *s, int which, const struct owner *o,
    struct listeners *l, struct nds_error *err)
{
	gid_t group = o->socket_gid;
	char path[PATH_MAX];
	int fd, ours = which == LISTEN_CONTROL;

	if (group == (gid_t)-1 && o->becomes)
		group = o->gid;
	listen_socket_path(s, which, path);
	if (check_place(path, err) < 0)
		return -1;
	/* whoever is answered there shall be until we can do it */
	l->hidden[which] = !ours && listen_is_answered(s, which);
	if (l->hidden[which])
		listen_path(s, hidden_names[which], path);
	fd = sock_listen(path, ours ? 0600 : LISTEN_MODE,
	    ours ? (gid_t)-1 : group, LISTEN_BACKLOG, err);
	if (fd >= 0 && o->becomes && chown(path, o->uid, (gid_t)-1) < 0) {
		error_sys(err, "cannot give %s to APP_USER", path);
		close(fd);
		return -1;
	}
	return fd;
}

/* Non-blocking is a state that all who hold a socket share, and an ndsd before
 * may have left it to a program that cannot live with it.  Unless there may be
 * responders that can and count upon it. */
static void
handed_block(const struct listeners *l, int fd)
{
	if (l->killed_pid == 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

static int
sockets_open(const struct settings *s, struct listeners *l,
    const struct owner *o, struct nds_error *err)
{
	if (handed_take(s, l, err) < 0)
		return -1;
	for (int which = 0; which < LISTEN_SOCKETS; which++) {
		l->handed[which] = l->fd[which] >= 0 && !l->kept[which];
		if (l->fd[which] >= 0)
			handed_block(l, l->fd[which]);
		else if ((l->fd[which] = listen_at(s, which, o, l, err)) < 0)
			return -1;
	}
	return 0;
}

/* Whoever shares our socket leaves a while after the pid file has become ours:
 * it must not be before we serve. */
static int
pid_must_wait(const struct listeners *l)
{
	return l->hidden[LISTEN_APP] || l->hidden[LISTEN_HEALTH] ||
	    (l->killed_pid > 0 &&
		(l->handed[LISTEN_APP] || l->kept[LISTEN_APP]));
}

/* What an ndsd has left there that was killed before it could serve. */
static void
sweep(const struct settings *s, const struct listeners *l)
{
	char path[PATH_MAX];

	for (int which = 0; which < LISTEN_MADE; which++) {
		if (hidden_names[which] == NULL || l->hidden[which])
			continue;
		listen_path(s, hidden_names[which], path);
		unlink(path);
	}
}

static void
note_made(const struct settings *s, struct listeners *l)
{
	char path[PATH_MAX];
	struct stat st;

	for (int which = 0; which < LISTEN_MADE; which++) {
		listen_path(s, (l->hidden[which] ? hidden_names : names)[which],
		    path);
		if ((which == LISTEN_PID || !l->handed[which]) &&
		    lstat(path, &st) == 0)
			l->made[which] =
			    (struct listen_made){st.st_dev, st.st_ino};
	}
}

int
listen_check(const struct settings *s, struct nds_error *err)
{
	struct owner o;

	return owner_find(s, &o, err);
}

/* Returns 1, with the place in path (PATH_MAX), when what we have made is what
 * stands there. */
static int
is_made(const struct settings *s, const char *name,
    const struct listen_made *made, char *path)
{
	struct stat st;

	if (name == NULL)
		return 0;
	listen_path(s, name, path);
	return lstat(path, &st) == 0 && st.st_dev == made->dev &&
	    st.st_ino == made->ino;
}

int
listen_is_hidden(const struct settings *s, const struct listen_made *made)
{
	char path[PATH_MAX];

	return is_made(s, hidden_names[LISTEN_APP], &made[LISTEN_APP], path);
}

static int
show_one(const struct settings *s, int which, const struct listen_made *made,
    struct nds_error *err)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (!is_made(s, hidden_names[which], &made[which], from))
		return 0;
	listen_path(s, names[which], to);
	if (which != LISTEN_PID && check_place(to, err) < 0)
		return -1;
	if (rename(from, to) < 0)
		return error_sys(err, "cannot rename %s to %s", from, to);
	return 1;
}

/* The pid file last: it tells whose the rest is. */
int
listen_show(const struct settings *s, const struct listen_made *made,
    struct nds_error *err)
{
	int shown = 0;

	for (int which = 0; which < LISTEN_MADE; which++) {
		int one = show_one(s, which, made, err);

		if (one < 0)
			return -1;
		shown += one;
	}
	return shown;
}

static int
pid_file_make(const struct settings *s, struct listeners *l,
    struct nds_error *err)
{
	int result = pid_file_write(s, err);

	l->hidden[LISTEN_PID] = 1;
	note_made(s, l);
	if (result < 0)
		return -1;
	l->hidden[LISTEN_PID] = pid_must_wait(l);
	return l->hidden[LISTEN_PID] ? 0 :
	    show_one(s, LISTEN_PID, l->made, err);
}

int
listen_prepare(const struct settings *s, struct listeners *l,
    struct nds_error *err)
{
	struct owner o;
	char path[PATH_MAX];

	*l = (struct listeners){.lock_fd = -1, .fd = {-1, -1, -1}};
	listen_path(s, "control", path);
	if (owner_find(s, &o, err) < 0 ||
	    make_dir(s->runtime_dir, 0755, &o, err) < 0 ||
	    make_dir(path, 0700, &o, err) < 0 ||
	    (l->lock_fd = lock_take(s, err)) < 0)
		return -1;
	/* a stop would have removed it */
	l->killed_pid = pid_file_read(s, names[LISTEN_PID]);
	if (sockets_open(s, l, &o, err) < 0)
		return -1;
	if (pid_file_make(s, l, err) < 0) {
		listen_tidy(s, l->made);
		return -1;
	}
	sweep(s, l);
	return 0;
}

int
listen_drop_privileges(const struct settings *s, struct nds_error *err)
{
	struct owner o;

	if (owner_find(s, &o, err) < 0)
		return -1;
	if (!o.becomes || o.uid == 0)
		return 0;
	if (initgroups(s->user, o.gid) < 0 ||
	    setresgid(o.gid, o.gid, o.gid) < 0 ||
	    setresuid(o.uid, o.uid, o.uid) < 0)
		return error_sys(err, "cannot become APP_USER=%s", s->user);
	if (setuid(0) == 0)
		return error_set(err, "APP_USER=%s: root came back", s->user);
	return 0;
}

static void
remove_made(const struct settings *s, int which,
    const struct listen_made *made)
{
	char path[PATH_MAX];

	if (is_made(s, names[which], &made[which], path) ||
	    is_made(s, hidden_names[which], &made[which], path))
		unlink(path);
}

void
listen_close_door(const struct settings *s, const struct listen_made *made)
{
	remove_made(s, LISTEN_APP, made);
}

void
listen_tidy(const struct settings *s, const struct listen_made *made)
{
	for (int which = 0; which < LISTEN_MADE; which++)
		remove_made(s, which, made);
}

int
listen_lost(const struct settings *s, const struct listen_made *made,
    char *path)
{
	for (int which = LISTEN_APP; which <= LISTEN_CONTROL; which++)
		if (made[which].ino != 0 &&
		    !is_made(s, hidden_names[which], &made[which], path) &&
		    !is_made(s, names[which], &made[which], path))
			return 1;
	return 0;
}
