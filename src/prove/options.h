/* SPDX-License-Identifier: MIT */
/*
 * The command line of nds-prove.  Every value is checked here, against the
 * same table that prints the help; what is wrong is told together with what
 * is allowed.
 */
#ifndef PROVE_OPTIONS_H
#define PROVE_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "prove/fate.h"

#define HEADERS_MAX 64
#define HASH_BYTES 32 /* SHA-256 */

struct options {
	const char *url;
	/* load */
	int64_t clients;
	int64_t rate;	     /* requests a second; 0 = closed loop */
	int64_t count;	     /* 0 = by duration */
	int64_t duration_ms;
	int fresh;	     /* a connection a request */
	/* the request */
	const char *method;  /* NULL = GET, or POST when there is a body */
	const char *headers[HEADERS_MAX];
	int header_count;
	const char *body;    /* NULL = none */
	size_t body_bytes;
	char *file;	     /* the body if --data-file read it: ours to free */
	int insecure;
	/* what counts as lost */
	struct rules rules;
	int hash_given, hash_of_first;
	uint8_t hash[HASH_BYTES];
	/* the command */
	const char *during;
	int64_t every_ms;    /* 0 = once */
	int64_t lead_ms;
	/* output */
	int json;
	const char *html;    /* NULL = none */
	const char *each;    /* NULL = none */
	int help, version;
};

/* Defaults, then the arguments.  0, or -1 with err filled.  The strings stay
 * those of argv. */
int options_parse(struct options *o, int argc, const char *const *argv,
    struct nds_error *err);
void options_free(struct options *o);

void options_help(FILE *out);

/* The method that is sent. */
const char *options_method(const struct options *o);

/* `200,204,3xx,500-502`: sets what is good. -1 when text is no such list. */
int options_statuses(const char *text, unsigned char ok[STATUS_END]);

#endif
