/* SPDX-License-Identifier: MIT */
#include "lib/client.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/request.h"

void
client_rule_open(struct client_rule *rule, const struct settings *settings)
{
	memset(rule, 0, sizeof(*rule));
	if (cidr_list(settings->trusted_proxies, rule->trusted,
		SETTINGS_RANGES_MAX, &rule->trusted_count) != NULL)
		rule->trusted_count = 0;
	request_parameter(settings->client_header, rule->parameter,
	    sizeof(rule->parameter));
}

/* One element of the list: ADDRESS, V4:PORT, [V6] or [V6]:PORT. */
static int
element_parse(const char *text, size_t bytes, uint8_t address[16])
{
	const char *end;

	if (cidr_address(text, bytes, address) == 0)
		return 0;
	if (bytes > 0 && text[0] == '[') {
		end = memchr(text, ']', bytes);
		return end == NULL ? -1 :
		    cidr_address(text + 1, (size_t)(end - text) - 1, address);
	}
	end = memchr(text, ':', bytes);
	return end == NULL ? -1 :
	    cidr_address(text, (size_t)(end - text), address);
}

static int
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Go through a list from its right end while those that stand there are
 * trusted.  address becomes the last one that could be read.  Returns 0 when
 * all of it was trusted, 1 when the search is over. */
static int
list_walk(const struct client_rule *rule, const char *list,
    uint8_t address[16])
{
	size_t start, end, next;
	uint8_t named[16];

	for (end = strlen(list); end > 0; end = next) {
		for (start = end; start > 0 && list[start - 1] != ',';)
			start--;
		next = start > 0 ? start - 1 : 0;
		while (start < end && is_blank(list[start]))
			start++;
		while (end > start && is_blank(list[end - 1]))
			end--;
		if (start == end)
			continue;
		if (element_parse(list + start, end - start, named) < 0)
			return 1;
		memcpy(address, named, sizeof(named));
		if (!cidr_has(rule->trusted, rule->trusted_count, named))
			return 1;
	}
	return 0;
}

static void
client_show(struct nds_request *req, const uint8_t address[16])
{
	if (cidr_is_v4(address))
		inet_ntop(AF_INET, address + 12, req->client_text,
		    sizeof(req->client_text));
	else
		inet_ntop(AF_INET6, address, req->client_text,
		    sizeof(req->client_text));
	req->client = req->client_text;
}

/* The list in this parameter, if it is the one that proxies write. */
static const char *
parameter_list(const struct client_rule *rule, const char *parameter)
{
	size_t bytes = strlen(rule->parameter);

	return strncmp(parameter, rule->parameter, bytes) == 0 &&
	    parameter[bytes] == '=' ? parameter + bytes + 1 : NULL;
}

/* Headers of two names may become one parameter (X_Forwarded_For), and the
 * proxy has not seen the client's own.  Where the front joins those of one name
 * and says so (lighttpd.conf), two parameters mean that. */
static int
is_forged(const struct client_rule *rule, const struct nds_request *req)
{
	unsigned lists = 0;

	for (char **at = req->envp; *at != NULL; at++)
		lists += parameter_list(rule, *at) != NULL;
	return lists > 1 && nds_fcgi_param(req, "NDS_HEADERS_JOINED") != NULL;
}

/* A header sent more than once reaches us once a time by some fronts, and the
 * first may be the client's own: from the last to the first, as if joined. */
void
client_find(const struct client_rule *rule, struct nds_request *req)
{
	const char *list;
	uint8_t address[16];
	char **at;

	if (rule->trusted_count == 0 ||
	    cidr_address(req->client, strlen(req->client), address) < 0 ||
	    !cidr_has(rule->trusted, rule->trusted_count, address) ||
	    is_forged(rule, req))
		return;
	for (at = req->envp; *at != NULL; at++)
		;
	while (at-- > req->envp) {
		list = parameter_list(rule, *at);
		if (list != NULL && list_walk(rule, list, address))
			break;
	}
	client_show(req, address);
}

size_t
client_key(const char *client, char *key, size_t room)
{
	size_t bytes = strlen(client);
	uint8_t address[16];

	if (room < sizeof(address) ||
	    cidr_address(client, bytes, address) < 0) {
		bytes = bytes < room ? bytes : room;
		memcpy(key, client, bytes);
		return bytes;
	}
	if (cidr_is_v4(address)) {
		memcpy(key, address + 12, 4);
		return 4;
	}
	memcpy(key, address, 8);
	return 8;
}
