/* SPDX-License-Identifier: MIT */
#include "ndsctl/field.h"

#include <stdio.h>

#include "ndsctl/term.h"

int64_t
field_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *
field_word(const json_t *object, const char *key, char *text, size_t bytes)
{
	const char *value = json_string_value(json_object_get(object, key));

	snprintf(text, bytes, "%s", value == NULL || *value == '\0' ? "-"
								   : value);
	return term_safe(text);
}
