#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The cluster around the pods of pod.t: probes /ready of each endpoint once a
second, as a kubelet does, and hands each new TCP connection to one of those
that are ready, as kube-proxy does: later changes do not touch it.

usage: balancer.py PORT FILE LAG [retry]

FILE lists the endpoints, one HOST:PORT a line; FILE.ready lists those that are
ready, as the API server would tell.  Nodes learn of each change LAG seconds
after it was made, and not later, however busy this process is: a deletion
counts from the moment at which FILE was replaced.

With `retry` it is a balancer of HTTP: one request a connection, which another
endpoint gets when the first gave no byte of an answer.  Only for requests that
are idempotent.

Whoever gets no answer for want of an endpoint is told of on stderr."""

import asyncio
import itertools
import os
import sys
import time

# As the readinessProbe of k8s/deployment.yaml.
PERIOD = 1.0
TIMEOUT = 2.0


def place(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


async def probe(address):
    try:
        reader, writer = await asyncio.open_connection(*place(address))
        try:
            writer.write(b"GET /ready HTTP/1.0\r\n\r\n")
            return b" 200 " in await reader.readline()
        finally:
            writer.close()
    except OSError:
        return False


class Endpoints:
    def __init__(self, path, lag):
        self.path = path
        self.lag = lag
        self.version = None  # of FILE: when it was replaced
        self.probes = {}  # address -> the task that probes it
        self.since = {}  # address -> when nodes begin to use it
        self.until = {}  # address -> when they cease to, if so
        self.turn = itertools.count()

    def refresh(self):
        version = os.stat(self.path).st_mtime
        if version == self.version:
            return
        self.version = version
        with open(self.path, encoding="ascii") as lines:
            listed = {line.strip() for line in lines if line.strip()}
        for address in [a for a in self.probes if a not in listed]:
            self.probes.pop(address).cancel()
            self.change(address, False, version)
        for address in listed.difference(self.probes):
            self.probes[address] = asyncio.create_task(self.keep(address))

    def change(self, address, ready, when):
        if ready and (address not in self.since or address in self.until):
            if self.until.pop(address, 0.0) <= when:
                self.since[address] = when + self.lag
        elif not ready and address in self.since:
            self.until.setdefault(address, when + self.lag)
        else:
            return
        self.tell()

    def tell(self):
        with open(self.path + ".ready.new", "w", encoding="ascii") as lines:
            for address in self.since:
                if address not in self.until:
                    print(address, file=lines)
        os.rename(self.path + ".ready.new", self.path + ".ready")

    def pick(self, tried=()):
        self.refresh()
        now = time.time()
        usable = [a for a, since in self.since.items() if since <= now
                  and now < self.until.get(a, now + 1) and a not in tried]
        if usable:
            return usable[next(self.turn) % len(usable)]
        print(now, "no endpoint left", self.since, self.until, file=sys.stderr)
        return None

    async def keep(self, address):
        while True:
            try:
                ready = await asyncio.wait_for(probe(address), TIMEOUT)
            except asyncio.TimeoutError:
                ready = False
            self.change(address, ready, time.time())
            await tick(PERIOD)

    async def watch(self):
        while True:
            self.refresh()
            await tick(PERIOD / 10)


async def tick(seconds):
    try:
        await asyncio.wait_for(asyncio.Event().wait(), seconds)
    except asyncio.TimeoutError:
        pass


async def pour(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def reach(address):
    try:
        return await asyncio.open_connection(*place(address))
    except OSError as reason:
        print(time.time(), address, reason, file=sys.stderr)
        return None


async def serve(endpoints, reader, writer):
    address = endpoints.pick()
    there = address and await reach(address)
    if not there:
        writer.transport.abort()
        return
    await asyncio.gather(pour(reader, there[1]), pour(there[0], writer))
    there[1].close()
    writer.close()


async def ask(address, head, writer):
    """The request to one endpoint. False: not a byte of an answer came."""
    answered = False
    there = await reach(address)
    if not there:
        return False
    try:
        there[1].write(head)
        while data := await there[0].read(65536):
            answered = True
            writer.write(data)
    except OSError as reason:
        print(time.time(), address, answered, reason, file=sys.stderr)
    there[1].close()
    return answered


async def serve_once(endpoints, reader, writer):
    tried = []
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        head = head[:-2] + b"Connection: close\r\n\r\n"
        while address := endpoints.pick(tried):
            if await ask(address, head, writer):
                break
            tried.append(address)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()


async def main():
    handler = serve_once if sys.argv[4:] == ["retry"] else serve
    endpoints = Endpoints(sys.argv[2], float(sys.argv[3]))
    server = await asyncio.start_server(
        lambda r, w: handler(endpoints, r, w), "127.0.0.1", int(sys.argv[1]),
        backlog=4096)
    async with server:
        await endpoints.watch()


asyncio.run(main())
