/* SPDX-License-Identifier: MIT */
/*
 * The descriptors that a guardian had before it split: those it keeps, and all
 * others in the table that it shares with its worker.
 */
#ifndef LIB_OWN_H
#define LIB_OWN_H

/* Note every descriptor that is open now. Returns 0 or -1 without memory. */
int own_note(void);

/* 1 when it was noted and is still the same file: a handler may close a number
 * that is not its own and open another under it. */
int own_has(int fd);

/* Call visit for every open descriptor, until it returns non-zero. */
void own_visit(int (*visit)(int fd, void *arg), void *arg);

#endif
