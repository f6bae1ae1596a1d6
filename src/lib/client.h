/* SPDX-License-Identifier: MIT */
/*
 * Who asks: the peer of the front, or, when that is a proxy that we trust, whom
 * it names in a header.  Each proxy adds at the right whom it saw, so what
 * stands left of the first untrusted address from the right is hearsay.
 */
#ifndef LIB_CLIENT_H
#define LIB_CLIENT_H

#include <stddef.h>

#include "base/cidr.h"
#include "proto/settings.h"

struct nds_request;

struct client_rule {
	size_t trusted_count; /* 0: the front's peer is the client */
	struct cidr trusted[SETTINGS_RANGES_MAX];
	char parameter[SETTINGS_TEXT_MAX + 8]; /* HTTP_X_FORWARDED_FOR */
};

/* What the settings say, which were checked when they were loaded. */
void client_rule_open(struct client_rule *rule,
    const struct settings *settings);

/* Make the request's client what the rule says.  Costs one branch when no
 * proxy is trusted. */
void client_find(const struct client_rule *rule, struct nds_request *req);

/* The part of an address that one client has for itself: all of an IPv4
 * address, the /64 of an IPv6 one (RFC 6177); of what is no address, all of the
 * text.  Writes at most room bytes to key and returns how many. */
size_t client_key(const char *client, char *key, size_t room);

#endif
