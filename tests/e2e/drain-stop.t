#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# Drain and stop: readiness turns before service does, nothing in flight is
# lost, the whole is bounded, and the exit status says what became of it.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
use_front
export APP_WORKERS=2 APP_REQUEST_TIMEOUT=5
ready_is() { gets "$1" "$url/ready"; }

# ---- drain, undrain
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"
ok "drain is accepted" ctl drain
get "$url/ready"
is "/ready is 503 while draining" "$code" 503
is "and says draining" "$(jq -r .status <<<"$body")" draining
get "$url/live"
is "/live stays 200" "$code" 200
get "$url/"
is "requests are still served" "$code" 200
is "with Connection: close" "$(header Connection)" close
get -d x "$url/_diag/crash?signal=9"
is "also when a guardian answers" "$code $(header Connection)" "502 close"
ok "undrain is accepted" ctl undrain
ok "/ready is 200 again" wait_until 2 ready_is 200
get "$url/"
unlike "without Connection: close" "$(header Connection)" close
ok "drain --wait ends once it is quiet" ctl drain --wait
ctl undrain >/dev/null

# ---- stop under load
load_begin 3 "$url/"
wait_until 10 load_reached 60
kill -TERM "$ndsd_pid"
wait_until 5 ready_is 503
load_end
is "nothing was lost up to the stop ($asked requests)$lost_how" "$lost" 0
wait_end "$ndsd_pid" 20
is "the stop ends with status 0" "$rc" 0
is "the sockets are gone" "$(find "$run" -name '*.sock' | wc -l)" 0
ok "no process is left" wait_until 2 none_of_ours
rm -f "$tmp"/load.*

# ---- requests in flight
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"
busy() { [ "$(field '[.workers[]|select(.state!="idle")]|length')" -ge "$1" ]; }
curl -sS -o "$tmp/flight" -w '%{http_code}' "$url/_diag/work?ms=1500" \
    >"$tmp/flight.code" 2>&1 &
flight=$!
wait_until 5 busy 1
kill -INT "$ndsd_pid"
wait_end "$ndsd_pid" 20
is "SIGINT stops it with status 0" "$rc" 0
wait "$flight"
is "the request in flight was answered" "$(<"$tmp/flight.code")" 200

# ---- lighttpd ends at once when it is told a second time
: >"$tmp/ndsd.log"
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"
curl -sS -o "$tmp/flight" -w '%{http_code}' "$url/_diag/work?ms=3000" \
    >"$tmp/flight.code" 2>&1 &
flight=$!
wait_until 5 busy 1
kill -TERM "$ndsd_pid"
wait_until 5 grep -q 'graceful shutdown started' "$tmp/ndsd.log"
kill -KILL "$(field .supervisor.pid)"
wait "$flight"
is "a supervisor killed in a stop costs no request in flight" \
    "$(<"$tmp/flight.code")" 200
wait_end "$ndsd_pid" 20
is "and the next one ends the stop with status 0" "$rc" 0

# ---- traffic that is slower than the quiet time is none (hazard 9)
prove=$(program nds-prove)
sparse() { # SECONDS: a request each half a second, on kept connections
	spawn prove "$prove" --json -c 1 --rate 2 -d "$1" "$url/"
	proof=$pid
	before=$(field .counters.requests)
	wait_until 5 more
}
more() { [ "$(field .counters.requests)" -gt "$before" ]; }
export APP_DRAIN_QUIET=1500ms APP_DRAIN_MAX=8 APP_SHUTDOWN_TIMEOUT=20
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"
sparse 2500ms
ok "a drain whose quiet time is three gaps of the traffic" ctl drain --wait
ok "waits for its end (hazard 9)" gone "$proof"
stop_is 0 "it stops"
: >"$tmp/prove.log"
export APP_DRAIN_MIN=4 APP_DRAIN_QUIET=100ms
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"
sparse 3
kill -TERM "$ndsd_pid"
wait_end "$proof" 10
is "nothing sparse is lost while APP_DRAIN_MIN covers the balancers (hazard 9)" \
    "$rc $(jq -c '.whole.fates|with_entries(select(.value>0))|keys' "$tmp/prove.log")" \
    '0 ["answered"]'
wait_end "$ndsd_pid" 20
is "then it stops" "$rc" 0

