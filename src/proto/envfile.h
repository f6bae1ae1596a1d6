/* SPDX-License-Identifier: MIT */
/*
 * Files of KEY=VALUE lines in the syntax of systemd's EnvironmentFile: comments
 * begin with # or ;, values may stand in '…' or "…", a backslash continues a
 * line, blanks around a value do not count.  Stricter than systemd in one
 * thing: a line that is none of these is an error, not skipped.
 *
 * settings.c reads the APP_ keys; whatever else the file says is meant for the
 * application's environment.  ndsd can hand it on by a second walk that calls
 * setenv(key, value, 0) for what is no APP_ key (0: the environment wins).
 */
#ifndef PROTO_ENVFILE_H
#define PROTO_ENVFILE_H

#include "base/error.h"

#define ENVFILE_LINE_MAX 8192	      /* bytes of a line, and of a value */
#define ENVFILE_BYTES_MAX (256 * 1024) /* of the file */

/* Called for each pair in their order; line is the first of the pair.  Not 0
 * ends the walk (err is then the callee's to fill). */
typedef int (*envfile_pair)(const char *key, const char *value, int line,
    void *arg);

/* Walk the file. Returns 0, or -1 with err saying `path:line: …`. Pairs before
 * an error have been reported. */
int envfile_read(const char *path, envfile_pair pair, void *arg,
    struct nds_error *err);

#endif
