#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# browser.py CHROMIUM DIR: a headless Chromium, driven over a pair of pipes by
# lines on stdin; each is answered by one line of JSON.
#	open URL              load it
#	eval EXPRESSION       its value
#	wait MS EXPRESSION    true once it holds, false when it does not in time
#	shot FILE WIDTH light|dark    a picture of the whole page
#	quit
#	errors                what the console, exceptions and the CSP have said
import base64
import json
import os
import subprocess
import sys


class Browser:
    def __init__(self, program, home):
        ours_r, theirs_w = os.pipe()
        theirs_r, ours_w = os.pipe()

        def fds():
            low = os.dup(theirs_r), os.dup(theirs_w)
            os.dup2(low[0], 3)
            os.dup2(low[1], 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--remote-debugging-pipe",
             "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--hide-scrollbars",
             "--disable-dev-shm-usage", "--disable-background-networking",
             "--force-color-profile=srgb", "--lang=en",
             f"--user-data-dir={home}", "about:blank"],
            preexec_fn=fds, close_fds=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_r)
        os.close(theirs_w)
        self.out = os.fdopen(ours_w, "wb", buffering=0)
        self.got, self.input = b"", ours_r
        self.number, self.session, self.said = 0, None, []

    def read(self):
        while b"\0" not in self.got:
            piece = os.read(self.input, 1 << 20)
            if not piece:
                sys.exit("browser.py: the browser is gone")
            self.got += piece
        line, self.got = self.got.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.out.write(json.dumps(message).encode() + b"\0")
        while True:
            m = self.read()
            self.note(m)
            if m.get("id") == self.number:
                if "error" in m:
                    sys.exit(f"browser.py: {method}: {m['error']}")
                return m["result"]

    def note(self, m):
        method, p = m.get("method"), m.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.said.append(p["exceptionDetails"].get(
                "exception", {}).get("description", "exception"))
        elif method == "Log.entryAdded":
            self.said.append(p["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.said.append(str([a.get("value") for a in p["args"]]))

    def attach(self):
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call("Target.attachToTarget", flatten=True,
                                 targetId=target["targetId"])["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def evaluate(self, expression):
        r = self.call("Runtime.evaluate", expression=expression,
                      awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in r:
            return {"exception": r["exceptionDetails"]["text"]}
        return r["result"].get("value")

    def wait(self, ms, expression):
        return self.evaluate("new Promise((done) => {"
                             "const end = Date.now() + %d;"
                             "const look = () => {"
                             "if (%s) done(true);"
                             "else if (Date.now() > end) done(false);"
                             "else setTimeout(look, 20); }; look(); })"
                             % (ms, expression))

    def shot(self, name, width, scheme):
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=900, deviceScaleFactor=1, mobile=width < 600)
        self.evaluate("new Promise((done) => requestAnimationFrame(() => "
                      "requestAnimationFrame(done)))")
        picture = self.call("Page.captureScreenshot",
                            captureBeyondViewport=True, format="png")
        with open(name, "wb") as f:
            f.write(base64.b64decode(picture["data"]))
        return True


def main():
    b = Browser(sys.argv[1], sys.argv[2])
    b.attach()
    for line in sys.stdin:
        verb, _, rest = line.strip().partition(" ")
        if verb == "open":
            b.call("Page.navigate", url=rest)
            said = b.wait(10000, "document.readyState === 'complete'")
        elif verb == "eval":
            said = b.evaluate(rest)
        elif verb == "quit":
            break
        elif verb == "wait":
            ms, _, expression = rest.partition(" ")
            said = b.wait(int(ms), expression)
        elif verb == "shot":
            name, width, scheme = rest.split(" ")
            said = b.shot(name, int(width), scheme)
        else:
            said = b.said
        print(json.dumps(said), flush=True)
    b.call("Browser.close")
    b.process.wait()


main()
