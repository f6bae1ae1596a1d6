#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119,SC2317
#
# Signals that reach more than the main process (hazard 22): Ctrl-C goes to a
# whole process group, and a service manager may signal all that it has started.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
use_front
export APP_WORKERS=2 APP_DRAIN_MIN=2 APP_DRAIN_MAX=4
busy() { [ "$(field '[.workers[]|select(.state=="busy")]|length')" -ge 1 ]; }

# ---- Ctrl-C in the terminal that it was started from
ndsd_begin_group() {
	spawn ndsd setsid "$ndsd" "$@"
	ndsd_pid=$pid
	wait_until 10 ready
}
ndsd_begin_group --front=lighttpd
wait_until 5 gets 200 "$url/"
group=()
for p in $(ours); do
	[ "$(ps -o pgid= -p "$p" | tr -d ' ')" != "$ndsd_pid" ] || group+=("$p")
done
is "the main process is alone in its group (hazard 22)" "${group[*]}" "$ndsd_pid"
curl -sS -o "$tmp/flight" -w '%{http_code}' "$url/_diag/work?ms=1500" \
    >"$tmp/flight.code" 2>&1 &
flight=$!
wait_until 5 busy
kill -INT -- "-$ndsd_pid"
is "Ctrl-C: who comes while balancers learn of it is served (hazard 22)" \
    "$("$(program nds-prove)" --json -c 2 --new --rate 40 -d 1 "$url/" |
    jq -c '.whole.fates|with_entries(select(.value>0))|keys')" '["answered"]'
wait "$flight"
is "Ctrl-C: a request in flight is answered" "$(<"$tmp/flight.code")" 200
wait_end "$ndsd_pid" 15
is "Ctrl-C: status" "$rc" 0

# ---- every process at once, as KillMode=control-group has it
export APP_DRAIN_MIN=0 APP_DRAIN_MAX=1
heard() { [ "$(field .state)" != running ]; }
for sig in TERM INT QUIT; do
	ndsd_begin_group
	# not one of them
	env -u APP_RUNTIME_DIR "$(program tests/peer/fcgi-peer)" \
	    --path /_diag/work --query ms=1000 --timeout 20000 "$app" \
	    >"$tmp/flight" &
	flight=$!
	wait_until 5 busy
	victim=$(field '.workers[]|select(.state=="busy")|.pid')
	mapfile -t all < <(ours)
	kill "-$sig" "${all[@]}" 2>/dev/null # one takes another with it
	wait_until 5 heard
	kill -KILL "$victim"
	wait "$flight"
	like "$sig to all: its guardian answers a request in flight (hazard 22)" \
	    "$(<"$tmp/flight")" '^status 200'
	wait_end "$ndsd_pid" 15
	is "$sig to all: status" "$rc" 0
done
ok "nothing is left" wait_until 5 none_of_ours
done_testing
