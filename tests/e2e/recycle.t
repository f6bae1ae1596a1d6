#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Workers that have served enough, or grown too large, are replaced between
# requests, and nobody notices.
. "${srcdir:-.}/tests/e2e/lib.sh"
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
done_testing
