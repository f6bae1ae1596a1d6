#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# ndsctl top, requests and logs: what runs now and what was said, on a terminal
# and in a pipe, whatever bytes a client has put into it.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq python3
export APP_WORKERS=3 APP_LOG_LEVEL=info

for verb in "top --once" requests logs; do
	# shellcheck disable=SC2086
	ctl $verb >"$tmp/out" 2>&1
	is "without ndsd ${verb%% *} ends with 3" $? 3
done
for verb in "top --twice" "requests x" "logs --level loud" "logs --request"; do
	# shellcheck disable=SC2086
	ctl $verb >"$tmp/out" 2>&1
	is "$verb is a usage error" $? 2
done
ctl status -d "$run" >"$tmp/out" 2>&1
is "-d behind the verb is one" $? 2
like "and it says where it stands" "$(<"$tmp/out")" \
    '-d stands before the verb: ndsctl -d DIR status$'
ctl top >"$tmp/out" 2>&1
is "top in a pipe is one, too" $? 2
for term in dumb ""; do
	TERM=$term timeout $((5 * scale)) python3 -c 'import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' \
	    "$ndsctl" top >"$tmp/out" 2>&1 </dev/null
	is "and on a terminal '$term'" $? 2
	unlike "which it does not steer" "$(<"$tmp/out")" $'\033'
done

