/* SPDX-License-Identifier: MIT */
#include "observer/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

/* The writer is an application's process. */
static int
is_span(const char *line, size_t bytes)
{
	json_t *span = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
	int is = json_is_string(json_object_get(span, "traceId"));

	json_decref(span);
	return is;
}

int
spool_add(struct spool *s, const char *line, size_t bytes, int64_t now_ms)
{
	if (s->spans == SPOOL_SPANS || bytes + 1 > SPOOL_BYTES - s->used)
		return 1;
	if (!is_span(line, bytes))
		return -1;
	if (s->spans == 0)
		s->since_ms = now_ms;
	else
		s->text[s->used++] = ',';
	memcpy(s->text + s->used, line, bytes - 1);
	s->used += bytes - 1;
	s->spans++;
	return 0;
}

/* What made the spans. */
static char *
head_make(const struct spool *s)
{
	char host[256] = "";
	json_t *head;
	char *text;

	gethostname(host, sizeof(host) - 1);
	head = json_pack("{s:[{s:s,s:{s:s}}, {s:s,s:{s:s}}, {s:s,s:{s:s}},"
			 "{s:s,s:{s:s}}, {s:s,s:{s:s}}]}",
	    "attributes", "key", "service.name", "value", "stringValue",
	    s->service, "key", "host.name", "value", "stringValue", host, "key",
	    "telemetry.sdk.name", "value", "stringValue", "no-downtime-service",
	    "key", "telemetry.sdk.language", "value", "stringValue", "c", "key",
	    "telemetry.sdk.version", "value", "stringValue", NDS_VERSION);
	text = head == NULL ? NULL : json_dumps(head, JSON_COMPACT);
	json_decref(head);
	return text;
}

char *
spool_take(struct spool *s, unsigned *spans, size_t *bytes)
{
	char *head = head_make(s), *body = NULL;
	FILE *out = head == NULL ? NULL : open_memstream(&body, bytes);

	*spans = s->spans;
	if (out != NULL) {
		fprintf(out, "{\"resourceSpans\":[{\"resource\":%s,"
		    "\"scopeSpans\":[{\"scope\":{\"name\":\"libnds\","
		    "\"version\":\"%s\"},\"spans\":[", head, NDS_VERSION);
		fwrite(s->text, 1, s->used, out);
		fputs("]}]}]}\n", out);
		if (fclose(out) != 0) {
			free(body);
			body = NULL;
		}
	}
	free(head);
	s->spans = 0;
	s->used = 0;
	return body;
}
