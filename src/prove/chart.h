/* SPDX-License-Identifier: MIT */
/* The timeline as one inline SVG: answers a second, latency, losses, and where
 * the command ran. */
#ifndef PROVE_CHART_H
#define PROVE_CHART_H

#include <stdio.h>

#include "prove/record.h"

void chart_write(FILE *out, const struct record *r);

#endif