ndsd_start
terminal() { TERM=xterm python3 -c 'import pty, sys
pty.spawn(sys.argv[1:])' "$ndsctl" "$@" </dev/null; }
is "requests: on a terminal, none is a sentence" \
    "$(terminal requests | tr -d '\r')" "nothing under way"
like "in a pipe it is a head" "$(ctl requests)" '^ +AGE .*REQUEST$'
escape=$'\033[31m\302\23331m' # the second of one character, U+009B
spawn long "$(program tests/peer/fcgi-peer)" --timeout 60000 \
    --path /_diag/work --query 'ms=30000&secret=1' \
    --header 'X-Request-Id: held.1' --param "REMOTE_ADDR=${escape}evil" "$app"
held() { ctl requests | grep -q held.1; }
ok "requests shows what runs" wait_until 5 held
out=$(ctl requests)
like "with method and path" "$out" 'GET /_diag/work'
unlike "without the query" "$out" secret
unlike "and no escape of the client's" "$out" $'\033'
is "--json has the same" \
    "$(ctl requests --json | jq -r '.[]|[.method,.path,.request_id]|join(" ")')" \
    "GET /_diag/work held.1"
is "and nothing that steers a terminal either" \
    "$(ctl requests --json | LC_ALL=C tr -d '[:print:]\n')" ""
is "and what ndsctl(1) names" \
    "$(ctl requests --json | jq -r '.[0]|keys|sort|join(" ")')" \
    "age_ms client left_ms method path pid request_id slot tries"
ok "its age grows" wait_until 5 \
    jq -e '.[0].age_ms > 1000 and .[0].left_ms > 0' <(ctl requests --json)

# ---- top
out=$(ctl top --once)
like "top --once: state and generation" "$out" 'running, generation 1'
like "the worker that is busy, and with what" "$out" ' busy .*GET /_diag/work'
like "those that are idle" "$out" ' idle '
unlike "nothing that steers a terminal" "$out" $'\033'
ctl reload >/dev/null 2>&1
top_has() { ctl top --once | grep -Eq "$1"; }
ok "a reload is an event" wait_until 5 top_has 'event .*reload'
ok "the old worker retires" wait_until 5 top_has ' 1  retiring '

cat >"$tmp/terminal.py" <<'END'
import fcntl, os, pty, re, select, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], [sys.argv[1], "top"])
def size(rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
def until(word):
    got = b""
    while word not in got:
        if not select.select([fd], [], [], 20)[0]:
            sys.exit(f"no {word}: {got[-300:]}")
        try:
            piece = os.read(fd, 65536)
        except OSError:
            piece = b""
        if not piece:
            sys.exit(f"ended without {word}: {got[-300:]}")
        got += piece
    return got
size(40, 120)
until(b"\033[?1049h")
until(b"GET /_diag/work")
if len(sys.argv) > 2:
    for pid_to_end in sys.argv[2:]:
        os.kill(int(pid_to_end), 15)
    told = until(b"\033[?1049l").split(b"\033[?1049l")[1]
    if b"ndsctl: top: " not in told:
        until(b"ndsctl: top: ")
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
os.write(fd, b"s")
until(b"\033[J")
size(4, 60)
until(b"\033[J")
frame = until(b"\033[J")
assert frame.count(b"\r\n") <= 3, frame
size(10, 40)
for frames in range(2):
    until(b"\033[J")
rows = [re.sub(rb"\033\[[0-9;?]*[A-Za-z]", b"", row).strip(b"\r")
        for row in re.split(rb"\r\n|\033\[H", until(b"\033[J"))]
assert all(len(row) <= 40 for row in rows), rows
assert any(len(row) == 40 and row.endswith(b">") for row in rows), rows
os.write(fd, b"q")
until(b"\033[?1049l")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
ok "on a terminal: it redraws, fits its size, q leaves it as it was" \
    timeout 60 python3 "$tmp/terminal.py" "$ndsctl"

# ---- logs
trace=0af7651916cd43dd8448eb211c80319c
for id in first.1 second.2; do
	ask --path "/no/such/$id" --header "X-Request-Id: $id" \
	    --header "traceparent: 00-$trace-b7ad6b7169203331-01" "$app"
	trace=1${trace:1}
done
logs_have() { ctl logs "${@:2}" | grep -q "$1"; }
ok "logs shows the last lines" wait_until 5 logs_have second.2
is "--request: those of one" \
    "$(ctl logs --request first.1 | jq -r .path)" /no/such/first.1
is "--trace: those of one" \
    "$(ctl logs --trace "0${trace:1}" | jq -r .request_id)" first.1
is "and of another none" "$(ctl logs --trace "f${trace:1}")" ""
worker=$(field '[.workers[]|select(.state=="idle")][0].pid')
kill -KILL "$worker"
ok "--level: a warning" wait_until 5 logs_have SIGKILL --level warn
is "and nothing below" \
    "$(ctl logs --level warn | jq -r .level | grep -c info)" 0
spawn follow "$ndsctl" logs -f --request third.3
follow_pid=$pid
ask --path / --header 'X-Request-Id: third.3' "$app"
ok "-f goes on with what comes" wait_until 5 grep -q third.3 "$tmp/follow.log"
kill -KILL "$(field .supervisor.pid)"
ok "the supervisor comes back" wait_until 10 field_is .supervisor.restarts 1
ask --path /again --header 'X-Request-Id: third.3' "$app"
ok "-f goes on with the next supervisor" \
    wait_until 10 grep -q /again "$tmp/follow.log"
is "and tells no line twice" "$(grep -c third.3 "$tmp/follow.log")" 2
kill -STOP "$follow_pid"
long=$(head -c 1000 /dev/zero | tr '\0' x)
for i in $(seq 1 300); do # more than the supervisor keeps
	peer --timeout 20000 --path "/flood/$i/$long" "$app" >/dev/null
done
kill -CONT "$follow_pid"
ok "-f says when it could not keep up" \
    wait_until 5 grep -q '[0-9] lines were missed' "$tmp/follow.log"
kill "$follow_pid"
bytes=$(ctl logs | wc -c)
ok "what is kept is bounded" test "$bytes" -gt 100000 -a "$bytes" -le 262144
is "and whole lines" "$(ctl logs | jq -r .msg | grep -c .)" \
    "$(ctl logs | wc -l)"
export APP_LOG_FORMAT=text
kill -TERM "$ndsd_pid"
wait_end "$ndsd_pid" 20
ndsd_start
ask --path /plain --header 'X-Request-Id: plain.4' "$app"
ok "lines of text, too" wait_until 5 logs_have /plain --request plain.4
is "are of a level" "$(ctl logs --level error)" ""
peer --timeout 20000 --path /_diag/work --query ms=3000 "$app" >/dev/null &
timeout 60 python3 "$tmp/terminal.py" "$ndsctl" "$ndsd_pid" >"$tmp/said" 2>&1
is "top that ends with the service says so where it stays" "$?$(<"$tmp/said")" 3
wait_end "$ndsd_pid" 15
is "it stops with status 0" "$rc" 0
done_testing
