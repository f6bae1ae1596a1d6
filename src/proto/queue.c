/* SPDX-License-Identifier: MIT */
#include "proto/queue.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int
diag_ask(int diag_fd, ino_t inode, uint32_t show)
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
		.udiag_show = show,
		.udiag_cookie = {(uint32_t)-1, (uint32_t)-1}},
	};

	return send(diag_fd, &request, sizeof(request), 0) < 0 ? -1 : 0;
}

/* Copy that attribute of the answer out. Returns its bytes. */
static int
diag_attribute(struct nlmsghdr *header, int type, void *to, size_t room)
{
	struct unix_diag_msg *msg = NLMSG_DATA(header);
	struct rtattr *at = (struct rtattr *)(msg + 1);
	int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)));

	for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type != type || RTA_PAYLOAD(at) > room)
			continue;
		memcpy(to, RTA_DATA(at), RTA_PAYLOAD(at));
		return (int)RTA_PAYLOAD(at);
	}
	errno = ENODATA;
	return -1;
}

static int
diag_answer(int diag_fd, int type, void *to, size_t room)
{
	union {
		struct nlmsghdr header;
		char room[8192];
	} answer;
	ssize_t n = recv(diag_fd, &answer, sizeof(answer), 0);

	if (n < 0)
		return -1;
	if (!NLMSG_OK(&answer.header, (size_t)n) ||
	    answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY) {
		errno = ENOENT;
		return -1;
	}
	return diag_attribute(&answer.header, type, to, room);
}

/* Ask for one attribute of the listener. Returns its bytes or -1. */
static int
diag(ino_t inode, uint32_t show, int type, void *to, size_t room)
{
	int diag_fd, bytes = -1;

	diag_fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
	    NETLINK_SOCK_DIAG);
	if (diag_fd < 0)
		return -1;
	if (diag_ask(diag_fd, inode, show) == 0)
		bytes = diag_answer(diag_fd, type, to, room);
	close(diag_fd);
	return bytes;
}

int
queue_length_of(unsigned long inode)
{
	struct unix_diag_rqlen queue;

	if (diag(inode, UDIAG_SHOW_RQLEN, UNIX_DIAG_RQLEN, &queue,
		sizeof(queue)) < 0)
		return -1;
	return (int)queue.udiag_rqueue;
}

int
queue_length(int listen_fd)
{
	struct stat st;

	return fstat(listen_fd, &st) < 0 ? -1 : queue_length_of(st.st_ino);
}

int
queue_peers(int listen_fd, uint32_t peer[QUEUE_PEERS])
{
	struct stat st;
	int bytes = fstat(listen_fd, &st) < 0 ? -1 :
	    diag(st.st_ino, UDIAG_SHOW_ICONS, UNIX_DIAG_ICONS, peer,
		QUEUE_PEERS * sizeof(peer[0]));

	return bytes < 0 ? -1 : bytes / (int)sizeof(peer[0]);
}
