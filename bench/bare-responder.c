/* SPDX-License-Identifier: MIT */
/* What bench/throughput compares with: libfcgi's own loop around the same
 * answer as nds-responder's `/`. */
#include <fcgiapp.h>

int
main(void)
{
	FCGX_Request r;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&r, 0, 0) != 0)
		return 1;
	while (FCGX_Accept_r(&r) == 0)
		FCGX_PutS("Content-Type: text/plain; charset=utf-8\r\n"
			  "Content-Length: 28\r\n\r\n"
			  "Hello, Zero-Downtime World!\n",
		    r.out);
	FCGX_Finish_r(&r);
	return 0;
}
