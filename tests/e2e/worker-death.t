#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# Workers die: the slot serves again at once, the others never stop, and one
# that dies young is not started over and over.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=2 APP_START_TIMEOUT=1
# A crash shall be one, and no report of it.
[ -z "$sanitize" ] || export ASAN_OPTIONS=$ASAN_OPTIONS:handle_segv=0
ndsd_start

idle() { field '[.workers[]|select(.state=="idle")]|length'; }
whole() { [ "$(idle)" = 2 ]; }
replaced() { whole && not grep -qw "$victim" <<<"$(workers)"; }

# A worker that lived for a second has proved itself: the next start is
# immediate.
age_ms() {
	awk -v hz="$(getconf CLK_TCK)" 'NR == FNR { now = $1; next }
	    { sub(/.*\) /, ""); printf "%d\n", (now - $20 / hz) * 1000 }' \
	    /proc/uptime "/proc/$1/stat"
}
grown() {
	local p
	for p in $(workers); do
		[ "$(age_ms "$p")" -ge 1100 ] || return 1
	done
}

told_of() {
	grep "(pid $victim)" "$tmp/ndsd.log" |
	    grep -q "died of SIG$1.*next one at once"
}

for sig in KILL SEGV ABRT; do
	wait_until 5 grown
	read -r victim other <<<"$(workers)"
	from=$(now_ms)
	kill -"$sig" "$victim"
	ok "a worker that died of SIG$sig is replaced" wait_until 5 replaced
	took=$(($(now_ms) - from))
	ok "at once ($took ms)" test "$took" -lt $((500 * scale))
	ok "the other one lives" grep -qw "$other" <<<"$(workers)"
	ok "its death is told, and the next start" wait_until 3 told_of "$sig"
done
is "each death is counted" "$(field .counters.workers_died)" 3

# Requests go on while a worker is not there.
wait_until 5 grown
peer --many 2 --repeat 1000 "$app" >"$tmp/many" 2>&1 &
crowd=$!
read -r victim _ <<<"$(workers)"
ask --path /_diag/crash --query signal=11 "$app"
is "a request that kills its worker is answered 502 (hazard 25)" "$status_code" 502
like "whole" "$answer" '^end 0'
crashes() { grep '"worker crashed"' "$tmp/ndsd.log" | jq -r .request; }
crash_told() { crashes | grep -qx lost; }
ok "and its crash is told" wait_until 5 crash_told
wait "$crowd"
is "others are answered meanwhile" "$(sed -n 's/^whole //p' "$tmp/many")" 2000
wait_until 5 whole

# One that did nothing wrong is served to its end by the next worker.
busy_worker() { field '[.workers[]|select(.state=="busy")|.pid]|first//empty'; }
has_busy() { [ -n "$(busy_worker)" ]; }
peer --path /_diag/work --query ms=$((400 * scale)) --timeout 20000 "$app" \
    >"$tmp/flight" &
flight=$!
wait_until 5 has_busy
kill -KILL "$(busy_worker)"
wait "$flight"
like "a GET whose worker was killed is answered (hazard 2)" "$(<"$tmp/flight")" '^status 200'
wait_until 5 whole

# Descriptors of the dead are given back.
supervisor=$(field .supervisor.pid)
fds() { find "/proc/$supervisor/fd" "/proc/$ndsd_pid/fd" -mindepth 1 2>/dev/null | wc -l; }
before=$(fds)
for _ in 1 2 3; do
	wait_until 5 grown
	read -r victim other <<<"$(workers)"
	kill -KILL "$victim" "$other"
	wait_until 5 replaced
done
if [ "$before" -gt 0 ]; then
	ok "descriptors are not lost over six deaths ($before, $(fds))" \
	    test "$(fds)" -le $((before + 1))
else
	skip "descriptors are not lost over six deaths" "root alone can count them"
fi
stop_is 0 "it stops"

# ---- dying young
spawn young "$ndsd" -- "$(program tests/peer/bad-responder)" start-fails
ndsd_pid=$pid
told() { grep -Eq 'next start in|again in' "$tmp/young.log"; }
ok "dying young is told with the next start" wait_until 10 told
ok "ready is not claimed" not ready
long_enough() { [ "$(field .uptime_s)" -ge 3 ]; }
wait_until 5 long_enough
died=$(field .counters.workers_died)
ok "starts are held back ($died in three seconds)" test "$died" -le 14
ok "and yet tried again" test "$died" -ge 4
ask --path /live "$health"
like "/live is answered all the while" "$status_code" '^(200|503)$'
ask --path /ready "$health"
is "/ready says no" "$status_code" 503
kill -TERM "$ndsd_pid"
wait_end "$ndsd_pid" 15
ok "it stops all the same" test "$rc" = 0
done_testing
