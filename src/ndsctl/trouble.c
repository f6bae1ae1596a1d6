/* SPDX-License-Identifier: MIT */
#include "ndsctl/trouble.h"

#include <ctype.h>
#include <inttypes.h>

#include "ndsctl/field.h"
#include "ndsctl/requests.h"
#include "ndsctl/term.h"

static const char *
loud(char *text)
{
	for (char *s = text; *s != '\0'; s++)
		*s = (char)toupper((unsigned char)*s);
	return text;
}

void
trouble_print(const json_t *health, int colours, FILE *out)
{
	char kind[TROUBLE_WORD], why[512], time[REQUESTS_TIME];
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(health, "trouble"), i, one) {
		field_word(one, "kind", kind, sizeof(kind));
		fprintf(out, "%s%s for %s: %s%s\n",
		    colours ? "\033[1;31m" : "", loud(kind),
		    requests_time(field_number(one, "for_ms"), time),
		    field_word(one, "why", why, sizeof(why)),
		    colours ? "\033[0m" : "");
	}
}

const char *
trouble_word(const json_t *health, const char *state, char text[TROUBLE_WORD])
{
	const json_t *worst =
	    json_array_get(json_object_get(health, "trouble"), 0);

	if (worst != NULL)
		return field_word(worst, "kind", text, TROUBLE_WORD);
	snprintf(text, TROUBLE_WORD, "%s", state);
	return text;
}

void
trouble_print_spans(const json_t *health, FILE *out)
{
	const json_t *lost = json_object_get(health, "spans_lost");
	int64_t collector = field_number(lost, "collector");
	int64_t file = field_number(lost, "file");
	int64_t any = field_number(lost, "any");

	if (collector > 0 || file > 0 || any > 0)
		fprintf(out, "spans lost: %" PRId64 " to the collector, "
		    "%" PRId64 " to the file, %" PRId64 " before\n",
		    collector, file, any);
}
