/* SPDX-License-Identifier: MIT */
/* The summary of a record: as text for people, as one JSON object. */
#ifndef PROVE_REPORT_H
#define PROVE_REPORT_H

#include <stdio.h>

#include "prove/options.h"
#include "prove/record.h"

void report_text(FILE *out, const struct options *o, const struct record *r);
void report_json(FILE *out, const struct options *o, const struct record *r);

/* "before", "during", "after". */
extern const char *const report_phases[PHASES];

/* The percentiles that every summary names. */
struct percentile {
	const char *name;
	double part;
};
extern const struct percentile report_percentiles[];
#define REPORT_PERCENTILES 5 /* p50 p90 p99 p99.9 max */

#endif
