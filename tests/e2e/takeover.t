#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# The main process was killed and its workers serve on (keeper-death.t): they do
# so until the workers of the next ndsd can, and longer if those never can, or
# if that ndsd ends before.  Programs without libnds are told to end then.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
[ -z "$sanitize" ] || export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
export APP_WORKERS=2 APP_START_TIMEOUT=$scale
export APP_REQUEST_TIMEOUT=1
export DEPENDENCY=$app # of examples/checks: somebody always answers there
checks=$(program examples/checks)

killed() { # the main process: its supervisor ends as well
	supervisor=$(field .supervisor.pid)
	kill -KILL "$ndsd_pid"
	wait_end "$ndsd_pid" 5
	wait_until 5 gone "$supervisor"
}
places() { stat -c %i "$app" "$health" "$run/ndsd.pid" | tr '\n' ' '; }
taken() { [ "$(cat "$run/ndsd.pid")" = "$ndsd_pid" ]; }
litter() { (cd "$run" && find . -name '.?*' -o -name '*.new'); }
says() { [ "$(grep -cE "$1" "$tmp/ndsd.log")" -ge "$2" ]; }
never="$(program tests/peer/bad-responder)"

# ---- one that never gets ready
ndsd_start -- "$checks"
first=$ndsd_pid
read -ra orphans <<<"$(left)"
before=$(places)
killed
ndsd_begin -- "$never" never-ready
second=$ndsd_pid
ok "a new worker is given up, and another" wait_until 10 \
    says 'does not become ready in time, killed' 4
is "meanwhile everything is in the place of the one before" "$(places)" "$before"
ask "$app"
is "whose workers serve" "$status_code" 200
ask --path /ready "$health"
is "and are ready" "$status_code" 200
ok "none of them has left" kill -0 "${orphans[@]}"
refused "the lock keeps a third one out" 1 "another ndsd .pid $second. runs" "$ndsd"
ok "it can be asked how it stands" field_is .pid "$second"
kill -TERM "$ndsd_pid"
wait_end "$ndsd_pid" 15
like "it stops, killed workers or not" "$rc" '^[04]$'
is "and leaves what it did not get" "$(places)" "$before"
is "and nothing else" "$(litter)" ""

# ---- one that is killed before
ndsd_begin -- "$never" exit
wait_until 5 says 'exited with status 3' 2
killed
is "one that is killed before it is ready changes nothing" "$(places)" "$before"
ask "$app"
is "the first one's workers serve" "$status_code" 200
ok "none of them has left" kill -0 "${orphans[@]}"

# ---- a good one
: >"$tmp/asking"
while [ -e "$tmp/asking" ]; do
	ask --path /ready "$health"
	echo "$status_code"
done >"$tmp/probes" &
probes=$!
wait_until 5 test -s "$tmp/probes"
ndsd_begin -- "$checks"
like "one that can serve tells of the one before" \
    "$(wait_until 5 says 'was killed here' 3; cat "$tmp/ndsd.log")" \
    "ndsd .pid $first. was killed here"
ok "and takes its places" wait_until 10 taken
is "all of them" "$(places | tr ' ' '\n' | grep -cxF "$(tr ' ' '\n' <<<"$before" | grep .)")" 0
ok "the old responders end" wait_until 5 all_gone "${orphans[@]}"
rm "$tmp/asking"
wait "$probes"
is "/ready was 200 all the time" "$(sort "$tmp/probes" | uniq)" 200
is "what was killed before it was ready has left nothing" "$(litter)" ""

# ---- whose workers began before they had their place
read -ra orphans <<<"$(left)"
killed
# the product's time: more than orphans linger that have lost theirs
read -r -t $((2 * scale)) -u "$nap_fd" _
ok "its workers know it nevertheless" kill -0 "${orphans[@]}"
ask "$app"
is "and serve when it is killed" "$status_code" 200
ndsd_begin -- "$checks"
wait_until 10 taken
ok "until another comes" wait_until 5 all_gone "${orphans[@]}"
stop_is 0 "it stops"
ok "nothing is left" wait_until 5 none_of_ours

# ---- on the same sockets
cp "$responder" "$tmp/served"
put() { cp "$1" "$tmp/new" && chmod +x "$tmp/new" && mv "$tmp/new" "$tmp/served"; }
printf '#!/bin/sh\nexec "%s" never-ready\n' "$never" >"$tmp/bad"
: >"$tmp/ndsd.log"
spawn ndsd "$(program tests/peer/activate)" -n app:health "$app" "$health" \
    -- "$ndsd" -- "$tmp/served"
activate_pid=$pid
wait_until 10 ready
read -ra orphans <<<"$(left)"
put "$tmp/bad"
kill -KILL "$(field .pid)"
ok "one on handed-in sockets does not get ready" wait_until 20 \
    says 'does not become ready in time, killed' 4
ok "those that share them stay" kill -0 "${orphans[@]}"
ask "$app"
is "and serve" "$status_code" 200
put "$responder"
ctl reload >"$tmp/said" 2>&1
ok "until it can" wait_until 20 all_gone "${orphans[@]}"
ask "$app"
is "which serves" "$status_code" 200
kill -TERM "$activate_pid"
wait_end "$activate_pid" 15
ok "nothing is left" wait_until 5 none_of_ours

# ---- without libnds
stock=$(program tests/peer/stock-responder)
ndsd_start -- "$stock"
read -ra orphans <<<"$(workers)"
killed
peer --many 4 --repeat 1 --query ms=300 --timeout $((10000 * scale)) "$app" \
    >"$tmp/waiting" &
waiting=$!
ok "what serves without libnds goes on" asks 200 --timeout 20000 "$app"
ndsd_begin -- "$stock"
wait_until 10 taken
wait "$waiting"
is "and answers who waits there" "$(sed -n 's/^status 200 //p' "$tmp/waiting")" 4
ok "then it is told to end" wait_until 5 all_gone "${orphans[@]}"
ask "$app"
is "and the new one serves" "$status_code" 200
stop_is 0 "it stops"
ok "nothing is left" wait_until 5 none_of_ours
done_testing
