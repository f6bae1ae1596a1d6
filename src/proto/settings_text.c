/* SPDX-License-Identifier: MIT */
/* Settings that are texts: what may stand in each of them. */
#include "proto/settings_text.h"

#include <string.h>

#include "base/address.h"
#include "base/cidr.h"
#include "base/num.h"
#include "base/rate.h"

#define LONGEST_SOCKET "/control/control.sock"
#define KEY_HEADER "header:"
#define AT(member) offsetof(struct settings, member)

/* Each check returns what is wrong, or NULL. */
static const char *
check_directory(const char *value)
{
	if (value[0] != '/')
		return "not an absolute path";
	if (strlen(value) + strlen(LONGEST_SOCKET) >= SETTINGS_TEXT_MAX)
		return "too long for a socket below it";
	return NULL;
}

/* '-' and '_' are one in a FastCGI parameter. */
static const char *
check_header(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	return *name != '\0' && name[strspn(name, allowed)] == '\0' ? NULL :
	    "no name of a header";
}

static const char *
check_header_or_none(const char *name)
{
	return *name == '\0' ? NULL : check_header(name);
}

static const char *
check_key(const char *value)
{
	if (strcmp(value, "address") == 0)
		return NULL;
	return strncmp(value, KEY_HEADER, strlen(KEY_HEADER)) == 0 ?
	    check_header(value + strlen(KEY_HEADER)) : "not one of the two";
}

static const char *
check_ranges(const char *value)
{
	size_t count;

	return cidr_list(value, NULL, SETTINGS_RANGES_MAX, &count);
}

static const char *
check_rate(const char *value)
{
	struct rate rate;

	return rate_parse(value, &rate);
}

static const char *
check_path(const char *value)
{
	return *value == '\0' || *value == '/' ? NULL : "not an absolute path";
}

static const char *
check_share(const char *value)
{
	int64_t ignored;

	return num_share(value, &ignored) == 0 ? NULL : "no share";
}

static const char *
check_url(const char *value)
{
	return *value == '\0' || strncmp(value, "http://", 7) == 0 ||
	    strncmp(value, "https://", 8) == 0 ? NULL : "no URL of HTTP";
}

_Static_assert(SETTINGS_TEXT_MAX - sizeof(LONGEST_SOCKET) == 86,
    "as said below");

/* Texts that not everything may stand in, and how people are told so. */
static const struct text_rule {
	size_t offset;
	const char *(*check)(const char *value);
	const char *allowed;
} text_rules[] = {
	{AT(bind_address), address_wrong,
	    "host:port or [v6]:port, port 1 to 65535"},
	{AT(runtime_dir), check_directory, "an absolute path of at most 86 "
	    "bytes"},
	{AT(front_config), check_path, "an absolute path of at most 107 "
	    "bytes"},
	{AT(rate_limit), check_rate, "off, or COUNT/s, /m or /h, then perhaps "
	    "`burst COUNT', like 50/s burst 100"},
	{AT(rate_limit_key), check_key, "address, or header:NAME"},
	{AT(trusted_proxies), check_ranges, "up to 64 addresses or "
	    "address/bits with commas between"},
	{AT(front_allow), check_ranges, "up to 64 addresses or address/bits "
	    "with blanks between"},
	{AT(trace), check_share, "off, or 0% to 100%, written like 1% or "
	    "0.05%"},
	{AT(trace_endpoint), check_url, "http://... or https://..., at most "
	    "107 bytes"},
	{AT(trace_file), check_path, "an absolute path of at most 107 bytes"},
	{AT(client_header), check_header, "letters, digits and -"},
	{AT(timeout_header), check_header_or_none, "letters, digits and -, or "
	    "nothing"},
};

static const struct text_rule *
text_rule(const struct settings_row *row)
{
	for (size_t i = 0; i < sizeof(text_rules) / sizeof(*text_rules); i++)
		if (text_rules[i].offset == row->offset)
			return &text_rules[i];
	return NULL;
}

const char *
settings_text_wrong(const struct settings_row *row, const char *value)
{
	const struct text_rule *rule = text_rule(row);

	if (strlen(value) >= (size_t)row->max)
		return row->max == SETTINGS_TEXT_MAX ?
		    "longer than 107 bytes" : "longer than 1023 bytes";
	for (const char *c = value; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return "a control character";
	return rule == NULL ? NULL : rule->check(value);
}

const char *
settings_text_allowed(const struct settings_row *row)
{
	const struct text_rule *rule = text_rule(row);

	return rule == NULL ? "text of at most 107 bytes" : rule->allowed;
}
