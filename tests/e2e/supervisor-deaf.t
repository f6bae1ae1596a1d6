#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119,SC2317
#
# A supervisor that is stopped for long misses deaths and signals; the main
# process does not wait for it for ever (hazard 6).
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=2
ndsd_start
kill -KILL "$(field .supervisor.pid)"
died() { [ "$(field .supervisor.restarts)" -ge "$1" ]; }
wait_until 5 died 1
# From here on all deaths are told to the supervisor by the main process.
deaf=$(field .supervisor.pid)
read -r victim guardian < <(field '.workers[0]|"\(.pid) \(.guardian_pid)"')
kill -STOP "$deaf"
# Signals of one kind that are not taken yet count as one: hence in turns.
told_much() {
	for _ in {1..50}; do
		kill -USR1 "$ndsd_pid"
		kill -TTIN "$ndsd_pid"
		kill -TTOU "$ndsd_pid"
	done
	[ $((turns += 1)) -ge 40 ] || gone "$deaf"
}
turns=0
wait_until 5 told_much
kill -KILL "$guardian" "$victim"
ask "$app"
is "requests are served meanwhile" "$status_code" 200
kill -HUP "$ndsd_pid"
ok "a supervisor that does not listen is killed (hazard 6)" \
    wait_until 5 gone "$deaf"
kill -CONT "$deaf" 2>/dev/null
whole() {
	[ "$(workers | wc -w)" -ge 2 ] && ! grep -qw "$victim" <<<"$(workers)" &&
	    [ "$(field '[.workers[]|select(.state!="idle")]|length')" = 0 ]
}
ok "the next one sees who has died" wait_until 10 whole
rolled() { [ "$(field .generation)" = 2 ]; }
ok "and obeys the signals that the other has not" wait_until 10 rolled

# ---- one signal to one that is stopped: its queue never gets full
supervisor=$(field .supervisor.pid)
kill -STOP "$supervisor"
peer --path /_diag/work --query ms=500 --timeout 20000 "$app" >"$tmp/flight" &
flight=$!
stop_is 0 "a stop does not wait for a stopped supervisor (hazard 6)"
wait "$flight"
like "and a request in flight is answered" "$(<"$tmp/flight")" '^status 200'
like "the log says why" "$(<"$tmp/ndsd.log")" \
    "supervisor .pid $supervisor. acts upon no signal, killed"
ok "nothing is left" wait_until 5 none_of_ours
done_testing
