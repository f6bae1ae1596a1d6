/* SPDX-License-Identifier: MIT */
/*
 * The check of an address to listen on.  It refuses what no server could use,
 * so that the mistake is named with its place and not by a front that will
 * not start.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/num.h"

#define HOST_MAX 256 /* a name has at most 253 bytes (RFC 1035) */

static const char *
bracketed_wrong(char *host, size_t bytes)
{
	struct in6_addr v6;

	if (host[bytes - 1] != ']')
		return "the bracket is not closed";
	host[bytes - 1] = '\0';
	return inet_pton(AF_INET6, host + 1, &v6) == 1 ? NULL :
	    "no IPv6 address in the brackets";
}

static const char *
host_wrong(char *host, size_t bytes)
{
	struct in_addr v4;

	if (bytes == 0)
		return "no host";
	if (host[0] == '[')
		return bracketed_wrong(host, bytes);
	if (strchr(host, ':') != NULL)
		return "an IPv6 address needs brackets";
	if (strspn(host, "0123456789.") == bytes)
		return inet_pton(AF_INET, host, &v4) == 1 ? NULL :
		    "no IPv4 address";
	if (strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789.-") != bytes)
		return "no host name";
	return NULL;
}

const char *
address_wrong(const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[HOST_MAX];
	size_t bytes;
	int64_t port;

	if (colon == NULL || strchr(colon, ']') != NULL)
		return "no port";
	if (num_whole(colon + 1, 1, 65535, &port) < 0)
		return errno == ERANGE ? "the port is out of range" :
		    "the port is no number";
	bytes = (size_t)(colon - text);
	if (bytes >= sizeof(host))
		return "the host is too long";
	memcpy(host, text, bytes);
	host[bytes] = '\0';
	return host_wrong(host, bytes);
}
