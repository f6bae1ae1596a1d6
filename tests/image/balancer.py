#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The cluster around the pods of pod.t: probes /ready of each endpoint once a
second, as a kubelet does, and hands each new TCP connection to one of those
that are ready, as kube-proxy does: later changes do not touch it.

usage: balancer.py PORT FILE LAG [retry]

FILE lists the endpoints, one HOST:PORT a line, and is read again all the time.
An endpoint that is taken out of it gets connections for LAG seconds more:
so long a cluster needs to tell all its nodes.

With `retry` it is a balancer of HTTP: one request a connection, which another
endpoint gets when the first gave no byte of an answer.  Only for requests that
are idempotent."""

import asyncio
import itertools
import sys

PERIOD = 1.0
TIMEOUT = 1.0


class Endpoints:
    def __init__(self, path, lag):
        self.path = path
        self.lag = lag
        self.ready = {}  # address -> is it ready
        self.gone = {}  # address -> when it stops to get connections
        self.turn = itertools.count()

    def read(self):
        with open(self.path, encoding="ascii") as lines:
            return [line.strip() for line in lines if line.strip()]

    def pick(self):
        now = asyncio.get_running_loop().time()
        usable = [a for a, ready in self.ready.items() if ready]
        usable += [a for a, until in self.gone.items() if now < until]
        return usable[next(self.turn) % len(usable)] if usable else None

    async def probe(self, address):
        host, port = address.rsplit(":", 1)
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET /ready HTTP/1.0\r\n\r\n")
            head = await reader.readline()
            writer.close()
            return b" 200 " in head
        except OSError:
            return False

    async def watch(self):
        never = asyncio.Event()
        while True:
            listed = self.read()
            now = asyncio.get_running_loop().time()
            for address in [a for a in self.ready if a not in listed]:
                if self.ready.pop(address):
                    self.gone[address] = now + self.lag
            for address in listed:
                try:
                    found = await asyncio.wait_for(
                        self.probe(address), TIMEOUT)
                except asyncio.TimeoutError:
                    found = False
                # a node hears of it as late as of an endpoint's end
                if self.ready.get(address) and not found:
                    self.gone[address] = now + self.lag
                self.ready[address] = found
            try:
                await asyncio.wait_for(never.wait(), PERIOD / 4)
            except asyncio.TimeoutError:
                pass


async def pour(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except (OSError, ConnectionError):
        writer.transport.abort()


async def serve(endpoints, reader, writer):
    address = endpoints.pick()
    if address is None:
        writer.transport.abort()
        return
    host, port = address.rsplit(":", 1)
    try:
        there_reader, there = await asyncio.open_connection(host, int(port))
    except OSError:
        writer.transport.abort()
        return
    await asyncio.gather(pour(reader, there), pour(there_reader, writer))
    there.close()
    writer.close()


async def ask(address, head, writer):
    """The request to one endpoint. False: not a byte of an answer came."""
    host, port = address.rsplit(":", 1)
    answered = False
    try:
        there_reader, there = await asyncio.open_connection(host, int(port))
        there.write(head)
        while data := await there_reader.read(65536):
            answered = True
            writer.write(data)
        there.close()
    except OSError:
        pass
    return answered


async def serve_once(endpoints, reader, writer):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        head = head[:-2] + b"Connection: close\r\n\r\n"
        for _ in range(4):
            address = endpoints.pick()
            if address is not None and await ask(address, head, writer):
                break
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()


async def main():
    handler = serve_once if sys.argv[4:] == ["retry"] else serve
    endpoints = Endpoints(sys.argv[2], float(sys.argv[3]))
    server = await asyncio.start_server(
        lambda r, w: handler(endpoints, r, w), "127.0.0.1", int(sys.argv[1]),
        backlog=1024)
    async with server:
        await endpoints.watch()


asyncio.run(main())
