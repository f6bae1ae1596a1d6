#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# What a service manager is told, and what it gives back: every message of a
# life, and the sockets that outlive a service of which nothing is left.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq python3
record=$tmp/record

# manager SOCKET WATCHDOG_USEC ARGS...: ndsd under one.
manager() {
	local socket=$1 usec=$2
	shift 2
	: >>"$record"
	spawn ndsd python3 "$srcdir/tests/peer/manager.py" "$record" "$socket" \
	    "$usec" "$ndsd" "$@"
	manager_pid=$pid
}
said() { tail -n "+$((mark + 1))" "$record" | grep -Eq -e "$1"; }
mark() { mark=$(wc -l <"$record"); }
count() { grep -Ec -e "$1" "$record"; }
# What was said since the mark, one word a message, but for the pulse.
words() {
	tail -n "+$((mark + 1))" "$record" |
	    grep -oE '(READY|RELOADING|STOPPING|FDSTORE|FDSTOREREMOVE)=1' |
	    tr '\n' ' '
}
mark=0

# ---- start
: >"$tmp/settings"
manager "$tmp/notify" 400000 -f "$tmp/settings"
ok "it says that it is ready" wait_until 10 said 'READY=1'
is "after its three sockets, once" "$(words)" \
    "FDSTORE=1 FDSTORE=1 FDSTORE=1 READY=1 "
ok "when it is" ready
is "the sockets come from the main process" \
    "$(count '^main FDSTORE=1 FDNAME=ndsd\.(app|health|control)\.[0-9a-f]+\.[0-9a-f]+ ')" 3
like "with a line for people" "$(grep READY "$record")" \
    'STATUS=running, 2 of 2 workers ready, generation 1'
main=$(field .pid)
supervisor=$(field .supervisor.pid)
clean() {
	! tr '\0' '\n' <"/proc/$1/environ" |
	    grep -E '^(NOTIFY_SOCKET|WATCHDOG_|LISTEN_)'
}
read -r worker _ <<<"$(workers)"
ok "a worker learns nothing of the manager" clean "$worker"

# ---- it lives
pulse() { count '^other .*WATCHDOG=1'; }
pulse_more() { [ "$(pulse)" -ge "$1" ]; }
ok "it tells that it lives" wait_until 5 pulse_more $(($(pulse) + 3))
kill -STOP "$supervisor"
wait_until 5 grep -qs '^State:.T' "/proc/$supervisor/status"
before=$(pulse)
# the product's time: more than twice the limit
read -r -t 1 -u "$nap_fd" _
ok "but not while the supervisor does not" \
    test "$(pulse)" -le $((before + 1))
kill -CONT "$supervisor"
ok "and again when it does" wait_until 5 pulse_more $((before + 3))
mark
kill -KILL "$supervisor"
ok "another supervisor says where things stand" wait_until 5 said '^other READY=1'

# ---- reload
mark
ctl reload >/dev/null
is "a reload begins and ends" "$(words)" "RELOADING=1 READY=1 "
like "with the time that systemd asks for" "$(grep RELOADING "$record")" \
    'RELOADING=1 MONOTONIC_USEC=[0-9]+ '
ok "and asks for the time that it may take" said 'EXTEND_TIMEOUT_USEC=[0-9]{8}'
like "then the new generation is told" "$(tail -n "+$mark" "$record")" \
    'READY=1 STATUS=running, 2 of 2 workers ready, generation 2'
mark
echo APP_WORKERS=none >"$tmp/settings"
kill -HUP "$manager_pid"
both() { [ "$(words)" = "RELOADING=1 READY=1 " ]; }
ok "a refused one too" wait_until 5 both
is "which changes nothing" "$(field .generation)" 2
: >"$tmp/settings"

# ---- drain
mark
ctl drain --wait >/dev/null
ok "a drain is told" wait_until 5 said 'STATUS=draining, 2 of 2'
ctl undrain >/dev/null
ok "and its end" wait_until 5 said 'STATUS=running, 2 of 2'
is "neither is more than a line" "$(words)" ""

# ---- upgrade
mark
ctl upgrade >/dev/null
ok "an upgrade says at its end that all is well" wait_until 5 said READY=1
is "and nothing else" "$(words)" "READY=1 "
is "its main process is the same" "$(field .pid)" "$main"
mark
ok "the pulse goes on" wait_until 5 said WATCHDOG=1

# ---- all of it is killed
everyone() { # 1 when there is nobody
	local p none=1
	for p in $(ours); do
		[ "$p" = "$manager_pid" ] && continue
		echo "$p"
		none=0
	done
	return "$none"
}
kill_everyone() {
	mark
	while everyone >"$tmp/everyone"; do
		xargs kill -KILL <"$tmp/everyone" 2>/dev/null
	done
	wait_until 5 said dead
}
# The listeners, and what none of them has accepted.
sockets() { grep -c " $run/[.]" /proc/net/unix; }
connected() { [ "$(sockets)" -gt "$before" ]; }
inode=$(stat -c %i "$app")
kill_everyone
before=$(sockets)
peer --path / --timeout $((20000 * scale)) "$app" >"$tmp/waits" 2>&1 &
waits=$!
ok "a request waits where no process is left" wait_until 5 connected
mark
kill -USR1 "$manager_pid"
wait "$waits"
like "the next ndsd answers it" "$(<"$tmp/waits")" '^status 200'
is "with the socket of the one before" "$(stat -c %i "$app")" "$inode"
ok "which is ready" wait_until 10 said READY=1
kill_everyone
rm "$app"
mark
kill -USR1 "$manager_pid"
ok "one whose place was lost is given back" wait_until 10 \
    said '^main FDSTOREREMOVE=1 FDNAME=ndsd\.app\.'
