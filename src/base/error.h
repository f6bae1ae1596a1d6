/* SPDX-License-Identifier: MIT */
/*
 * An error that a human must read: one sentence, owned by the caller.
 * It is filled where the cause is known and logged once, where it is given
 * up.  Nothing here allocates, logs or exits.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

struct nds_error {
	char text[512]; /* one line, no newline, always terminated */
};

/* Write the sentence; returns -1 so that callers can `return error_set(...)`.
 * err may be NULL: the sentence is then dropped. */
int error_set(struct nds_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The same with ": strerror(errno)" behind it. errno is kept. */
int error_sys(struct nds_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
