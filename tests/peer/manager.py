#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A service manager for tests, of systemd's kind:

    manager.py RECORD SOCKET WATCHDOG_USEC PROGRAM [ARG...]

Runs PROGRAM with NOTIFY_SOCKET=SOCKET (@ in front: abstract) and writes a line
to RECORD for each message: `main` or `other`, who sent it, and the message with
blanks for newlines.  Holds the descriptors of FDSTORE.  A program that dies of
a signal is run again with them once SIGUSR1 has come; with the status of one
that exits, this does so.  TERM and HUP are passed on.
"""
import array
import os
import signal
import socket
import struct
import sys

record_path, address, watchdog, *program = sys.argv[1:]
record = open(record_path, "a", buffering=1, encoding="utf-8")
store = []  # (name, fd)
state = {"pid": 0, "go": False}


def run():
    # Out of the way of the numbers that they shall get.
    fds = [os.dup(fd) for _, fd in store]
    env = dict(os.environ, NOTIFY_SOCKET=address, WATCHDOG_USEC=watchdog)
    pid = os.fork()
    if pid != 0:
        for fd in fds:
            os.close(fd)
        return pid
    base = 100
    for i, fd in enumerate(fds):
        os.dup2(fd, base + i)
    for i in range(len(fds)):
        os.dup2(base + i, 3 + i, inheritable=True)
    os.closerange(3 + len(fds), base + len(fds))
    env["WATCHDOG_PID"] = str(os.getpid())
    if fds:
        env["LISTEN_PID"] = str(os.getpid())
        env["LISTEN_FDS"] = str(len(fds))
        env["LISTEN_FDNAMES"] = ":".join(name for name, _ in store)
    os.execve(program[0], program, env)


def keep(lines, fds):
    name = lines.get("FDNAME", "stored")
    if "FDSTORE" in lines:
        store.extend((name, fd) for fd in fds)
    elif "FDSTOREREMOVE" in lines:
        for entry in [e for e in store if e[0] == name]:
            store.remove(entry)
            os.close(entry[1])


def hear(sock):
    text, ancillary, _, _ = sock.recvmsg(4096, 1024)
    fds = array.array("i")
    sender = 0
    for _, kind, data in ancillary:
        if kind == socket.SCM_RIGHTS:
            fds.frombytes(data)
        else:
            sender = struct.unpack("3i", data)[0]
    text = text.decode()
    lines = dict(line.split("=", 1) for line in text.splitlines())
    keep(lines, fds)
    who = "main" if sender == state["pid"] else "other"
    record.write(f"{who} {' '.join(text.split(chr(10)))}\n")


def ended():
    pid, status = os.waitpid(state["pid"], os.WNOHANG)
    if pid == 0:
        return
    if os.WIFEXITED(status):
        sys.exit(os.WEXITSTATUS(status))
    record.write("dead\n")
    state["pid"] = 0


def main():
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    sock.bind("\0" + address[1:] if address[0] == "@" else address)
    sock.settimeout(0.02)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: os.kill(state["pid"], n))
    signal.signal(signal.SIGUSR1, lambda *_: state.update(go=True))
    state["pid"] = run()
    while True:
        try:
            hear(sock)
            continue  # all that was said before its end
        except socket.timeout:
            pass
        if state["pid"] != 0:
            ended()
        elif state["go"]:
            state.update(go=False, pid=run())


main()
