#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Workers that have served enough, or grown too large, are replaced between
# requests, and nobody notices.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_MAX_REQUESTS=500
ndsd_start
before=$(workers)
peer --many 4 --repeat 2000 "$app" >"$tmp/many" 2>&1
is "8000 requests over workers of 500 each: none is lost" \
    "$(sed -n 's/^whole //p' "$tmp/many")" 8000
is "nor is one a 5xx" "$(field .counters.status_5xx)" 0
all_new() {
	local p
	for p in $before; do
		! grep -qw "$p" <<<"$(workers)" || return 1
	done
}
ok "all workers are new" wait_until 10 all_new
two() { [ "$(field '[.workers[]|select(.state=="idle")]|length')" = 2 ]; }
ok "and as many as before" wait_until 5 two
is "which is no death" "$(field .counters.workers_died)" 0
stop_is 0 "it stops"

# ---- by memory: less than any worker needs, so that each is replaced at once
export APP_MAX_REQUESTS=0 APP_MAX_RSS=64k
ndsd_start
before=$(workers)
ok "workers beyond APP_MAX_RSS are replaced" wait_until 10 all_new
ask "$app"
is "while others answer" "$status_code" 200
stop_is 0 "it stops then"

# ---- by memory within one request
export APP_MAX_RSS=40m APP_WORKERS=1
ndsd_start -- "$(program tests/peer/hazard-responder)" plain
worker=$(workers)
guardian=$(field '.workers[0].guardian_pid')
adj=$(<"/proc/$guardian/oom_score_adj")
want=$((adj + 500 > 1000 ? 1000 : adj + 500))
is "a worker volunteers to be killed when memory gets short (hazard 7)" \
    "$(<"/proc/$worker/oom_score_adj")" "$want"
from=$(now_ms)
ask --path /grow --header "X-Request-Id: grown-1" "$app"
took=$(($(now_ms) - from))
is "a request beyond twice APP_MAX_RSS is answered 502 (hazard 7)" \
    "$status_code" 502
like "with its id and the reason" "$answer" \
    'more memory than it may","request_id":"grown-1"'
ok "long before its deadline ($took ms)" test "$took" -lt $((1000 * scale))
is "and is not run again" "$(field .counters.replayed)" 0
is "it counts as lost" "$(field .counters.lost)" 1
ok "the next worker serves" wait_until 5 asks 200 --path /fds "$app"
is "under the same guardian" "$(field '.workers[0].guardian_pid')" "$guardian"
stop_is 0 "it stops with that"
done_testing
