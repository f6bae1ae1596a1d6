#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A collector of OTLP/HTTP in JSON: checks what comes against the protocol's
JSON mapping, and writes one line for each span to a file.
collector.py PORT FILE"""
import http.server
import json
import re
import sys

OUT = open(sys.argv[2], "a", encoding="utf-8", buffering=1)


def wrong(span):
    """What of a span is not as the protocol wants it."""
    for key, digits in (("traceId", 32), ("spanId", 16), ("parentSpanId", 16)):
        if key == "parentSpanId" and key not in span:
            continue
        if not re.fullmatch("[0-9a-f]{%d}" % digits, span[key]):
            yield key
    for key in ("startTimeUnixNano", "endTimeUnixNano"):
        if not isinstance(span[key], str) or not re.fullmatch(r"[0-9]{19}", span[key]):
            yield key
    if int(span["endTimeUnixNano"]) < int(span["startTimeUnixNano"]):
        yield "ends before it starts"
    if span["kind"] not in (1, 2) or not span["name"]:
        yield "kind or name"
    for item in span["attributes"]:
        value = item["value"]
        if list(value) not in (["stringValue"], ["intValue"]):
            yield item["key"]
        if not all(isinstance(v, str) for v in value.values()):
            yield item["key"]
    for event in span["events"]:
        if not event["name"] or not isinstance(event["timeUnixNano"], str):
            yield "event"


def plain(items):
    return {i["key"]: next(iter(i["value"].values())) for i in items}


def take(body):
    for resource in json.loads(body)["resourceSpans"]:
        service = plain(resource["resource"]["attributes"])["service.name"]
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                span["wrong"] = list(wrong(span))
                span["service"] = service
                span["attributes"] = plain(span["attributes"])
                OUT.write(json.dumps(span) + "\n")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 200
        if self.path == "/endless":
            self.endless()
            return
        if self.path == "/busy":
            self.send_response(429)
            self.send_header("Retry-After", "9223372036854775807")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        answer = b"{}"
        if self.path == "/part":
            answer = json.dumps({"partialSuccess": {
                "rejectedSpans": "2", "errorMessage": "too\033[2Jold"}}).encode()
        elif self.path != "/v1/traces" or self.headers["Content-Type"] != "application/json":
            status = 404
        else:
            take(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def endless(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            self.close_connection = True

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
