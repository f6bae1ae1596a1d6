/* SPDX-License-Identifier: MIT */
/* Exit statuses, the same in every program; EXIT STATUS in the manuals. */
#ifndef PROTO_EXIT_H
#define PROTO_EXIT_H

enum {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,	/* refused or failed; the reason is on stderr */
	EXIT_USAGE = 2,		/* the command line is wrong */
	EXIT_NO_SUPERVISOR = 3, /* ndsctl: no ndsd there */
	EXIT_KILLED = 4,	/* ndsd: stopped, but work had to be killed */
	EXIT_SETTINGS = 78	/* ndsd: bad settings; EX_CONFIG of sysexits */
};

#endif
