/* SPDX-License-Identifier: MIT */
#include "observer/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "proto/otlp.h"

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

/* What made the spans, as the semantic conventions for resources name it. */
static void
head_make(const struct spool *s, struct otlp_span *head)
{
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	otlp_set(head);
	otlp_text(head, "service.name", s->service);
	if (s->version[0] != '\0')
		otlp_text(head, "service.version", s->version);
	otlp_text(head, "host.name", host);
	otlp_text(head, "telemetry.sdk.name", "no-downtime-service");
	otlp_text(head, "telemetry.sdk.language", "c");
	otlp_text(head, "telemetry.sdk.version", NDS_VERSION);
}

char *
spool_take(struct spool *s, unsigned *spans, size_t *bytes)
{
	char *body = NULL;
	FILE *out = open_memstream(&body, bytes);
	struct otlp_span head;

	*spans = s->spans;
	head_make(s, &head);
	if (out != NULL) {
		fputs("{\"resourceSpans\":[{\"resource\":{\"attributes\":[",
		    out);
		fwrite(head.line.text, 1, head.line.used, out);
		fprintf(out, "]},\"scopeSpans\":[{\"scope\":"
		    "{\"name\":\"libnds\",\"version\":\"%s\"},\"spans\":[",
		    NDS_VERSION);
		fwrite(s->text, 1, s->used, out);
		fputs("]}]}]}\n", out);
		if (fclose(out) != 0) {
			free(body);
			body = NULL;
		}
	}
	s->spans = 0;
	s->used = 0;
	return body;
}
