#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# nds-shutdown, under each shell that it may meet: with ndsctl, with signals
# alone, and where there is nothing to stop.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
script=$srcdir/scripts/nds-shutdown
export APP_WORKERS=2 APP_REQUEST_TIMEOUT=5

# A directory with ndsctl alone, so that PATH decides how it is done.
mkdir "$tmp/with"
ln -s "$ndsctl" "$tmp/with/ndsctl"
with=$tmp/with:$PATH
without=/nowhere$(tr : '\n' <<<"$PATH" | while read -r dir; do
	[ -x "$dir/ndsctl" ] || printf ':%s' "$dir"
done)

# shut SHELL PATH OPTION...: sets $rc, $said (its last word), $method, $result.
shut() {
	local shell=$1 path=$2
	shift 2
	# shellcheck disable=SC2086
	said=$(PATH=$path $shell "$script" "$@" 2>"$tmp/shut.log")
	rc=$?
	method=$(jq -r .method <<<"$said")
	result=$(jq -r .result <<<"$said")
}

begin() { # with a request in flight
	ndsd_start
	: >"$tmp/flight"
	peer --path /_diag/work --query ms=800 --timeout 20000 "$app" \
	    >"$tmp/flight" &
	flight=$!
	wait_until 5 field_is '[.workers[]|select(.state=="busy")]|length' 1
}

ends() { # SENTENCE
	wait_end "$ndsd_pid" 10
	is "$1: ndsd ended with status 0" "$rc" 0
	wait "$flight"
	like "$1: the request in flight was answered" "$(<"$tmp/flight")" \
	    '^status 200'
}

for shell in "dash" "busybox sh" "bash --posix"; do
	if ! command -v "${shell%% *}" >/dev/null; then
		skip "$shell" "not installed"
		continue
	fi
	begin
	shut "$shell" "$with"
	is "$shell, ndsctl: status" "$rc" 0
	is "$shell, ndsctl: says how" "$method $result" "ndsctl stopped"
	is "$shell, ndsctl: in one line of JSON" \
	    "$(jq -c '[.event,(.drain_ms|type),(.total_ms|type)]' <<<"$said")" \
	    '["shutdown","number","number"]'
	ends "$shell, ndsctl"

	begin
	shut "$shell" "$without"
	is "$shell, signal: status" "$rc" 0
	is "$shell, signal: says how" "$method $result" "signal stopped"
	ends "$shell, signal"

	shut "$shell" "$without"
	is "$shell: nothing to stop is no failure" "$rc $result" "0 not-running"
	shut "$shell" "$with" --no-such-option
	is "$shell: wrong usage is 2" "$rc" 2
	shut "$shell" "$with" -t soon
	is "$shell: a wrong time is 2" "$rc" 2
done

# ---- drain only
ndsd_start
shut sh "$with" -n
is "-n: status" "$rc $result" "0 drained"
ask --path /ready "$health"
is "-n: /ready is 503" "$status_code" 503
ask "$app"
is "-n: the pool serves on" "$status_code" 200
shut sh "$without" -n
is "-n takes ndsctl" "$rc $result" "1 failed"
stop_is 0 "ndsd stops"

# ---- readiness turns first
export APP_DRAIN_MIN=2 APP_DRAIN_MAX=3
ndsd_start
PATH=$without sh "$script" >"$tmp/said" 2>&1 &
script_pid=$!
ok "readiness turns at once" wait_until 1 asks 503 --path /ready "$health"
ask "$app"
is "while the pool serves on" "$status_code" 200
wait "$script_pid"
wait_end "$ndsd_pid" 10
export APP_DRAIN_MIN=0 APP_DRAIN_MAX=1

# ---- a deadline of its own
ndsd_start
peer --path /_diag/work --query ms=4000 --timeout 20000 "$app" >"$tmp/flight" &
flight=$!
wait_until 5 field_is '[.workers[]|select(.state=="busy")]|length' 1
for path in "$with" "$without"; do
	shut sh "$path" -t 500ms
	is "-t: gives up in time" "$rc $result" "1 timeout"
	ok "-t: and kills nobody" kill -0 "$ndsd_pid"
done
wait "$flight"
like "-t: the request is answered all the same" "$(<"$tmp/flight")" '^status 200'
wait_end "$ndsd_pid" 10

# ---- a front that is told to stop at the same moment
use_front
ndsd_start
spawn lighttpd lighttpd -D -f "$srcdir/lighttpd/lighttpd.conf"
lighttpd_pid=$pid
wait_until 5 gets 200 "$url/"
curl -sS -o "$tmp/flight" -w '%{http_code}' "$url/_diag/work?ms=1500" \
    >"$tmp/flight.code" 2>&1 &
flight=$!
wait_until 5 field_is '[.workers[]|select(.state=="busy")]|length' 1
PATH=$with APP_RUNTIME_DIR=$run sh "$script" --after-front >"$tmp/after" \
    2>>"$tmp/shut.log" &
after=$!
pids+=("$after")
kill -INT "$lighttpd_pid"
wait "$flight"
is "--after-front: a request through a front that ends is answered" \
    "$(<"$tmp/flight.code")" 200
wait_end "$after" 10
is "--after-front: then the pool is stopped" \
    "$rc $(jq -r .result "$tmp/after")" "0 stopped"
ok "--after-front: the front has ended before" gone "$lighttpd_pid"
wait_end "$ndsd_pid" 10
ndsd_start
spawn lighttpd lighttpd -D -f "$srcdir/lighttpd/lighttpd.conf"
lighttpd_pid=$pid
wait_until 5 gets 200 "$url/"
PATH=$with APP_RUNTIME_DIR=$run sh "$script" --after-front -t 700ms >"$tmp/after" \
    2>>"$tmp/shut.log"
is "--after-front: a front that stays is awaited" \
    "$(jq -r .result "$tmp/after") $(gets 200 "$url/ready"; echo "$code")" \
    "timeout 200"
kill -INT "$lighttpd_pid"
kill -TERM "$ndsd_pid"
wait_end "$ndsd_pid" 10

# ---- as a sidecar
ndsd_start
PATH=$with APP_RUNTIME_DIR=$run sh "$script" --sidecar >"$tmp/sidecar" \
    2>>"$tmp/shut.log" &
sidecar=$!
pids+=("$sidecar")
traps() { grep -q '^SigCgt:.*[4567cdef]...$' "/proc/$sidecar/status"; }
wait_until 5 traps
ok "--sidecar waits" ready
kill -TERM "$sidecar"
wait_end "$ndsd_pid" 10
is "--sidecar stops ndsd at SIGTERM" "$rc" 0
wait_end "$sidecar" 5
is "--sidecar: status" "$rc" 0
is "--sidecar: says so" "$(jq -r .result "$tmp/sidecar")" stopped
done_testing
