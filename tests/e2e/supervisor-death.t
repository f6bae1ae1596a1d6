#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# The supervisor is killed: requests go on, the same workers serve, and within
# a second another supervisor knows everything that the first one knew.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=2
ndsd_start
for _ in 1 2 3; do
	ask "$app"
done
before=$(status)
victim=$(jq .supervisor.pid <<<"$before")
pids_before=$(workers)
requests=$(jq '[.workers[].requests]|add' <<<"$before")

back() { status | jq -e ".supervisor.pid != $victim"; }
died() { [ "$(field .supervisor.restarts)" = "$1" ]; }

peer --many 2 --repeat 2000 "$app" >"$tmp/many" 2>&1 &
crowd=$!
from=$(now_ms)
kill -KILL "$victim"
ask "$app"
is "a request right after the kill is answered" "$status_code" 200
ask --path /live "$health"
is "so is /live" "$status_code" 200
ok "another supervisor is there" wait_until 5 back
took=$(($(now_ms) - from))
ok "within a second ($took ms)" test "$took" -lt $((500 * scale))
wait "$crowd"
is "no request was lost" "$(grep '^partial\|^refused' "$tmp/many" | tr '\n' ' ')" \
    "partial 0 refused 0 "
is "the main process is the same" "$(field .pid)" "$ndsd_pid"
is "the workers are the same" "$(workers)" "$pids_before"
is "the restart is counted" "$(field .supervisor.restarts)" 1
ok "counters do not go back" test "$(field '[.workers[].requests]|add')" -ge \
    $((requests + 4000))
like "it is told" "$(<"$tmp/ndsd.log")" 'supervisor.*(died|kill)'

# What it took over, it can still manage.
read -r worker _ <<<"$(workers)"
replaced() { [ "$(workers | wc -w)" = 2 ] && ! grep -qw "$worker" <<<"$(workers)"; }
kill -KILL "$worker"
ok "it replaces a worker that it did not start" wait_until 5 replaced
ok "it scales" ctl scale 3
is "to three" "$(field '.workers|length')" 3

# A worker dies while there is no supervisor.
read -r worker _ <<<"$(workers)"
kill -KILL "$(field .supervisor.pid)" "$worker"
ok "a death in between is noticed" wait_until 5 \
    eval 'died 2 && [ "$(workers | wc -w)" = 3 ] && ! grep -qw "$worker" <<<"$(workers)"'

# While draining.
ctl drain >/dev/null
kill -KILL "$(field .supervisor.pid)"
wait_until 5 died 3
ask --path /ready "$health"
is "a drain goes on under the next one" "$status_code" 503
ctl undrain >/dev/null
ask "$app"
is "the pool serves" "$status_code" 200
stop_is 0 "it stops with status 0"
ok "nothing is left" wait_until 2 none_of_ours
done_testing
