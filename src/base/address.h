/* SPDX-License-Identifier: MIT */
/* Addresses to listen on, as people write them: host:port or [v6]:port. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

/* NULL when text is such an address (port 1..65535), else a few words that say
 * what is wrong with it.  Names are not looked up. */
const char *address_wrong(const char *text);

#endif
