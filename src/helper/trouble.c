/* SPDX-License-Identifier: MIT */
#include "helper/trouble.h"

#include <stdio.h>
#include <string.h>

#include "helper/history.h"

static void
trouble_add(json_t *list, const char *kind, int64_t for_ms, const char *why)
{
	json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "kind", kind,
	    "for_ms", (json_int_t)for_ms, "why", why));
}

static void
supervisor_add(const struct report *r, json_t *list)
{
	int64_t seen_ms = report_seen_ms(r);
	char why[96] = "workers serve on; start ndsd again";

	if (!r->orphaned && seen_ms < REPORT_AWAY_MS)
		return;
	if (!r->orphaned)
		snprintf(why, sizeof(why), "workers serve on; the main process "
		    "(pid %d) is there", r->pool->main_pid);
	trouble_add(list, "supervisor not seen", seen_ms, why);
}

static void
unready_add(const struct report *r, json_t *list)
{
	int64_t since_ms = r->history == NULL ? 0 : r->history->unready_ms;
	char why[REPORT_WHY];

	if (strcmp(report_state(r), "running") != 0 || !report_unready(r, why))
		return;
	trouble_add(list, "not ready",
	    since_ms == 0 ? 0 : r->now_ms - since_ms, why);
}

json_t *
trouble_list(const struct report *r)
{
	json_t *list = json_array();

	supervisor_add(r, list);
	unready_add(r, list);
	return list;
}
