/* SPDX-License-Identifier: MIT */
/* The command line as a verb sees it, and how a verb asks and complains. */
#ifndef NDSCTL_COMMAND_H
#define NDSCTL_COMMAND_H

#include <jansson.h>

#define COMMAND_ANSWER_MS 5000 /* for what ndsd answers at once */

struct command {
	const char *dir;  /* APP_RUNTIME_DIR */
	const char *verb;
	int argc;	  /* of what follows the verb */
	char **argv;
};

/* Say what is wrong with the command line, on stderr. Returns EXIT_USAGE. */
int command_wrong(const struct command *c, const char *what, const char *arg);

/* Ask ndsd; what went wrong is told.  Returns the exit status, with EXIT_DONE
 * *data (unless data is NULL) a new reference. */
int command_call(const struct command *c, const char *arg, int timeout_ms,
    json_t **data);

/* The same of the health responder: a document of its JSON. */
int command_get(const struct command *c, const char *path, json_t **data);

/* The same in silence: a new reference, or NULL when there is none. */
json_t *command_look(const struct command *c, const char *path);

#endif
