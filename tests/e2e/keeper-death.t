#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# The main process is killed (hazard 6): whoever it leaves behind serves until
# another ndsd has come, and then goes.  With sockets of its own, with a
# lighttpd that it ran, and with sockets that were handed to it.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
# Looking for leaks traces a process that is about to end, and some of these
# have lost their parents then.
[ -z "$sanitize" ] || export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
need jq
use_front
prove=$(program nds-prove)
export APP_WORKERS=2 APP_START_TIMEOUT=1

# prove_begin SECONDS PATH: load in the background. prove_end sets $told, all
# that it said, and $lost: its status and what was not answered.
prove_begin() {
	spawn prove "$prove" --json -c 4 --new --rate 200 -d "$1" "$url$2"
	prove_pid=$pid
	wait_until 5 busy
}
busy() { [ "$(field .counters.requests)" -gt 20 ]; }
prove_end() {
	wait_end "$prove_pid" 30
	told=$(grep '^{' "$tmp/prove.log" | tail -n 1)
	: >"$tmp/prove.log"
	lost="$rc $(jq -c '.whole.fates|with_entries(select(.value>0))|del(.answered)' <<<"$told")"
}
# The probes that the one before has left behind say ready too.
follows() {
	ndsd_begin "$@"
	wait_until 10 mine
}
mine() { field_is .pid "$ndsd_pid" && [ "$(cat "$run/ndsd.pid")" = "$ndsd_pid" ] && ready; }
is_new() { [ "$(inode "$1")" != "$2" ]; }

# ---- a front of its own kind, and another ndsd in the same directory
ndsd_start
spawn lighttpd lighttpd -D -f "$APP_FRONT_CONFIG"
lighttpd_pid=$pid
wait_until 5 gets 200 "$url/"
first=$ndsd_pid
read -ra orphans <<<"$(left)"
read -r worker _ <<<"$(workers)"
supervisor=$(field .supervisor.pid)
before=$(inode "$app")
prove_begin 4 '/_diag/work?ms=5'
kill -STOP "$supervisor"
kill -KILL "$first"
wait_end "$first" 5
ok "a supervisor ends with its main process, even a stopped one (hazard 6)" \
    wait_until 5 all_gone "$supervisor"
like "and says so" "$(<"$tmp/ndsd.log")" 'main process is gone, workers serve on'
get "$url/"
is "requests are served without ndsd" "$code" 200
ask --path /live "$health"
is "so are probes" "$status_code" 200
ok "the old responders stay as long as nobody comes" \
    not all_gone "${orphans[@]}"
# One of them dies meanwhile: its guardian makes another.
kill -KILL "$worker"
ok "another ndsd begins in the same directory" follows
like "and says what became of the one before" "$(<"$tmp/ndsd.log")" \
    "ndsd \(pid $first\) was killed here"
ok "with a socket of its own" is_new "$app" "$before"
ok "the old responders end by themselves" wait_until 5 all_gone "${orphans[@]}"
# Counted behind the look: a wc beside it would be one of ours.
old_ended() {
	local found
	found=$(ours)
	[ "$(wc -w <<<"$found")" = "$1" ]
}
count=$(left | wc -w)
prove_end
is "none of $(jq .whole.requests <<<"$told") requests was lost (hazard 6)" "$lost" "0 {}"
# main, supervisor, health, shedder, observer, the front, the new responders
ok "nothing of the old one is left" wait_until 5 old_ended $((count + 6))
ask --path /live "$health"
is "the new one answers probes" "$status_code" 200

# A worker that its guardian makes when another ndsd has come already knows that
# it is not at home there, and yet it answers what it was made for.
read -ra orphans <<<"$(left)"
peer --path /_diag/work --query ms=1500 --timeout $((10000 * scale)) "$app" \
    >"$tmp/long" 2>&1 &
long=$!
busy_one() { status | jq -e '[.workers[]|select(.state=="busy")][0].pid' >"$tmp/busy"; }
wait_until 5 busy_one
kill -KILL "$ndsd_pid"
wait_end "$ndsd_pid" 5
ok "another one begins while a request is in hand" follows
kill -KILL "$(<"$tmp/busy")"
wait "$long"
like "which is answered although its worker dies then" "$(<"$tmp/long")" \
    '^status 200'
ok "and the responder that did it ends" wait_until 5 all_gone "${orphans[@]}"
is "the lock keeps a third one out" "$("$ndsd" 2>&1 | grep -c "another ndsd (pid $ndsd_pid) runs")" 1
kill -INT "$lighttpd_pid"
wait_end "$lighttpd_pid" 10
stop_is 0 "it stops"
ok "nothing is left" wait_until 5 none_of_ours

# ---- in a stop: nobody comes after it
export APP_DRAIN_MAX=1
ndsd_start
peer --path /_diag/work --query ms=1000 --timeout $((10000 * scale)) "$app" \
    >"$tmp/long" 2>&1 &
long=$!
wait_until 5 busy_one
kill -TERM "$ndsd_pid"
stopping() { [ "$(field .state)" = stopping ]; }
wait_until 5 stopping
kill -KILL "$ndsd_pid"
wait_end "$ndsd_pid" 5
wait "$long"
like "killed in a stop: a request in hand is answered" "$(<"$tmp/long")" \
    '^status 200'
