#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The number of workers follows the load between its bounds, and no request is
# lost while it grows and shrinks.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
use_front
settings=$tmp/settings
unset APP_WORKERS
export APP_QUEUE_TARGET=1 # who waits for a worker to come is not refused
bounds() { printf 'APP_WORKERS%s\n' "$@" >"$settings"; }
serving() { [ "$(field '[.workers[]|select(.state|test("idle|busy"))]|length')" = "$1" ]; }
pool_is() { field_is '.wanted' "$1" && field_is '.workers|length' "$1" && serving "$1"; }
metric_is() { grep -qx "$1 $2" <<<"$(curl -s "$url/metrics")"; }
said() { grep -q "$1" "$tmp/ndsd.log"; }

# clients N: nds-prove's, until clients_end, which sets $rc, $asked, $lost.
clients() {
	: >"$tmp/prove.log"
	spawn prove "$(program nds-prove)" --json --ids -c "$1" -d 60s \
	    "$url/_diag/work?ms=50"
	prove_pid=$pid
}
clients_end() {
	kill -TERM "$prove_pid"
	wait_end "$prove_pid" 10
	asked=$(sed -n '/^{/,$p' "$tmp/prove.log" | jq .whole.requests)
	lost=$(sed -n '/^{/,$p' "$tmp/prove.log" | jq .whole.lost)
}

# ---- what cannot be
bounds "=4" _MIN=5
refused "a minimum above APP_WORKERS" 78 \
    ':2: APP_WORKERS_MIN=5: APP_WORKERS_MIN=5 is more than APP_WORKERS=4' \
    "$ndsd" -t -f "$settings"
bounds _MIN=5 _MAX=4
refused "a minimum above the maximum" 78 \
    'APP_WORKERS_MIN=5 is more than APP_WORKERS_MAX=4' "$ndsd" -t -f "$settings"

# ---- up with the load, down without
bounds "=2" _MAX=6 _IDLE=1
ndsd_start --front=lighttpd -f "$settings"
wait_until 5 gets 200 "$url/"
ok "it begins with APP_WORKERS" pool_is 2
is "status shows the bounds, one by default" \
    "$(field '[.wanted_min,.wanted_max]|join(" ")')" "2 6"
clients 12
ok "it grows to the maximum while requests wait" wait_until 10 pool_is 6
ok "as metrics say" wait_until 5 metric_is nds_workers_wanted 6
ok "beside the bounds" metric_is nds_workers_wanted_max 6
ok "first to the double" said 'workers: 4 wanted, was 2: requests wait'
ok "then to the maximum" said 'workers: 6 wanted, was 4: requests wait'
supervisor=$(field .supervisor.pid)
kill -KILL "$supervisor"
ok "it is so after the supervisor's death" wait_until 5 pool_is 6
clients_end
is "nothing is lost of $asked" "$lost" 0
clients 1
ok "with less to do it shrinks" wait_until 10 pool_is 2
clients_end
is "and loses nothing of $asked" "$lost" 0
ok "which was needed no more" said 'was 6: no more were needed for 1s'
is "no worker died" "$(field .counters.workers_died)" 0

# ---- by hand, within the bounds
bounds "=2" _MAX=6 _IDLE=60
ctl reload >/dev/null
ok "a reload leaves it be" pool_is 2
like "scale beyond the maximum is refused" "$(ctl scale 7 2>&1)" \
    '7 workers: 2 to 6 are allowed by APP_WORKERS_MIN and APP_WORKERS_MAX'
like "and below the minimum" "$(ctl scale 1 2>&1)" '1 workers: 2 to 6'
ok "within them it is obeyed" ctl scale 5
ok "at once" pool_is 5
kill -TTOU "$ndsd_pid"
ok "so is TTOU" wait_until 5 pool_is 4

# ---- bounds change while it runs
bounds "=2" _MAX=3
ctl reload >/dev/null
ok "a lower maximum holds at once" wait_until 5 pool_is 3
bounds "=2"
ctl reload >/dev/null
ok "without bounds it is APP_WORKERS again" wait_until 5 pool_is 2
ok "and scale is free" ctl scale 4
stop_is 0 "it stops"
done_testing
