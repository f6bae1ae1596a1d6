/* SPDX-License-Identifier: MIT */
/*
 * What ndsd and the lighttpd that it runs know of each other by files in the
 * runtime directory: the settings in force, which lighttpd.conf reads when it
 * starts and at its graceful restart, and which process it is, so that the
 * next ndsd finds one that outlived the last.  No processes are touched here.
 */
#ifndef NDSD_FRONT_H
#define NDSD_FRONT_H

#include <sys/types.h>

#include "base/error.h"
#include "proto/settings.h"

/* In the environment of lighttpd: the file of settings. */
#define FRONT_SETTINGS_ENV "NDS_FRONT_SETTINGS"

/* Make APP_FRONT_CONFIG what lighttpd is given: the installed one when it is
 * empty and, if wanted, an absolute name without links, since lighttpd executes
 * itself again in /. Returns 0 or -1 with err. */
int front_config_find(int wanted, struct settings *s, struct nds_error *err);

/* The path of the file of settings; static. */
const char *front_settings_path(const struct settings *s);

/* Whether the file says what s says of what a front depends on: 1 or 0. */
int front_settings_same(const struct settings *s);

/* Write it, whole at once. Returns 0 or -1 with err. */
int front_settings_write(const struct settings *s, struct nds_error *err);

/* Keep which process it is: pid, start time, configuration.  Without /proc
 * nothing is kept. */
void front_note(const struct settings *s, pid_t pid);
void front_forget(const struct settings *s);

/* The pid of one that was noted and still runs, 0 when there is none.  Returns
 * -1 with err when it runs with another configuration than s names. */
pid_t front_find(const struct settings *s, struct nds_error *err);

#endif
