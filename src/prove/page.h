/* SPDX-License-Identifier: MIT */
/* The summary as one page of HTML that needs nothing beside itself. */
#ifndef PROVE_PAGE_H
#define PROVE_PAGE_H

#include <stdio.h>

#include "prove/options.h"
#include "prove/record.h"

void page_write(FILE *out, const struct options *o, const struct record *r);

#endif
