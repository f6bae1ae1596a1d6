#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the guardian settles when a worker dies in a request or hangs in it:
# nobody gets an empty, a doubled or a shortened answer that looks whole.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_REQUEST_TIMEOUT=2 APP_SHUTDOWN_TIMEOUT=20
ndsd_start

busy_worker() { field '[.workers[]|select(.state=="busy")|.pid]|first//empty'; }
has_busy() { [ -n "$(busy_worker)" ]; }
whole() { [ "$(field '[.workers[]|select(.state=="idle")]|length')" = 2 ]; }
counted() { field ".counters.$1"; }

# ---- a hang
guardians=$(field '[.workers[].guardian_pid]|sort|map(tostring)|join(" ")')
before=$(workers)
from=$(now_ms)
ask --path /_diag/hang --header "X-Request-Id: hung-1" --timeout 20000 "$app"
took=$(($(now_ms) - from))
is "a request past its deadline is answered 504 (hazard 1)" "$status_code" 504
ok "at its deadline ($took ms)" \
    test "$took" -ge 1950 -a "$took" -lt $((2000 + 250 * scale))
like "as a problem with its id" "$answer" '"request_id":"hung-1"'
like "whole" "$answer" '^end 0'
ok "and both workers serve again" wait_until 5 whole
ok "one of them is new" test "$before" != "$(workers)"
is "under the same guardians" \
    "$(field '[.workers[].guardian_pid]|sort|map(tostring)|join(" ")')" \
    "$guardians"
is "it is counted" "$(counted expired)" 1

# ---- what must not be run again
ask --method POST --path /_diag/crash --query signal=9 \
    --header "X-Request-Id: once-1" "$app"
is "a POST that kills its worker is answered 502 (hazard 25)" "$status_code" 502
like "with its id" "$answer" '"request_id":"once-1"'
once() { ctl logs --request once-1 | grep -m 1 '"status":502'; }
ok "that is in the log" wait_until 5 once
is "with its size" "$(once | jq .bytes)" \
    "$(sed -n 's/^header Content-Length: //Ip' <<<"$answer")"
is "and was run once" "$(counted replayed)" 0
wait_until 5 whole

# ---- a stream under way
peer --path /_diag/slow-start --query ms=1500 --timeout 20000 "$app" \
    >"$tmp/stream" &
stream=$!
wait_until 5 has_busy
kill -KILL "$(busy_worker)"
wait "$stream"
unlike "a stream whose worker died does not end as if whole (hazard 4)" \
    "$(<"$tmp/stream")" '^end 0'
wait_until 5 whole

# ---- deaths under load, at any moment
peer --many 4 --repeat 1000 --path /_diag/work --query ms=3 "$app" >"$tmp/many" 2>&1 &
crowd=$!
deaths=0
replaced() { [ "$(wc -w <<<"$(workers)")" = 2 ] && ! grep -qw "$victim" <<<"$(workers)"; }
while ! gone "$crowd" && [ "$deaths" -lt 40 ]; do
	read -r victim _ <<<"$(workers)"
	kill -KILL "$victim" 2>/dev/null && deaths=$((deaths + 1))
	wait_until 5 replaced
done
wait "$crowd"
is "$deaths deaths under load cost none of 4000 requests (hazard 1)" \
    "$(sed -n 's/^whole //p' "$tmp/many")" 4000
is "nor was one of them a 5xx" "$(counted status_5xx)" 3

is "the statuses add up to the requests" \
    "$(field '.counters|[.status_1xx,.status_2xx,.status_3xx,.status_4xx,.status_5xx]|add')" \
    "$(counted requests)"

# ---- the guardian itself
peer --path /_diag/work --query ms=1000 --timeout 20000 "$app" \
    >"$tmp/flight" &
flight=$!
wait_until 5 has_busy
kill -KILL "$(field '[.workers[]|select(.state=="busy")|.guardian_pid]|first')"
wait "$flight"
like "a request whose guardian died is answered" "$(<"$tmp/flight")" \
    '^status 200'
ok "and the slot is filled again" wait_until 5 whole
stop_is 0 "it stops"

# ---- a route with a deadline of its own
export APP_REQUEST_TIMEOUT=5
ndsd_start -- "$(program tests/peer/bad-responder)" stderr
from=$(now_ms)
ask --path /short --timeout 20000 "$app"
took=$(($(now_ms) - from))
is "a route's own deadline is kept" "$status_code" 504
ok "to the time ($took ms)" \
    test "$took" -ge 290 -a "$took" -lt $((300 + 250 * scale))
stop_is 0 "and it stops"
done_testing
