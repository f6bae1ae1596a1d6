#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119
#
# A slow request is told while it runs, once, with the place where its handler
# stands, and its worker goes on at once.  A crash is told likewise.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_SLOW=200ms APP_WORKERS=2
ndsd_start -- "$(program tests/peer/traced)"

lines() { grep '"slow request"' "$tmp/ndsd.log"; }
told() { [ "$(lines | wc -l)" -ge "$1" ]; }
of() { lines | tail -n 1 | jq -r ".$1"; }

ask --path /orders/1 "$app"
peer --path /slow --query secret=1 --header 'X-Request-Id: tortoise' \
    --timeout 20000 "$app" >"$tmp/flight" &
flight=$!
ok "a slow request is told while it runs" wait_until 5 told 1
is "by its id" "$(of request_id)" tortoise
like "with its trace" "$(of trace_id)" '^[0-9a-f]{32}$'
is "and what was asked, without the query" "$(of '|[.method,.path]|join(" ")')" "GET /slow"
ok "not before its time" test "$(of running_ms)" -ge 200
if grep -q -e -DHAVE_LIBDW "$builddir/Makefile" &&
    [ "$(of stack_missing)" = null ]; then
	like "with the place where its handler stands" "$(of stack)" \
	    'nanosleep.* < wait_for_it( traced\.c:[0-9]+)? < slow( traced\.c:[0-9]+)? < .* < .*nds_run'
	ok "its worker was held for $(of held_ms) ms" \
	    test "$(of 'held_ms|floor')" -lt $((10 * scale))
	diag "$(of stack)"
else
	like "or why that is not known" "$(of stack_missing)" 'ptrace'
fi
wait "$flight"
like "it is answered" "$(<"$tmp/flight")" '^status 200'
is "it was told once" "$(lines | wc -l)" 1

ask --path /slow "$app"
ok "so is the next one" told 2
observer() { pgrep -f "^$builddir/nds-observer" -P "$(field .supervisor.pid)"; }
peer --path /slow --timeout 20000 "$app" >"$tmp/flight" &
flight=$!
ok "and the next" wait_until 5 told 3
kill -KILL "$(observer)"
wait "$flight"
ask --path /slow "$app"
ok "an observer that comes tells what it sees" told 4
is "and nothing that was told" "$(lines | wc -l)" 4

# ---- an observer that is stopped is replaced
before=$(observer)
kill -STOP "$before"
replaced() { gone "$before" && [ -n "$(observer)" ]; }
ok "an observer that is stopped is replaced" wait_until 20 replaced

# ---- crashes
crashes() { grep '"worker crashed"' "$tmp/ndsd.log"; }
crashed() { [ "$(crashes | wc -l)" -ge "$1" ]; }
crash() { crashes | tail -n 1 | jq -r ".$1"; }
if [ -z "$sanitize" ]; then
	ask --path /null --header 'X-Request-Id: icarus' "$app"
	is "a request whose worker crashed is run again" "$status_code" 200
	ok "the crash is told" wait_until 5 crashed 1
	ok "of the one that died" grep -q "(pid $(crash pid)) died of SIGSEGV" \
	    "$tmp/ndsd.log"
	is "by signal, address and request" \
	    "$(crash '|[.signal,.address,.request_id,.request]|join(" ")')" \
	    "SIGSEGV 0x0 icarus run again"
	like "with its trace" "$(crash trace_id)" '^[0-9a-f]{32}$'
	! grep -q -e -DHAVE_LIBDW "$builddir/Makefile" ||
	    like "and the place" "$(crash stack)" \
		'^follow_it( traced\.c:[0-9]+)? < follow_null( traced\.c:[0-9]+)? < .* < .*nds_run'
	ask --path /null --method POST "$app"
	is "one that may not be run again is answered 502" "$status_code" 502
	ok "that crash is told" wait_until 5 crashed 2
	is "as a loss" "$(crash request)" lost
	like "it dies as without us" "$(grep 'died of' "$tmp/ndsd.log")" 'SIGSEGV'
fi
stop_is 0 "it stops"

# ---- where nobody may look at another process
denied=$(program tests/peer/denied)
if "$denied" ptrace true; then
	before=$(lines | wc -l)
	# nor can a sanitizer look for leaks then
	ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 \
	    spawn ndsd "$denied" ptrace "$ndsd" -- "$(program tests/peer/traced)"
	ndsd_pid=$pid
	wait_until 10 ready_or_dead
	ask --path /slow --header 'X-Request-Id: unseen' "$app"
	is "without ptrace a slow request is answered" "$status_code" 200
	ok "and told" told $((before + 1))
	is "by its id" "$(of request_id)" unseen
	like "with a clear word for why there is no stack" "$(of stack_missing)" \
	    '^ptrace is not allowed \(.*seccomp.*yama'
	is "and none is made up" "$(of stack)" null
	if [ -z "$sanitize" ]; then
		before=$(crashes | wc -l)
		ask --path /null "$app"
		ok "a crash is told as ever" wait_until 5 crashed $((before + 1))
		! grep -q -e -DHAVE_LIBDW "$builddir/Makefile" ||
		    like "with its stack, which its own process has noted" \
			"$(crash stack)" '^follow_it.* < follow_null'
	fi
	stop_is 0 "it stops"
else
	skip "without ptrace a slow request is told" "no seccomp here"
fi

# ---- crashes that nobody sees happen
if [ -z "$sanitize" ]; then
	export APP_SLOW=0 APP_WORKERS=1
	ndsd_start -- "$(program tests/peer/traced)"
	has_observer() { [ -n "$(observer)" ]; }
	ok "crashes are told also without traces and slow requests" \
	    wait_until 5 has_observer
	before=$(crashes | wc -l)
	kill -STOP "$(observer)"
	ask --path /null --method POST --header 'X-Request-Id: first' "$app"
	ask --path /null --method POST --header 'X-Request-Id: unseen' "$app"
	kill -KILL "$(observer)"
	ok "what crashed while it was away the next observer tells" \
	    wait_until 10 crashed $((before + 1))
	is "the last, and how many" "$(crash '|[.request_id,.crashes]|tostring')" \
	    '["unseen",2]'
	kill -KILL "$(observer)"
	ask --path /null --method POST --header 'X-Request-Id: third' "$app"
	ok "and no crash twice" wait_until 10 crashed $((before + 2))
	is "nor a count of those told" "$(crash '|[.request_id,.crashes]|tostring')" \
	    '["third",null]'
	stop_is 0 "it stops again"
fi
done_testing
