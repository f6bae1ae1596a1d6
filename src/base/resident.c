/* SPDX-License-Identifier: MIT */
#include "base/resident.h"

#include <stdio.h>
#include <unistd.h>

int64_t
resident_bytes(pid_t pid)
{
	char path[48];
	long long pages = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%*s %lld", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}
