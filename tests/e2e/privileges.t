#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# Started by root, ndsd and its workers become a plain user for good, and the
# sockets belong to the group that the front is in.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
[ "$(id -u)" = 0 ] || skip_all "only root can give root up"
id nobody >/dev/null 2>&1 || skip_all "no user nobody"
need jq setpriv
setpriv --reuid nobody --regid nogroup --clear-groups test -x "$responder" ||
    skip_all "nobody cannot reach the build directory"
want=$(id -u nobody)
group=$(getent group www-data daemon | head -n 1 | cut -d: -f1)
export APP_USER=nobody APP_SOCKET_GROUP=$group

ids() { awk '/^Uid:/ { print $2, $3, $4, $5 }' "/proc/$1/status"; }
gids() { awk '/^Gid:/ { print $2, $3, $4, $5 }' "/proc/$1/status"; }
caps() { awk '/^Cap(Prm|Eff|Inh|Amb):/ { print $2 }' "/proc/$1/status" | sort -u; }

ndsd_start
ok "started by root it becomes ready" ready
gid=$(id -g nobody)
for p in "$ndsd_pid" "$(field .supervisor.pid)" $(workers); do
	is "process $p is nobody, saved id and all" \
	    "$(ids "$p")" "$want $want $want $want"
	is "process $p is in nobody's group" "$(gids "$p")" "$gid $gid $gid $gid"
	is "process $p has no capability" "$(caps "$p")" 0000000000000000
	is "process $p has no group of root" \
	    "$(awk '/^Groups:/ { for (i = 2; i <= NF; i++) if ($i == 0) n++ }
	    END { print n + 0 }' "/proc/$p/status")" 0
done
for socket in app.sock health.sock; do
	is "$socket belongs to APP_SOCKET_GROUP" "$(stat -c %G "$run/$socket")" "$group"
	is "$socket is for owner and group" "$(stat -c %a "$run/$socket")" 660
done
is "the control directory is nobody's alone" \
    "$(stat -c '%U %a' "$run/control")" "nobody 700"
ask "$app"
is "it serves" "$status_code" 200
read -r victim _ <<<"$(workers)"
kill -KILL "$victim"
replaced() { [ "$(workers | wc -w)" = 2 ] && ! grep -qw "$victim" <<<"$(workers)"; }
ok "a worker is replaced without root" wait_until 5 replaced
kill -KILL "$(field .supervisor.pid)"
ok "so is the supervisor" wait_until 5 field_is .supervisor.restarts 1
stop_is 0 "it stops"
is "and takes its sockets away" "$(find "$run" -name '*.sock' | wc -l)" 0
refused "an unknown user" 78 no-such-user env APP_USER=no-such-user "$ndsd"
refused "an unknown group" 78 no-such-group \
    env APP_SOCKET_GROUP=no-such-group "$ndsd"
done_testing
