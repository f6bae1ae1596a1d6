/* SPDX-License-Identifier: MIT */
/*
 * How metrics are written: Prometheus' text format 0.0.4 and OpenMetrics 1.0.
 * Knows names, types, units, labels and numbers, and no metric.
 */
#ifndef HELPER_EXPOSITION_H
#define HELPER_EXPOSITION_H

#include <stdint.h>
#include <stdio.h>

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define EXPOSITION_OPEN_TYPE \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

struct exposition {
	FILE *out;
	int open; /* 1: OpenMetrics */
};

/* Whether the client of this Accept header rather has OpenMetrics. */
int exposition_is_open(const char *accept);

/* Begin a family.  name is that of its samples; type "counter", "gauge",
 * "histogram" or "info"; the unit is taken from the name. */
void exposition_family(const struct exposition *e, const char *name,
    const char *type, const char *help);

/* The value of a label, of any bytes: escaped, made UTF-8, without control
 * characters. */
void exposition_label(const struct exposition *e, const char *value);

/* The value of a sample, and its end. */
void exposition_count(const struct exposition *e, uint64_t value);
void exposition_micro(const struct exposition *e, uint64_t us); /* as seconds */
void exposition_number(const struct exposition *e, double value);

/* A bucket's edge as the value of the label le. */
void exposition_edge(const struct exposition *e, double edge);

/* A family of one sample without labels. */
void exposition_counter(const struct exposition *e, const char *name,
    uint64_t value, const char *help);
void exposition_gauge(const struct exposition *e, const char *name,
    int64_t value, const char *help);

#endif
