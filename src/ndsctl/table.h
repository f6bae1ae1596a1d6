/* SPDX-License-Identifier: MIT */
/* The status of a pool as a table for people. */
#ifndef NDSCTL_TABLE_H
#define NDSCTL_TABLE_H

#include <stdio.h>

#include <jansson.h>

/* Print the data of verb "status"; what is missing in it shows as 0 or "-". */
void table_print(const json_t *status, int colours, FILE *out);

#endif
