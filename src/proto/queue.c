/* SPDX-License-Identifier: MIT */
#include "proto/queue.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int
diag_ask(int diag_fd, ino_t inode)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req ask;
	} request = {
	    .header = {.nlmsg_len = sizeof(request),
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST},
	    .ask = {.sdiag_family = AF_UNIX,
		.udiag_states = (uint32_t)-1,
		.udiag_ino = (uint32_t)inode,
		.udiag_show = UDIAG_SHOW_RQLEN,
		.udiag_cookie = {(uint32_t)-1, (uint32_t)-1}},
	};

	return send(diag_fd, &request, sizeof(request), 0) < 0 ? -1 : 0;
}

static int
diag_length(struct nlmsghdr *header)
{
	struct unix_diag_msg *msg = NLMSG_DATA(header);
	struct rtattr *at = (struct rtattr *)(msg + 1);
	int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)));
	struct unix_diag_rqlen queue;

	for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type != UNIX_DIAG_RQLEN)
			continue;
		memcpy(&queue, RTA_DATA(at), sizeof(queue));
		return (int)queue.udiag_rqueue;
	}
	errno = ENODATA;
	return -1;
}

static int
diag_answer(int diag_fd)
{
	union {
		struct nlmsghdr header;
		char room[1024];
	} answer;
	ssize_t n = recv(diag_fd, &answer, sizeof(answer), 0);

	if (n < 0)
		return -1;
	if (!NLMSG_OK(&answer.header, (size_t)n) ||
	    answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY) {
		errno = ENOENT;
		return -1;
	}
	return diag_length(&answer.header);
}

int
queue_length(int listen_fd)
{
	struct stat st;
	int diag_fd, length = -1;

	if (fstat(listen_fd, &st) < 0)
		return -1;
	diag_fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
	    NETLINK_SOCK_DIAG);
	if (diag_fd < 0)
		return -1;
	if (diag_ask(diag_fd, st.st_ino) == 0)
		length = diag_answer(diag_fd);
	close(diag_fd);
	return length;
}
