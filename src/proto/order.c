/* SPDX-License-Identifier: MIT */
/*
 * Orders over a SOCK_SEQPACKET pair.  A message of another size than struct
 * order is refused here; a type that is not known is the caller's to ignore.
 */
#include "proto/order.h"

#include <sys/socket.h>
#include <errno.h>
#include <unistd.h>

#include "base/sock.h"

int
order_send(int control_fd, enum order_type type, uint32_t value, int fd)
{
	struct order order = {.type = (uint32_t)type, .value = value};
	ssize_t sent;

	do
		sent = sock_send_fd(control_fd, &order, sizeof(order), fd,
		    MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -1 : 0;
}

int
order_recv(int control_fd, struct order *order, int *fd)
{
	ssize_t got;

	do
		got = sock_recv_fd(control_fd, order, sizeof(*order), fd,
		    MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got == sizeof(*order))
		return 1;
	if (got < 0 && errno != ECONNRESET)
		return -1;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	if (got <= 0)
		return 0;
	errno = EPROTO;
	return -1;
}
