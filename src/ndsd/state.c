/* SPDX-License-Identifier: MIT */
#include "ndsd/state.h"

#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int
state_new(struct state **state, struct nds_error *err)
{
	int fd = memfd_create("nds-state", MFD_CLOEXEC);

	if (fd < 0)
		return error_sys(err, "memfd_create");
	if (ftruncate(fd, sizeof(**state)) < 0) {
		error_sys(err, "cannot size the state segment");
		goto fail;
	}
	*state = mmap(NULL, sizeof(**state), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (*state == MAP_FAILED) {
		error_sys(err, "cannot map the state segment");
		goto fail;
	}
	(*state)->magic = STATE_MAGIC;
	(*state)->version = STATE_VERSION;
	(*state)->bytes = sizeof(**state);
	(*state)->settings_bytes = sizeof((*state)->settings);
	return fd;
fail:
	close(fd);
	return -1;
}

struct state *
state_map(int fd, struct nds_error *err)
{
	struct stat st;
	struct state *state;

	if (fstat(fd, &st) < 0 ||
	    (size_t)st.st_size < offsetof(struct state, settings)) {
		error_set(err, "the kept state is too short for this binary");
		return NULL;
	}
	if ((size_t)st.st_size < sizeof(*state) &&
	    ftruncate(fd, sizeof(*state)) < 0) {
		error_sys(err, "cannot make room in the kept state");
		return NULL;
	}
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	if (state == MAP_FAILED) {
		error_sys(err, "cannot map the kept state");
		return NULL;
	}
	if (state->magic == STATE_MAGIC && state->version == STATE_VERSION)
		return state;
	error_set(err, "the kept state is of version %u, this binary reads %u",
	    state->version, STATE_VERSION);
	munmap(state, sizeof(*state));
	return NULL;
}

int
state_knows_settings(const struct state *state)
{
	return state->settings_bytes == sizeof(state->settings);
}
