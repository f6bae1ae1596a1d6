#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2317
#
# Out of descriptors, out of processes: what can no longer be done is refused
# in words, what serves goes on, nothing spins, and all is well again once
# there is room.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
# Looking for leaks takes a thread, which there may be none for.
[ -z "$sanitize" ] || export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
need jq prlimit
export APP_WORKERS=2 APP_START_TIMEOUT=$((5 * scale))

said() { grep -qE "$1" "$tmp/ndsd.log"; }
idle_is() { field_is '[.workers[]|select(.state=="idle")]|length' "$1"; }
cpu_ms() { # of a process, user and system
	awk -v hz="$(getconf CLK_TCK)" \
	    '{ print int(($14 + $15) * 1000 / hz) }' "/proc/$1/stat"
}
log_is_calm() { # LINES: no more than so many warnings and errors so far
	[ "$(grep -cE '"level":"(warn|error)"' "$tmp/ndsd.log")" -le "$1" ]
}
served() { # SENTENCE: 200 requests, none lost
	is "$1" "$(peer --many 2 --repeat 100 "$app" | sed -n 's/^status 200 //p')" 200
}

# ---- the supervisor without descriptors
ndsd_start
supervisor=$(field .supervisor.pid)
files=$(prlimit --pid "$supervisor" --nofile --noheadings -o SOFT | tr -d ' ')
set_files() { prlimit --pid "$supervisor" --nofile="$1:$files"; }
set_files 3
used=$(cpu_ms "$supervisor")
from=$(now_ms)
for n in 1 2 3; do # who asks waits in the queue
	ctl status >"$tmp/out.$n" 2>&1 &
	asking+=($!)
done
ok "a supervisor out of descriptors says so" wait_until 5 said \
    'control: cannot accept: Too many open files'
served "the workers serve on"
kill -HUP "$ndsd_pid"
ok "a reload is refused with the reason" wait_until 5 said \
    'reload refused: .*Too many open files'
kill -TTIN "$ndsd_pid"
ok "so is another worker" wait_until 5 said \
    'cannot start a worker: Too many open files|worker 2: .*Too many open files'
served "and still they serve"
while [ $(($(now_ms) - from)) -lt 1500 ]; do
	peer --many 1 --repeat 100 "$app" >/dev/null
done
took=$(($(now_ms) - from)) used=$(($(cpu_ms "$supervisor") - used))
ok "it does not spin ($used ms of $took)" test "$used" -lt $((took / 3))
ok "nor does it flood the log" log_is_calm 12
set_files "$files"
for pid in "${asking[@]}"; do
	wait "$pid" || asked_in_vain=1
done
is "those who asked are answered once there is room" "${asked_in_vain:-0}" 0
ok "and the worker comes" wait_until 10 idle_is 3
ok "a reload is done again" ctl reload
is "no worker died of it" "$(field .counters.workers_died)" 0
stop_is 0 "it stops"

# ---- a handler that leaks descriptors until none is left
: >"$tmp/ndsd.log"
ndsd_start -- "$(program tests/peer/leaky-responder)"
before=$(workers)
for _ in 1 2 3 4 5 6 7 8; do
	peer --path /leak --query n=2000 --timeout $((10000 * scale)) "$app"
done >"$tmp/leaks"
is "each leaking request is answered" "$(grep -c '^status 200' "$tmp/leaks")" 8
served "and all others"
is "by the same workers" "$(workers)" "$before"

# ---- workers that cannot accept
for p in $before; do
	prlimit --pid "$p" --nofile=3:
	break
done
served "where one cannot accept the other does"
for p in $before; do
	prlimit --pid "$p" --nofile=3:
done
peer --timeout $((20000 * scale)) "$app" >"$tmp/flight" &
flight=$!
full='cannot accept .Too many open files.: trying again'
wait_until 5 said "$full"
two() { [ "$(grep -c "$full" "$tmp/ndsd.log")" -ge 2 ]; }
ok "those who cannot say so" wait_until 10 two
ok "and do not flood the log" log_is_calm 10
for p in $before; do
	prlimit --pid "$p" --nofile=1024:
done
wait "$flight"
like "who came meanwhile has waited, not lost" "$(<"$tmp/flight")" '^status 200'
served "and all is well"
is "nothing was answered with an error" "$(field .counters.status_5xx)" 0
stop_is 0 "it stops"

# ---- a shedder without descriptors
: >"$tmp/ndsd.log"
APP_WORKERS=1 APP_QUEUE_TIMEOUT=200ms ndsd_start
for p in $(ours); do
	grep -qsz '^NDS_ROLE=shed$' "/proc/$p/environ" && shedder=$p
