/* SPDX-License-Identifier: MIT */
/* The status of a pool as a table for people. */
#ifndef NDSCTL_TABLE_H
#define NDSCTL_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#define TABLE_AGE 24

/* Seconds as "42s", "3m 05s", "2h 07m" or "9d 04h".  Returns text. */
const char *table_age(int64_t s, char text[TABLE_AGE]);

/* Print the data of verb "status", and what is wrong by the document of /status
 * (NULL: there is none).  What is missing in it shows as 0 or "-". */
void table_print(const json_t *status, const json_t *health, int colours,
    FILE *out);

#endif
