/* SPDX-License-Identifier: MIT */
/* Settings that are texts: what may stand in each of them. */
#ifndef PROTO_SETTINGS_TEXT_H
#define PROTO_SETTINGS_TEXT_H

#include "proto/settings.h"

/* What is wrong with the value of a row of texts, in a few words; NULL when
 * nothing is. */
const char *settings_text_wrong(const struct settings_row *r, const char *v);

/* What the row allows, for people. */
const char *settings_text_allowed(const struct settings_row *row);

#endif
