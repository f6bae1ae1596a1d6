#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2317
#
# A disk that is full: where the log goes, and where the runtime directory is.
# The service serves on; what could not be written is counted; a start that
# cannot have its files says so in one line and leaves nothing.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=2

served() { # SENTENCE: 200 requests, none lost
	is "$1" "$(peer --many 2 --repeat 100 "$app" | sed -n 's/^status 200 //p')" 200
}

# ---- the log: all writes fail with ENOSPC
if [ -c /dev/full ]; then
	"$ndsd" >/dev/full 2>"$tmp/err.log" </dev/null {nap_fd}>&- &
	ndsd_pid=$!
	pids+=("$ndsd_pid")
	ok "it starts though its log is full" wait_until 10 ready
	served "it serves"
	dropped() { [ "$(field .counters.log_dropped)" -ge 200 ]; }
	ok "each line that is lost is counted" wait_until 5 dropped
	ok "it reloads" ctl reload
	served "and serves"
	stop_is 0 "it stops"
else
	skip "a full log" "no /dev/full here"
fi

# ---- the runtime directory
mounted=
trap '[ -z "$mounted" ] || umount -l "$run"; clean_up' EXIT
if ! mount -t tmpfs -o size=64k,nr_inodes=40 tmpfs "$run" 2>/dev/null; then
	skip "a full runtime directory" "mounting is not permitted"
	done_testing
fi
mounted=1
chmod 755 "$run"
fill() {
	local n
	cat /dev/zero >"$run/fill" 2>/dev/null
	for n in $(seq 40); do
		: >"$run/inode.$n"
	done 2>/dev/null
}
ndsd_start
fill
served "a runtime directory that gets full costs nothing"
ok "a reload is done" ctl reload
ok "a scale, too" ctl scale 3
kill -KILL "$(field .supervisor.pid)"
ok "a supervisor follows one that died" wait_until 5 field_is \
    .supervisor.restarts 1
served "and all is well"
stop_is 0 "it stops"
is "and takes its sockets away" "$(find "$run" -type s | wc -l)" 0

fill
refused "a start without room" 1 "cannot .*No space left on device" "$ndsd"
rm -f "$run"/inode.*
refused "a start without room for its pid" 1 \
    "cannot write .*ndsd.pid.*No space left on device" "$ndsd"
is "and without a trace" "$(find "$run" -type s -o -name '*.new' | wc -l)" 0
rm -f "$run/fill"
ndsd_start
served "it starts once there is room"
stop_is 0 "it stops"
umount "$run" && mounted=
done_testing
