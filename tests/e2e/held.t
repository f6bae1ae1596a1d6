#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119
#
# A worker that a debugger holds, which does not even die of SIGKILL before
# that lets it go: its request ends at its deadline, others are served, and a
# stop ends in its time.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq python3
export APP_WORKERS=2 APP_SLOW=0 APP_REQUEST_TIMEOUT=2 APP_SHUTDOWN_TIMEOUT=6
export APP_DRAIN_MAX=100ms APP_QUEUE_TIMEOUT=1
ndsd_start

cat >"$tmp/hold.py" <<'END'
import ctypes, os, signal, sys
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
pid = int(sys.argv[1])
if ptrace(0x4206, pid, 0, 0) != 0:      # PTRACE_SEIZE
    print("refused", flush=True)
    sys.exit(1)
ptrace(0x4207, pid, 0, 0)               # PTRACE_INTERRUPT
os.waitpid(pid, 0x40000000)             # __WALL
print("held", flush=True)
signal.pause()
END
busy_worker() { field '[.workers[]|select(.state=="busy")|.pid]|first//empty'; }
has_busy() { [ -n "$(busy_worker)" ]; }
# hold: a request whose worker is held; sets $flight, $held, $holder
hold() {
	peer --path /_diag/work --query ms=1000 --timeout 30000 "$app" \
	    >"$tmp/flight" &
	flight=$!
	wait_until 5 has_busy
	held=$(busy_worker)
	: >"$tmp/hold.log"
	spawn hold python3 "$tmp/hold.py" "$held"
	holder=$pid
	wait_until 5 grep -q . "$tmp/hold.log"
}

hold
grep -q held "$tmp/hold.log" || skip_all "ptrace is not allowed here"
wait "$flight"
like "its request ends at the deadline" "$(<"$tmp/flight")" '^status 504'
is "others are served" "$(peer --many 2 --repeat 50 "$app" |
    sed -n 's/^status 200 //p')" 100
kill "$holder"
let_go() { [ "$(field '[.workers[]|select(.state=="idle")]|length')" = 2 ]; }
ok "when it is let go the slot serves again" wait_until 5 let_go

hold
kill -TERM "$ndsd_pid"
ok "a stop ends in its time" wait_end "$ndsd_pid" 6
is "and says that it had to kill" "$rc" 4
like "and what is left" "$(grep left "$tmp/ndsd.log")" 'do not die though killed: 1'
kill "$holder"
done_testing
