#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# Who gets at what: a slot is its own worker's (hazard 17), control is the
# user's of ndsd (hazard 28), and a socket shows up when it listens and goes to
# nobody by accident (hazard 29).
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
same=()
if [ "$EUID" = 0 ]; then
	need setpriv
	same=(setpriv --reuid nobody --regid nogroup --clear-groups)
	other=(setpriv --reuid daemon --regid daemon --clear-groups)
	"${same[@]}" test -x "$responder" ||
	    skip_all "nobody cannot reach the build directory"
	export APP_USER=nobody APP_SOCKET_GROUP=daemon
fi

# ---- a slot is mapped by its own pair only
ndsd_start
slots() { awk '/memfd:nds-slot/ { print $5 }' "/proc/$1/maps" | sort -u; }
mapfile -t pairs < <(field '.workers[]|"\(.pid) \(.guardian_pid)"')
for pair in "${pairs[@]}"; do
	read -r worker guardian <<<"$pair"
	is "worker $worker has one slot (hazard 17)" \
	    "$(slots "$worker" | wc -l)" 1
	is "which is its guardian's" "$(slots "$worker")" "$(slots "$guardian")"
done
is "and no other has it (hazard 17)" \
    "$(for pair in "${pairs[@]}"; do slots "${pair% *}"; done | sort -u | wc -l)" 2

# A process of the same user, as a worker that was taken over is.
opens() { "${same[@]}" ls "/proc/$1/fd" && "${same[@]}" cat "/proc/$1/environ"; }
none_open() {
	not opens "$ndsd_pid" && not opens "$(field .supervisor.pid)"
}
read -r worker _ <<<"$(workers)"
ok "a worker's process can be looked into by its user" opens "$worker"
unlike "where there is no slot" \
    "$(ls -l "/proc/$worker/fd")" memfd:nds-slot
ok "ndsd, which has all of them, cannot (hazard 17)" none_open
kill -KILL "$(field .supervisor.pid)"
wait_until 5 field_is .supervisor.restarts 1
ok "nor can its next supervisor" none_open
ctl upgrade >/dev/null
ok "nor can the next binary" none_open

# ---- control
if [ "$EUID" = 0 ]; then
	ok "a front of another user reaches the application" \
	    "${other[@]}" "$(program tests/peer/fcgi-peer)" "$app"
	ok "and not the control socket (hazard 28)" \
	    not "${other[@]}" ls "$run/control/control.sock"
	chmod 777 "$run/control" "$run/control/control.sock"
	"${other[@]}" "$ndsctl" stop >"$tmp/said" 2>&1
	is "which does not obey it even when it does (hazard 28)" \
	    "$? $(field .state)" "1 running"
else
	skip "another user (hazard 28)" "only root can be one"
fi
stop_is 0 "it stops"

# ---- what children inherit
# Listening sockets among the descriptors of a process.
listeners() {
	find "/proc/$1/fd" -lname 'socket:*' -printf '%l\n' | tr -dc '0-9\n' |
	    grep -cFx -f - <(awk '$4 == "00010000" { print $7 }' /proc/net/unix)
}
ndsd_start -- tail -f /dev/null
ok "a program without libnds runs" wait_until 5 ready
supervisor=$(field .supervisor.pid)
for p in $(<"/proc/$supervisor/task/$supervisor/children"); do
	is "$(<"/proc/$p/comm") has one listener (hazard 29)" "$(listeners "$p")" 1
	unlike "and neither lock nor state" "$(ls -l "/proc/$p/fd")" \
	    'control/lock|nds-state'
done
stop_is 0 "it stops with that"

# ---- killed when it is about to listen
unset APP_USER APP_SOCKET_GROUP
rm -rf "${run:?}"/*
spawn ndsd bash -c 'kill -STOP $$; exec "$0"' "$ndsd"
ndsd_pid=$pid
wait_until 5 grep -qs '^State:.T' "/proc/$ndsd_pid/status"
"$(program tests/peer/kill-at)" "$ndsd_pid" listen entry 1 >"$tmp/hunt" 2>&1 &
hunter=$!
pids+=("$hunter")
watching() { grep -q '^ready' "$tmp/hunt" || gone "$hunter"; }
wait_until 5 watching
kill -CONT "$ndsd_pid"
wait "$hunter"
case $? in
77) skip "a socket that does not listen (hazard 29)" "no process can be watched here" ;;
*)
	is "it is killed before it listens" "$(tail -n 1 "$tmp/hunt")" killed
	ok "and no socket that refuses stands in its place (hazard 29)" \
	    test ! -e "$app"
	;;
esac
ndsd_start
ask "$app"
is "the next one serves" "$status_code" 200
stop_is 0 "and stops"
done_testing
