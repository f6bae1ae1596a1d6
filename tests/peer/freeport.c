/* SPDX-License-Identifier: MIT */
/*
 * Prints a TCP port of 127.0.0.1 that is free, below the range from which the
 * kernel gives ports to clients, so that no connection of a test running
 * beside takes it meanwhile.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>

int
main(void)
{
	for (int tries = 0; tries < 100; tries++) {
		struct sockaddr_in at = {.sin_family = AF_INET};
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		uint16_t random;

		if (getrandom(&random, sizeof(random), 0) < 0)
			return 1;
		random = (uint16_t)(10240 + random % 20000);
		at.sin_port = htons(random);
		if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0) {
			printf("%u\n", (unsigned)random);
			return 0;
		}
	}
	return 1;
}
