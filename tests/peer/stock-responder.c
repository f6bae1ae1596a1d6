/* SPDX-License-Identifier: MIT */
/*
 * A FastCGI program as the world writes it: libfcgi's own loop, nothing of
 * libnds.  `?ms=N` makes it wait before it answers; with an argument it ends
 * after so many requests.
 */
#include <fcgiapp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	int left = argc > 1 ? atoi(argv[1]) : -1;
	FCGX_Request r;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&r, 0, 0) != 0)
		return 1;
	while (left-- != 0 && FCGX_Accept_r(&r) == 0) {
		const char *query = FCGX_GetParam("QUERY_STRING", r.envp);
		const char *path = FCGX_GetParam("SCRIPT_NAME", r.envp);

		if (query != NULL && strncmp(query, "ms=", 3) == 0)
			poll(NULL, 0, atoi(query + 3));
		FCGX_FPrintF(r.out,
		    "Content-Type: text/plain\r\n\r\nstock %d %s\n",
		    (int)getpid(), path != NULL ? path : "?");
	}
	FCGX_Finish_r(&r);
	return 0;
}
