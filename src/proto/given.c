/* SPDX-License-Identifier: MIT */
/*
 * Descriptors named in the environment.  They are taken out of it, so that
 * what a check or a handler runs does not take them for its own.
 */
#include "proto/given.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/num.h"

int
given_fd(const char *variable, int *fd, struct nds_error *err)
{
	const char *text = getenv(variable);
	int64_t number;

	if (text == NULL)
		return error_set(err, "%s is not set: ndsd alone starts this "
		    "role", variable);
	if (num_whole(text, 0, INT_MAX, &number) < 0 ||
	    fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0)
		return error_set(err, "%s=%s names no open descriptor",
		    variable, text);
	*fd = (int)number;
	unsetenv(variable);
	return 0;
}

struct pool_board *
given_pool(int writable, struct nds_error *err)
{
	struct pool_board *pool;
	int fd;

	if (given_fd(BOARD_ENV_POOL, &fd, err) < 0)
		return NULL;
	pool = board_pool_map(fd, writable, err);
	close(fd);
	return pool;
}
