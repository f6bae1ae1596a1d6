#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2317
#
# Signals to the main process, in any order and number: none is lost, none
# costs a request, and what is refused is refused in words.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
use_front
prove=$(program nds-prove)
export APP_WORKERS=3 APP_REQUEST_TIMEOUT=5 APP_START_TIMEOUT=$((5 * scale))
export APP_FRONT_ALLOW=127.0.0.1

idle_is() { field_is '[.workers[]|select(.state=="idle")]|length' "$1"; }
settled() { # all that are wanted, none too many, none old, no reload under way
	field_is '.wanted as $n | .generation as $g | .workers |
	    length == $n and all(.state == "idle" and .generation == $g)' true
}
said() { grep -qE "$1" "$tmp/ndsd.log"; }
send() { kill -"$1" "$ndsd_pid"; }

# ---- a storm under load
seed=${NDS_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
diag "NDS_TEST_SEED=$seed"
RANDOM=$seed
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"
storm=(HUP USR2 TTIN TTOU USR1 WINCH CONT URG CHLD HUP TTIN TTOU)
spawn prove "$prove" -c 3 -d 5s --ids --json "$url/_diag/work?ms=2"
proof=$pid
sent=0
while ! gone "$proof"; do
	send "${storm[RANDOM % ${#storm[@]}]}"
	sent=$((sent + 1))
	case $((RANDOM % 8)) in
	0) ctl drain >/dev/null 2>&1 ;;
	1) ctl undrain >/dev/null 2>&1 ;;
	2) ask "$app" ;;
	esac
done
wait "$proof"
is "a storm of $sent signals costs no request" \
    "$(jq -c '.whole.fates|with_entries(select(.value>0))|keys' \
    "$tmp/prove.log")" '["answered"]'
ok "of many ($(jq .whole.requests "$tmp/prove.log"))" \
    test "$(jq .whole.requests "$tmp/prove.log")" -gt 100
ctl undrain >/dev/null 2>&1
ok "it settles" wait_until 30 settled
is "the main process is the same" "$(field .pid)" "$ndsd_pid"
is "nobody died of it" "$(field '.counters|[.workers_died,.lost,.replayed]|add')" 0
ok "and reloads again" wait_until 10 ctl reload

# ---- none is lost in an upgrade, wherever it meets it
ctl scale 3 >/dev/null
lost=0
change=(TTIN 4 TTOU 3)
for n in $(seq 0 19); do
	send USR2
	for ((i = 0; i < n; i += 2)); do # a little later each time
		ctl version >/dev/null 2>&1
	done
	send "${change[n % 2 * 2]}"
	wait_until 2 field_is .wanted "${change[n % 2 * 2 + 1]}" || {
		lost=$((lost + 1))
		ctl scale "${change[n % 2 * 2 + 1]}" >/dev/null
	}
done 2>/dev/null
is "no signal is lost in an upgrade" "$lost" 0

# The supervisor has asked to be replaced and hears nothing more.
supervisor=$(field .supervisor.pid)
was=$(field .generation)
takes_over() { grep -c 'takes over' "$tmp/ndsd.log"; }
before=$(takes_over)
another() { [ "$(takes_over)" -gt "$before" ]; }
send STOP
ctl upgrade >"$tmp/upgraded" 2>&1 &
upgrading=$!
wait_until 5 another
kill -STOP "$supervisor"
send HUP # CONT would take a TTIN away
send CONT
wait "$upgrading"
is "an upgrade between a signal and its hearing is done" $? 0
ok "and the signal is heard" wait_until 5 field_is .generation $((was + 1))
stop_is 0 "TERM ends it with 0"

# ---- in the middle of other things
ndsd_start
send HUP
wait_until 5 said 'generation 2 starts'
ctl upgrade >/dev/null 2>&1
is "an upgrade in a reload: status" $? 0
ok "and the reload is done all the same" wait_until 10 said \
    'reload done: generation 2'
ctl drain >/dev/null
ok "an upgrade in a drain" ctl upgrade
is "leaves it draining" "$(field .state)" draining
ok "and it can be called off" ctl undrain
ctl scale 1 >/dev/null
for _ in 1 2 3; do
	send TTOU
	wait_until 2 said 'SIGTTOU: 0 workers' && break
done
ok "TTOU at one worker is refused" said 'SIGTTOU: 0 workers: 1 to'
is "and it stays" "$(field .wanted)" 1
stop_is 0 "TERM ends that too"

# ---- after TERM: a long drain, in which all that changes is refused
export APP_DRAIN_MIN=6 APP_DRAIN_QUIET=6 APP_DRAIN_MAX=8
: >"$tmp/ndsd.log"
ndsd_start
send TERM
wait_until 5 said stopping
send HUP
ok "HUP after TERM is refused" wait_until 2 said \
    'reload refused: the service is stopping'
send USR2
ok "so is USR2" wait_until 2 said 'upgrade refused: the service is stopping'
send TTIN
ok "so is TTIN" wait_until 2 said 'SIGTTIN: the service is stopping'
ask "$app"
is "requests are answered still" "$status_code" 200
from=$(now_ms)
send QUIT
wait_end "$ndsd_pid" 10
took=$(($(now_ms) - from))
is "QUIT after TERM: status" "$rc" 0
ok "QUIT after TERM waits no longer ($took ms)" test "$took" -lt 3000
: >"$tmp/ndsd.log"
ndsd_start
for sig in TERM HUP USR2 TTOU INT TERM QUIT HUP TERM; do
	send $sig
	ctl version >/dev/null 2>&1
done
wait_end "$ndsd_pid" 10
is "any number of them ends it with 0" "$rc" 0

# ---- work that the stop has no time for: begun under longer settings
export APP_DRAIN_MIN=0 APP_DRAIN_QUIET=100ms APP_DRAIN_MAX=500ms
unset APP_REQUEST_TIMEOUT
printf 'APP_REQUEST_TIMEOUT=20\n' >"$tmp/settings"
: >"$tmp/ndsd.log"
ndsd_start -f "$tmp/settings"
peer --path /_diag/work --query ms=15000 --timeout 30000 \
    --header 'X-Request-Id: too-long-1' "$app" >"$tmp/flight" &
flight=$!
busy() { [ "$(field '[.workers[]|select(.state=="busy")]|length')" -ge 1 ]; }
wait_until 5 busy
printf 'APP_REQUEST_TIMEOUT=1\nAPP_SHUTDOWN_TIMEOUT=4\n' >"$tmp/settings"
ok "a reload to a shorter stop, under a long request" ctl reload
ctl stop >"$tmp/stop" 2>&1 &
stopping=$!
from=$(now_ms)
wait_end "$ndsd_pid" 10
took=$(($(now_ms) - from))
is "the stop that had no time for it ends with 4" "$rc" 4
ok "in time ($took ms)" test "$took" -lt $((4000 + 1000 * scale))
wait "$stopping"
is "ndsctl stop ends with 1" $? 1
like "and tells how many" "$(<"$tmp/stop")" '1 processes? had to be killed'
like "the log counts" "$(<"$tmp/ndsd.log")" 'stopped after .*, 1 killed'
like "and names the request" "$(<"$tmp/ndsd.log")" \
    'killed.* too-long-1 .*lost'
wait "$flight"
unlike "its client does not take the end for an answer" "$(<"$tmp/flight")" \
    '^status 200|^end 0'
done_testing