done
files=$(prlimit --pid "$shedder" --nofile --noheadings -o SOFT | tr -d ' ')
prlimit --pid "$shedder" --nofile=3:
peer --path /_diag/work --query ms=2000 --timeout $((20000 * scale)) \
    "$app" >"$tmp/flight" &
flight=$!
busy() { field_is '[.workers[]|select(.state=="busy")]|length' 1; }
wait_until 5 busy
peer --timeout $((20000 * scale)) "$app" >"$tmp/waits" &
waits=$!
wait "$flight" "$waits"
like "a shedder without descriptors refuses nobody" "$(<"$tmp/waits")" \
    "^status 200"
prlimit --pid "$shedder" --nofile="$files:"
peer --path /_diag/work --query ms=2000 --timeout $((20000 * scale)) \
    "$app" >"$tmp/flight" &
flight=$!
wait_until 5 busy
ask --path / "$app"
is "with descriptors it refuses again" "$status_code" 503
unlike "and has not taken it for the kernel's way" "$(<"$tmp/ndsd.log")" \
    'length of the queue cannot be told'
wait "$flight"
stop_is 0 "it stops"

# ---- no more processes: a limit that root does not know
if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
	skip "no more processes" "only root can become a user of its own"
	done_testing
fi
uid=$((600000 + $$ % 100000))
if ! setpriv --reuid "$uid" --regid "$uid" --clear-groups \
    test -x "$responder" 2>/dev/null; then
	skip "no more processes" "another user cannot reach the build directory"
	done_testing
fi
chown "$uid" "$run"
rm -rf "${run:?}"/*
: >"$tmp/ndsd.log"
unset APP_USER
spawn ndsd setpriv --reuid "$uid" --regid "$uid" --clear-groups "$ndsd"
ndsd_pid=$pid
wait_until 10 ready_or_dead
supervisor=$(field .supervisor.pid)
before=$(workers)
limit() { # PID N: processes; who has no right to the hard one has to the soft
	setpriv --reuid "$uid" --regid "$uid" --clear-groups \
	    prlimit --pid "$1" --nproc="$2:"
}
most=$(awk '/^Max processes/ { print $4 }' "/proc/$ndsd_pid/limits")
limit "$supervisor" 1
ctl reload >"$tmp/out" 2>&1
is "a reload that cannot fork is given up" "$?" 1
like "with the reason" "$(tail -n 1 "$tmp/out")" \
    'Resource temporarily unavailable.*generation 1 serves on'
is "the old workers are untouched" "$(workers)" "$before"
ctl upgrade >"$tmp/out" 2>&1
is "an upgrade, too" "$?" 1
like "with its reason" "$(<"$tmp/out")" 'Resource temporarily unavailable'
served "and they serve"

# A worker dies and its guardian cannot split: it serves itself.
guardians=$(field '.workers[].guardian_pid')
for guardian in $guardians; do
	limit "$guardian" 1
done
for n in 1 2; do
	peer --path /_diag/work --query ms=1500 --timeout $((10000 * scale)) \
	    "$app" >"$tmp/flight.$n" &
	flight[n]=$!
done
busy() { [ "$(field '[.workers[]|select(.state=="busy")]|length')" = 2 ]; }
wait_until 5 busy
for p in $(workers); do
	kill -KILL "$p"
done
wait "${flight[@]}"
is "requests whose workers could not be replaced are answered" \
    "$(cat "$tmp"/flight.* | grep -c '^status 200')" 2
ok "the log says how" said 'no guardian \(Resource temporarily unavailable\)'
is "the pool knows who serves" "$(workers)" "$(sort -n <<<"$guardians" | xargs)"
served "so are those behind them"

# The supervisor dies and cannot be started.
limit "$ndsd_pid" 1
kill -KILL "$(field .supervisor.pid)"
ok "a keeper that cannot fork says so" wait_until 5 said \
    'cannot start the supervisor'
served "the workers serve on without a supervisor"
used=$(cpu_ms "$ndsd_pid")
ok "it tries again" wait_until 5 eval \
    '[ "$(grep -c "cannot start the supervisor" "$tmp/ndsd.log")" -ge 2 ]'
ok "without spinning" test $(($(cpu_ms "$ndsd_pid") - used)) -lt 500
limit "$ndsd_pid" "$most"
ok "and is back once there is room" wait_until 10 status
ok "a reload is done again" ctl reload
served "and all is well"
stop_is 0 "it stops"
done_testing
