/* SPDX-License-Identifier: MIT */
#include "proto/segment.h"

#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

uint64_t
segment_round(uint64_t bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

int
segment_new(const char *name, uint64_t bytes, struct nds_error *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return error_sys(err, "cannot make shared memory for a %s",
		    name);
	if (ftruncate(fd, (off_t)bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
	    == 0)
		return fd;
	error_sys(err, "cannot make %llu bytes of shared memory for a %s",
	    (unsigned long long)bytes, name);
	close(fd);
	return -1;
}
