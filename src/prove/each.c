/* SPDX-License-Identifier: MIT */
#include "prove/each.h"

FILE *
each_open(const char *path, struct nds_error *err)
{
	FILE *out = fopen(path, "we");

	if (out == NULL)
		error_sys(err, "--each %s", path);
	return out;
}

void
each_write(FILE *out, const struct finished *f, int64_t begin_us)
{
	int64_t took_us = f->seen->latency_us;

	fprintf(out, "%.6f %.6f %d %s\n",
	    (double)(f->end_us - took_us - begin_us) / 1e6,
	    (double)took_us / 1e6, f->seen->status, fate_key(f->fate));
}

int
each_close(FILE *out, struct nds_error *err)
{
	int wrong = ferror(out);

	if (fclose(out) != 0 || wrong)
		return error_sys(err, "--each: not all could be written");
	return 0;
}