ok "and nobody stays (hazard 6)" wait_until 5 none_of_ours

# ---- a lighttpd that ndsd runs
front_pid() { awk 'NR == 1 { print $1 }' "$run/control/front.process"; }
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"
front=$(front_pid)
prove_begin 4 '/_diag/work?ms=5'
kill -KILL "$ndsd_pid"
wait_end "$ndsd_pid" 5
get "$url/"
is "the front serves on without ndsd" "$code" 200
ok "another ndsd --front=lighttpd begins" follows --front=lighttpd
is "with the front that is there" "$(front_pid)" "$front"
prove_end
is "none of $(jq .whole.requests <<<"$told") requests was lost (hazard 6)" "$lost" "0 {}"
kill -KILL "$(field .supervisor.pid)"
back() { field_is .supervisor.restarts 1; }
wait_until 5 back
kill -KILL "$front"
other() { [ "$(front_pid)" != "$front" ] && gets 200 "$url/"; }
ok "a front that it did not start is watched" wait_until 10 other
front=$(front_pid)
kill -KILL "$ndsd_pid"
wait_end "$ndsd_pid" 5
refused "a front that runs with another configuration" 1 \
    "lighttpd \(pid $front\).*still runs with $APP_FRONT_CONFIG" \
    env APP_FRONT_CONFIG="$srcdir/nginx/nginx.conf" "$ndsd" --front=lighttpd
sed -i "1s/ .*/ 1/" "$run/control/front.process"
spawn reused "$ndsd" --front=lighttpd
wait_end "$pid" 10
like "a pid of another age is not taken for the front" \
    "$(<"$tmp/reused.log")" 'lighttpd could not start.*APP_BIND_ADDRESS'
kill -INT "$front"
wait_until 10 all_gone "$front"
follows --front=lighttpd
kill -KILL "$ndsd_pid"
wait_end "$ndsd_pid" 5
export APP_FRONT_ALLOW=192.0.2.1
ok "one with other settings for the front begins" follows --front=lighttpd
ok "and the front gets them" wait_until 10 gets 403 "$url/status"
unset APP_FRONT_ALLOW
front=$(front_pid)
stop_is 0 "it stops"
ok "and the front with it" wait_until 5 all_gone "$front"
ok "nothing is left" wait_until 5 none_of_ours

# ---- handed-in sockets: the path never changes hands
spawn lighttpd lighttpd -D -f "$APP_FRONT_CONFIG"
lighttpd_pid=$pid
spawn ndsd "$(program tests/peer/activate)" -n app:health -r 1 "$app" \
    "$health" -- "$ndsd"
activate_pid=$pid
wait_until 10 ready
before=$(inode "$app")
wait_until 5 gets 200 "$url/"
for _ in 1 2; do
	read -ra orphans <<<"$(left)"
	main=$(field .pid)
	prove_begin 4 '/_diag/work?ms=5'
	kill -KILL "$main"
	another() { [ "$(field .pid)" != "$main" ] && ready; }
	ok "another main process goes on with the same sockets" \
	    wait_until 10 another
	is "which are the same" "$(inode "$app")" "$before"
	ok "the old responders learn of it" wait_until 5 all_gone "${orphans[@]}"
	prove_end
	is "none of $(jq .whole.requests <<<"$told") requests was lost (hazard 6)" \
	    "$lost" "0 {}"
done
main=$(field .pid)
prove_begin 4 '/_diag/work?ms=5'
kill -TERM "$main"
ok "after a stop the next one goes on with them too" wait_until 10 another
prove_end
is "none of $(jq .whole.requests <<<"$told") requests was lost over a stop" \
    "$lost" "0 {}"
is "workers do not see LISTEN_FDS" "$(grep -zc '^LISTEN_' \
    "/proc/$(workers | cut -d ' ' -f 1)/environ")" 0
kill -TERM "$activate_pid"
wait_end "$activate_pid" 15
is "a stop ends with status 0" "$rc" 0
is "and leaves what is not its own" "$(inode "$app")" "$before"
ok "but not its own" test ! -e "$run/control/control.sock"

# By path, and one that nothing tells apart.
spawn ndsd "$(program tests/peer/activate)" "$health" "$tmp/elsewhere" -- "$ndsd"
activate_pid=$pid
ok "sockets without a name are known by their paths" wait_until 10 ready
ask "$tmp/elsewhere"
is "the first that is not known is the application's" "$status_code" 200
kill -TERM "$activate_pid"
wait_end "$activate_pid" 15

# What cannot be right.
handed() { # DESCRIPTOR-3
	bash -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" 3<"$1"' "$ndsd" "$1"
}
refused "a descriptor that is no socket" 1 \
    'descriptor 3 is not a listening unix stream socket' handed /dev/null
refused "two sockets of one kind" 1 'descriptors 3 and 4 would both be the app' \
    "$(program tests/peer/activate)" -n app:app "$tmp/a" "$tmp/b" -- "$ndsd"
refused "a number that is none" 1 'LISTEN_FDS=many' \
    bash -c 'LISTEN_PID=$$ LISTEN_FDS=many exec "$0"' "$ndsd"
kill -INT "$lighttpd_pid"
wait_end "$lighttpd_pid" 10
ok "nothing is left" wait_until 5 none_of_ours
done_testing
