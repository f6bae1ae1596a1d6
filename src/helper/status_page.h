/* SPDX-License-Identifier: MIT */
/*
 * /status: JSON; for a browser one page, which is a part of the library and
 * polls the documents beside it.
 *
 *	/status               the page for who accepts text/html, else JSON
 *	/status/recent.json   status, slowest requests, last samples, events
 *	/status/history.json  the same with all samples, as of the last one
 *	/status/requests.json all requests under way
 */
#ifndef HELPER_STATUS_PAGE_H
#define HELPER_STATUS_PAGE_H

#include "helper/ask.h"
#include "helper/report.h"

/* Answer if the path is one of these: returns 1, else 0.  a->body is NULL
 * without memory. */
int status_page(struct ask_answer *a, const struct report *r,
    const struct ask *ask);

#endif