wait_until 10 said READY=1
ask "$app"
is "and there is another" "$status_code" 200

# ---- stop
mark
kill -TERM "$manager_pid"
wait_end "$manager_pid" 15
is "it stops" "$rc" 0
is "says so, and gives its sockets back at the end" "$(words)" \
    "STOPPING=1 FDSTOREREMOVE=1 FDSTOREREMOVE=1 FDSTOREREMOVE=1 "
ok "having asked for its time" said 'STOPPING=1 EXTEND_TIMEOUT_USEC=[0-9]{8}'
is "of the sockets nothing is left" "$(find "$run" -type s)" ""

# ---- other managers
mark
manager "@nds-test-$$" 0
ok "an abstract address will do" wait_until 10 said READY=1
is "without a watchdog there is no pulse" \
    "$(tail -n "+$((mark + 1))" "$record" | grep -c WATCHDOG)" 0
kill -TERM "$manager_pid"
wait_end "$manager_pid" 15
is "it stops" "$rc" 0
NOTIFY_SOCKET=$tmp/nobody ndsd_start
ok "it serves where nobody listens" ready
stop_is 0 "and stops"
# ---- the units, as they are installed
units_copy() {
	local unit
	mkdir "$tmp/units"
	for unit in nds.service nds.socket nds-lighttpd.service; do
		sed -e "s|^\(Exec[A-Za-z]*=\)[^ ]*/ndsd|\1$ndsd|" \
		    -e "s|^\(Exec[A-Za-z]*=\)[^ ]*/ndsctl|\1$ndsctl|" \
		    "$builddir/$unit" >"$tmp/units/$unit"
	done
	# the directory decides what is known: units of the system as well
	cp "$builddir/nds.conf" "$tmp/units/"
}
units_copy
is "the workers of a main process that was killed are spared (hazards 6, 22)" \
    "$(sed -n 's/^KillMode=//p' "$tmp/units/nds.service")" process
is "and a stop tells a front's main process alone (hazard 22)" \
    "$(sed -n 's/^KillMode=//p' "$tmp/units/nds-lighttpd.service")" mixed
ok "each path in them is filled in" not grep -q '@[a-z]*@' "$tmp"/units/*
if command -v systemd-analyze >/dev/null; then
	for unit in nds.service nds.socket nds-lighttpd.service; do
		is "systemd-analyze verifies $unit" "$(systemd-analyze verify \
		    --man=no --recursive-errors=no "$tmp/units/$unit" 2>&1)" ""
	done
	for unit in nds.service nds-lighttpd.service; do
		ok "$unit is exposed by at most 1.5" systemd-analyze security \
		    --offline=true --threshold=15 "$tmp/units/$unit"
	done
else
	skip "systemd-analyze verifies the units" "no systemd-analyze"
fi

# ---- the front's reload: its lines one after another, until one fails
front_reload() {
	local command
	while read -r command; do
		MAINPID=$front sh -c "exec $command" >>"$tmp/reload.log" 2>&1 ||
		    return 1
	done <"$tmp/reload"
}
front_set() { printf '%s\n' "APP_BIND_ADDRESS=127.0.0.1:$port" "$@" >"$tmp/nds.env"; }
taken() { gets 413 --data-binary "@$tmp/large" "$front_url/"; }
if command -v lighttpd >/dev/null && command -v curl >/dev/null; then
	sed -n 's/^ExecReload=//p' "$tmp/units/nds-lighttpd.service" |
	    sed "s|[^ ]*/lighttpd.conf|$APP_FRONT_CONFIG|" >"$tmp/reload"
	export NDS_FRONT_SETTINGS=$tmp/nds.env
	port=$(free_port)
	front_url=http://127.0.0.1:$port
	head -c 3000 /dev/zero >"$tmp/large"
	front_set
	spawn front lighttpd -D -f "$APP_FRONT_CONFIG"
	front=$pid
	wait_until 5 gets 503 "$front_url/"
	front_set APP_REQUEST_TIMEOUT=soon
	ok "a reload of the front with a wrong value fails" not front_reload
	like "and says why" "$(<"$tmp/reload.log")" APP_REQUEST_TIMEOUT=soon
	ok "the front of before serves on" not wait_until 1 gone "$front"
	ok "as before" gets 503 "$front_url/"
	front_set APP_MAX_BODY=1k
	ok "one with good values succeeds" front_reload
	ok "and they come into force" wait_until 5 taken
	kill -INT "$front"
	wait_end "$front" 10
	is "it stops" "$rc" 0
	unset NDS_FRONT_SETTINGS
else
	skip "the front's reload" "no lighttpd, or no curl"
fi
if command -v systemd-socket-activate >/dev/null; then
	spawn activate systemd-socket-activate -l "$app" -l "$health" \
	    -E APP_RUNTIME_DIR -E APP_WORKERS -E LD_LIBRARY_PATH "$ndsd"
	connects() { test -S "$health" && asks 200 --path /ready "$health"; }
	ok "systemd-socket-activate starts it" wait_until 10 connects
	kill -TERM "$pid"
	wait_end "$pid" 15
	is "a stop ends it" "$rc" 0
	ok "and leaves what is not its own" test -S "$app"
else
	skip "systemd-socket-activate starts it" "no systemd-socket-activate"
fi
done_testing
