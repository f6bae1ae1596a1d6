#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# From nothing to serving: ndsd with its pool, health socket and lighttpd, and
# every way in which a start must be refused in one clear line.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
use_front

# ---- it serves
ndsd_start --front=lighttpd
ok "it becomes ready" ready
wait_until 5 gets 200 "$url/"
is "/ greets through lighttpd" "$body" "Hello, Zero-Downtime World!"
get "$url/version"
is "/version tells version, generation and pid" \
    "$(jq -r '"\(.version) \(.generation) \(.pid|type)"' <<<"$body")" \
    "$(field .version) 1 number"
for probe in live ready startup; do
	get "$url/$probe"
	is "/$probe is 200 through lighttpd" "$code" 200
	is "/$probe says ok" "$(jq -r .status <<<"$body")" ok
	ok "ndsctl probe $probe says so too" ctl probe "$probe"
done
is "each worker was proved ready" \
    "$(field '[.workers[]|.state]|unique|join(" ")')" idle
is "the pool has the workers of APP_WORKERS" "$(field '.workers|length')" 2
for socket in app.sock health.sock; do
	is "$socket has mode 0660" "$(stat -c %a "$run/$socket")" 660
done
is "the control directory is the owner's alone" \
    "$(stat -c %a "$run/control")" 700

# ---- a second one on the same directory
first=$(field .pid)
refused "a second ndsd on the directory" 1 "$run" "$ndsd"
is "the first is untouched" "$(field .pid)" "$first"
get "$url/"
is "the first serves on" "$code" 200
stop_is 0 "it stops with status 0"
ok "nothing of it is left" wait_until 2 none_of_ours

# ---- where and how it is started
(
	cd / && rmdir "$run"/* 2>/dev/null
	exec "$ndsd" <&- >&- 2>&- {nap_fd}>&-
) &
ndsd_pid=$!
pids+=("$ndsd_pid")
wait_until 10 ready_or_dead
ok "it starts from / with descriptors 0 to 2 closed" ready
ask --path /version "$app"
is "and serves" "$status_code" 200
stop_is 0 "and stops"

# ---- a program that prepares for long before it calls us
mkfifo "$tmp/late"
spawn ndsd "$ndsd" -- "$(program tests/peer/bad-responder)" late "$tmp/late"
ndsd_pid=$pid
exec {late_fd}<>"$tmp/late"
started=$(now_ms)
lived() { [ "$(now_ms)" -gt $((started + 900)) ]; }
wait_until 5 lived
is "a program of libnds that has not come to serve is not taken for ready" \
    "$(field '[.workers[].state]|unique|join(" ")')" starting
exec {late_fd}>&-
wait_until 10 ready_or_dead
ok "it is once it serves" asks 200 --path / "$app"
stop_is 0 "and stops"

# ---- refusals
rm -rf "$run"
refused "a runtime directory that is missing and cannot be made" 1 \
    "$tmp/file/run" env APP_RUNTIME_DIR="$tmp/file/run" \
    sh -c 'echo >"$1"; exec "$2"' sh "$tmp/file" "$ndsd"
if [ "$(id -u)" != 0 ]; then
	mkdir -p "$run" && chmod 500 "$run"
	refused "a runtime directory that cannot be written" 1 "$run" "$ndsd"
	chmod 700 "$run"
fi
mkdir -p "$run"
refused "a program that is not there" 1 "$tmp/no-program" \
    "$ndsd" -- "$tmp/no-program"
echo text >"$tmp/plain"
refused "a program that cannot be executed" 1 "$tmp/plain" \
    "$ndsd" -- "$tmp/plain"
cat >"$tmp/hide" <<'END'
for front in /usr/sbin/lighttpd /usr/local/sbin/lighttpd; do
	[ ! -e $front ] || mount --bind /dev/null $front || exit
done
PATH=/nowhere exec "$1" --front=lighttpd
END
if unshare -m true 2>/dev/null; then
	refused "no lighttpd on this machine" 1 "lighttpd is not installed" \
	    unshare -m sh "$tmp/hide" "$ndsd"
else
	skip "no lighttpd on this machine" "it cannot be hidden from ndsd"
fi
echo 'server.port = "none' >"$tmp/bad.conf"
spawn badconf env APP_FRONT_CONFIG="$tmp/bad.conf" "$ndsd" --front=lighttpd
wait_end "$pid" 10
is "a lighttpd that cannot start ends ndsd with status 1" "$rc" 1
like "which tells what lighttpd said" "$(<"$tmp/badconf.log")" \
    'lighttpd could not start.*bad.conf'
refused "a front configuration that is not there" 1 "$tmp/no.conf" \
    env APP_FRONT_CONFIG="$tmp/no.conf" "$ndsd" --front=lighttpd
refused "an unknown flag" 2 "usage|unknown|invalid" "$ndsd" --no-such-flag
refused "an unknown front" 2 "lighttpd" "$ndsd" --front=apache
ok "nothing of them is left" wait_until 2 none_of_ours

# ---- a taken port
cat >"$tmp/holder.conf" <<END
server.document-root = "$tmp"
server.bind = "127.0.0.1"
server.port = $port
END
spawn holder lighttpd -D -f "$tmp/holder.conf"
holder=$pid
wait_until 5 gets 403 "$url/"
spawn taken "$ndsd" --front=lighttpd
wait_end "$pid" 10
is "a taken port ends the start with status 1" "$rc" 1
like "and is named" "$(<"$tmp/taken.log")" "$port"
get "$url/"
is "its holder is untouched" "$code" 403
kill "$holder"
wait_end "$holder" 5

# ---- settings
settings_refused() { # SENTENCE REGEX
	refused "$1" 78 "$2" "$ndsd" -t -f "$tmp/settings"
}
echo 'APP_WORKERS=4' >"$tmp/settings"
ok "-t accepts good settings" "$ndsd" -t -f "$tmp/settings"
printf '# two\nAPP_WORKERS=many\n' >"$tmp/settings"
settings_refused "a bad value in the file" "settings:2: .*APP_WORKERS=many"
printf 'APP_WORKRES=4\n' >"$tmp/settings"
settings_refused "an unknown APP_ key in the file" "settings:1: .*APP_WORKRES"
rm "$tmp/settings"
settings_refused "a file that is not there" "settings"
refused "a bad value in the environment" 78 \
    "environment: .*APP_REQUEST_TIMEOUT=soon" \
    env APP_REQUEST_TIMEOUT=soon "$ndsd"
refused "a stop that cannot fit into its time" 78 APP_SHUTDOWN_TIMEOUT \
    env APP_SHUTDOWN_TIMEOUT=3 APP_DRAIN_MAX=8 "$ndsd" -t
echo 'APP_WORKERS=3' >"$tmp/settings"
APP_WORKERS=1 ndsd_start -f "$tmp/settings"
is "the environment wins over the file" "$(field '.workers|length')" 1
stop_is 0 "and it stops"
ok "nothing is left at the end" wait_until 2 none_of_ours
done_testing