# ---- one budget for all of it (hazard 19): each part takes all that it may
export APP_DRAIN_MIN=0 APP_DRAIN_QUIET=500ms APP_DRAIN_MAX=1
export APP_SHUTDOWN_TIMEOUT=5 APP_REQUEST_TIMEOUT=2 APP_QUEUE_TIMEOUT=1
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"
exec {deaf_fd}<>"/dev/tcp/127.0.0.1/$port" # a client that does not read
printf 'GET /_diag/bytes?n=50000000 HTTP/1.1\r\nHost: x\r\n\r\n' >&"$deaf_fd"
load_begin 2 "$url/"
wait_until 10 load_reached 20
kill -TERM "$ndsd_pid"
from=$(now_ms)
wait_until 5 ready_is 503
peer --path /_diag/hang --timeout 20000 "$app" >"$tmp/hang" 2>&1 &
wait_end "$ndsd_pid" 20
took=$(($(now_ms) - from))
load_end
rm -f "$tmp"/load.*
exec {deaf_fd}>&-
ok "drain, front and requests share one budget (hazard 19; $took ms)" \
    test "$took" -lt $((5000 + 500 * scale))
unset APP_QUEUE_TIMEOUT
export APP_SHUTDOWN_TIMEOUT=30 APP_REQUEST_TIMEOUT=5

# ---- how fast
stop_takes() { # SIGNAL...: sets $took, $rc
	local from sig
	ndsd_start
	: >"$tmp/ndsd.log"
	from=$(now_ms)
	for sig; do
		kill -"$sig" "$ndsd_pid"
		wait_until 3 grep -q stopping "$tmp/ndsd.log"
	done
	wait_end "$ndsd_pid" 20
	took=$(($(now_ms) - from))
}
export APP_DRAIN_MIN=4 APP_DRAIN_QUIET=4 APP_DRAIN_MAX=8
stop_takes TERM TERM
is "a second SIGTERM: status" "$rc" 0
ok "a second SIGTERM skips the quiet time ($took ms)" test "$took" -lt 3500
stop_takes QUIT
is "SIGQUIT: status" "$rc" 0
ok "SIGQUIT stops without drain ($took ms)" test "$took" -lt 3500
stop_takes TERM
ok "one SIGTERM waits for the drain ($took ms)" test "$took" -ge 3900
export APP_DRAIN_MIN=0 APP_DRAIN_QUIET=100ms APP_DRAIN_MAX=1

# ---- what does not end
export APP_SHUTDOWN_TIMEOUT=3 APP_REQUEST_TIMEOUT=1
ndsd_start -- "$(program tests/peer/bad-responder)" ignore-term
stop_is 0 "workers that ignore SIGTERM still obey their order"
export APP_SHUTDOWN_TIMEOUT=4 APP_REQUEST_TIMEOUT=2
# A program without libnds that does not hear: nobody can end its work for it.
ndsd_start -- sh -c 'trap "" TERM; exec tail -f /dev/null'
from=$(now_ms)
kill -TERM "$ndsd_pid"
wait_end "$ndsd_pid" 15
is "what outlives APP_SHUTDOWN_TIMEOUT is killed: status 4" "$rc" 4
ok "in time ($(($(now_ms) - from)) ms)" \
    test $(($(now_ms) - from)) -lt $((4000 + 2000 * scale))
like "and is named in the log" "$(<"$tmp/ndsd.log")" 'kill'
ok "nobody is left after it" wait_until 2 none_of_ours

# ---- as pid 1
export APP_SHUTDOWN_TIMEOUT=30 APP_REQUEST_TIMEOUT=5
if unshare -fp --mount-proc true 2>/dev/null; then
	ns='unshare -fp --mount-proc --kill-child'
elif unshare -Urfp --mount-proc true 2>/dev/null; then
	ns='unshare -Urfp --mount-proc --kill-child'
else
	ns=
fi
if [ -n "$ns" ]; then
	# shellcheck disable=SC2086
	spawn ndsd $ns "$ndsd" -- "$(program tests/peer/bad-responder)" forks
	outer=$pid
	ok "as pid 1 it becomes ready" wait_until 10 ready
	is "and knows itself as pid 1" "$(field .pid)" 1
	for _ in 1 2 3 4 5; do
		ask --path /orphan "$app"
	done
	inner=$(cat "/proc/$outer/task/$outer/children")
	inner=${inner%% *}
	zombies() {
		cat /proc/[0-9]*/status 2>/dev/null | awk -v ns="$1" '
		    /^State:/ { z = $2 == "Z" } /^PPid:/ { p = $2 }
		    /^NSpid:/ && z && NF > 2 { n++ } END { print n + 0 }'
	}
	none_undead() { [ "$(zombies "$inner")" = 0 ]; }
	ok "as pid 1 it reaps orphans" wait_until 5 none_undead
	kill -TERM "$inner"
	wait_end "$outer" 15
	is "as pid 1 it exits with status 0" "$rc" 0
else
	skip "as pid 1" "no pid namespaces here"
fi
done_testing
