#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the fronts make of a death: an answer broken off is never spliced into
# the next one (hazard 4), a poison request is tried twice and no more
# (hazard 25), and an early refusal arrives (hazard 11).
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq lighttpd
use_front
export APP_WORKERS=2 APP_SHUTDOWN_TIMEOUT=25 APP_MAX_BODY=100k
ndsd_start
spawn lighttpd lighttpd -D -f "$APP_FRONT_CONFIG"
wait_until 5 gets 200 "$url/"
fronts=(lighttpd "$url")
! nginx_start || fronts+=(nginx "$nginx_url")

streaming() { [ "$(field '[.workers[]|select(.state!="idle")]|length')" -ge 1 ]; }
busy() { field '[.workers[]|select(.state!="idle")|.pid][0]'; }
whole() { [ "$(field '[.workers[]|select(.state=="idle")]|length')" = 2 ]; }
tries() { grep -c 'asked to die of signal' "$tmp/ndsd.log"; }
twice_more() { [ "$(tries)" = $((before + 2)) ]; }
served() { grep -c '"path":"/_diag/crash"' "$tmp/ndsd.log"; }

each() { # FRONT URL
	local client early=0 i
	# Two requests on one connection; the first dies behind its first part.
	curl -sS -m 20 -o "$tmp/first" -w '%{http_code} %{size_download}\n' \
	    "$2/_diag/slow-start?ms=3000" --next -sS -m 20 -o "$tmp/second" \
	    -w '%{http_code}\n' "$2/version" >"$tmp/codes" 2>"$tmp/curl.err" &
	client=$!
	wait_until 5 streaming
	kill -KILL "$(busy)"
	wait "$client"
	unlike "$1: a broken answer is not whole (hazard 4)" \
	    "$(head -n 1 "$tmp/codes")" '^200 23'
	like "$1: its connection is closed at once" "$(<"$tmp/curl.err")" \
	    '^curl: \((18|52)\)'
	unlike "$1: nor is another spliced into it" "$(<"$tmp/first")" version
	like "$1: the next has its own" "$(<"$tmp/second")" '^\{"version"'
	wait_until 5 whole

	before=$(tries)
	get -H "X-Request-Id: poison-$1" "$2/_diag/crash?signal=9"
	is "$1: a poison request is answered 502 (hazard 25)" "$code" 502
	like "$1: by us, with its id" "$body" "\"request_id\":\"poison-$1\""
	wait_until 3 twice_more
	is "$1: after exactly two tries" $(($(tries) - before)) 2
	wait_until 5 whole

	for ((i = 0; i < 8; i++)); do
		get --data-binary @<(head -c 300000 /dev/zero) "$2/no/such"
		[ "$code" = 404 ] || [ "$code" = 413 ] || early=$((early + 1))
	done
	is "$1: a refusal arrives while the body still comes (hazard 11)" \
	    "$early" 0
}
for ((i = 0; i < ${#fronts[@]}; i += 2)); do
	each "${fronts[@]:i:2}"
done
stop_is 0 "it stops"
done_testing
