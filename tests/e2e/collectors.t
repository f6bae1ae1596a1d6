#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119
#
# Collectors that do not do what they should, and a disk that gets full: none
# costs a request, fills the log or breaks what comes after it.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq python3

port=$(free_port)
spawn collector python3 "$srcdir/tests/peer/collector.py" "$port" "$tmp/spans"
collector_pid=$pid
export APP_TRACE=100% APP_WORKERS=2
at=http://127.0.0.1:$port

# begin PATH: with that collector, and a first span for it
begin() {
	export APP_TRACE_ENDPOINT=${at/127/me:hush@127}$1
	: >"$tmp/ndsd.log"
	ndsd_start -- "$(program tests/peer/traced)"
	ask --path /left "$app"
}
metric() {
	peer --path /metrics "$health" |
	    awk -v name="nds_spans_$1_total{" 'index($0, name) { n += $NF } END { print n + 0 }'
}
reaches() { [ "$(metric "$1")" -ge "$2" ]; }
complaints() { grep -c "$at" "$tmp/ndsd.log"; }
complained() { [ "$(complaints)" -ge 1 ]; }

begin /endless
ok "an answer without end counts by its status" wait_until 4 reaches exported 3
is "and is told to nobody" "$(complaints)" 0
stop_is 0 "it stops"

begin '/refuses?key=hush'
ok "what it refuses is dropped" wait_until 5 reaches dropped 3
for spans in 6 9; do
	ask --path /left "$app"
	ok "again" wait_until 5 reaches dropped $spans
done
is "and told once" "$(complaints)" 1
like "with its answer" "$(grep "$at" "$tmp/ndsd.log")" 'refuses traces: it answers 404'
unlike "without what is secret in its URL" "$(<"$tmp/ndsd.log")" hush
stop_is 0 "it stops"

begin /part
ok "what it rejects of a batch is dropped" wait_until 5 reaches dropped 2
is "and the rest exported" "$(metric exported)" 1
like "with its reason, harmless" "$(grep "$at" "$tmp/ndsd.log")" \
    'takes only part of the traces: too.u001b\[2Jold'
stop_is 0 "it stops"

begin /busy
ok "one that is busy for ever is told of" wait_until 5 complained
is "it may take it later" "$(metric dropped)" 0
stop_is 0 "it stops in time"

export APP_TRACE_ENDPOINT=https://127.0.0.1:$port/v1/traces
at=https://127.0.0.1:$port
: >"$tmp/ndsd.log"
ndsd_start -- "$(program tests/peer/traced)"
ask --path /left "$app"
ok "one that speaks no TLS is told of" wait_until 5 complained
stop_is 0 "it stops in time"

kill "$collector_pid"
unset APP_TRACE_ENDPOINT

# ---- the file
if [ ! -c /dev/full ]; then
	skip "a full disk" "no /dev/full here"
	done_testing
fi
export APP_TRACE_FILE=/dev/full
: >"$tmp/ndsd.log"
ndsd_start -- "$(program tests/peer/traced)"
ask --path /left "$app"
ok "spans that the disk does not take are counted" wait_until 5 reaches dropped 3
like "and told" "$(grep /dev/full "$tmp/ndsd.log")" 'cannot write traces'
stop_is 0 "it stops"

# ---- an observer that dies with spans in hand
export APP_TRACE_FILE=$tmp/traces
ndsd_start -- "$(program tests/peer/traced)"
observer() { pgrep -f "^$builddir/nds-observer" -P "$(field .supervisor.pid)"; }
"$(program tests/peer/kill-at)" "$(observer)" openat entry 2 >"$tmp/hunt" 2>&1 &
hunt=$!
wait_until 5 grep -q ready "$tmp/hunt"
peer --many 2 --repeat 400 --path /left "$app" >"$tmp/many"
wait "$hunt"
case $? in
0)
	seen() { [ $(($(metric exported) + $(metric dropped))) -eq "$1" ]; }
	ok "each span is counted once, whatever it had in hand" \
	    wait_until 5 seen 2400
	;;
77) skip "each span is counted once" "ptrace is not allowed here" ;;
*) fail "the observer was killed" "$(<"$tmp/hunt")" ;;
esac
stop_is 0 "it stops"

# ---- a pipe whose reader is slow
mkfifo "$tmp/pipe"
exec {pipe_fd}<>"$tmp/pipe"
pipe_read() { # what is in it
	python3 -c 'import os, sys
os.set_blocking(0, False)
try:
    while True:
        sys.stdout.buffer.write(os.read(0, 65536))
except BlockingIOError:
    pass' <&"$pipe_fd"
}
export APP_TRACE_FILE=$tmp/pipe
ndsd_start -- "$(program tests/peer/traced)"
peer --many 2 --repeat 200 --path /left "$app" >"$tmp/many"
all_seen() { [ $(($(metric exported) + $(metric dropped))) -ge "$1" ]; }
ok "what a full pipe does not take" wait_until 5 all_seen 1200
ok "is counted" test "$(metric dropped)" -gt 0
pipe_read >"$tmp/got"
ask --path /left "$app"
ok "the next one is taken" wait_until 5 all_seen 1203
pipe_read >>"$tmp/got"
is "on a line of its own" "$(tail -n 1 "$tmp/got" | jq -r '.resourceSpans|length')" 1
exec {pipe_fd}>&-
stop_is 0 "it stops"

mkdir "$tmp/small"
if ! mount -t tmpfs -o size=4k tmpfs "$tmp/small" 2>/dev/null; then
	skip "a disk that gets full" "mounting is not permitted"
	done_testing
fi
trap 'umount -l "$tmp/small"; clean_up' EXIT
chmod 777 "$tmp/small"
export APP_TRACE_FILE=$tmp/small/traces
ndsd_start -- "$(program tests/peer/traced)"
for i in 1 2 3 4 5 6 7; do
	ask --path /left "$app"
done
ok "a batch for which there is no room is dropped" wait_until 5 reaches dropped 21
mount -o remount,size=1m "$tmp/small"
for i in 1 2 3; do
	ask --path /left "$app"
done
ok "with room again it is written" wait_until 5 reaches exported 9
again() { grep -q 'traces takes traces again; spans dropped: 21' "$tmp/ndsd.log"; }
ok "which is told, with what was lost" wait_until 5 again
is "and no line of the file is broken" \
    "$(jq -r '.resourceSpans|length' "$tmp/small/traces" 2>&1 | sort -u)" 1
stop_is 0 "it stops"
done_testing
