#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# More load than capacity: what waits too long is refused, quickly and cleanly,
# while the workers stay busy; probes never wait; a stop empties the queue.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
use_front
export APP_REQUEST_TIMEOUT=20 APP_SHUTDOWN_TIMEOUT=30
export APP_QUEUE_TIMEOUT=300ms APP_QUEUE_TARGET=50ms

prove() { "$(program nds-prove)" --json --new "$@" >"$tmp/proof" 2>"$tmp/err"; }
proof() { jq -r "$1" "$tmp/proof"; }
shed_sum='[.queue.shed[]]|add'
shedder() {
	local p
	for p in $(ours); do
		grep -qsz '^NDS_ROLE=shed$' "/proc/$p/environ" && echo "$p"
	done
}
other_shedder() {
	local p
	p=$(shedder)
	[ -n "$p" ] && [ "$p" != "$1" ]
}
busy_is() { field_is '[.workers[]|select(.state=="busy")]|length' "$1"; }
waiting() { [ "$(field .queue.length)" -ge "$1" ]; }
metric() { sed -n "s/^$1 //p" <<<"$body"; }

# flights N PEER-OPTION...: so many requests at once in the background, until
# flights_end, which sets $tally.
flights() {
	local n=$1
	shift
	peer --many "$n" --timeout 60000 "$@" "$app" >"$tmp/flights" 2>&1 &
	flights_pid=$!
}
flights_end() {
	wait "$flights_pid"
	tally=$(grep -v ' 0$' "$tmp/flights" | sort | paste -sd' ')
}

# ---- five times the capacity: 4 workers, 20 ms
export APP_WORKERS=4
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"
before=$(field .counters.status_2xx)
prove --rate 1000 -c 400 -d 4 "$url/_diag/work?ms=20" &
load=$!
refused_now() { gets 503 "$url/_diag/work?ms=20"; }
ok "some are refused" wait_until 3 refused_now
like "as a problem" "$(header Content-Type)" '^application/problem\+json'
like "with the request id" "$(jq -r .request_id <<<"$body")" \
    "^$(header X-Request-Id)\$"
like "with Retry-After, whole seconds, one or two" "$(header Retry-After)" \
    '^[12]$'
get -H 'X-Request-Id: mine' "$url/_diag/work?ms=20"
is "an id that was given is kept" "$(header X-Request-Id)" mine
wait "$load"
from=$(now_ms)
is "no status but 200 and 503" \
    "$(proof '.statuses|keys|join(" ")')" "200 503"
is "nothing but refusals is lost" \
    "$(proof '.whole.lost-.statuses["503"]')" 0
got=$(($(field .counters.status_2xx) - before))
ok "the workers stay busy (goodput $got of about 800)" \
    test "$got" -ge $((700 / scale))
refused=$(field "$shed_sum")
ok "it is counted ($refused)" test "$refused" -ge "$(proof '.statuses["503"]')"
get "$url/metrics"
is "and in the metrics, by reason" "$(($(metric \
    'nds_requests_shed_total{reason="queue_target"}') + $(metric \
    'nds_requests_shed_total{reason="queue_timeout"}')))" "$refused"
ok "and said once a second" grep -Eq 'refused [0-9]+ requests within' "$tmp/ndsd.log"
calm() { gets 200 "$url/_diag/work?ms=20"; }
for _ in 1 2 3 4 5 6 7 8 9 10; do
	calm || from=$(now_ms) last_refusal=$from
done
is "it refuses nobody a moment after the load${last_refusal:+ (it did)}" \
    "$code" 200
refused=$(field "$shed_sum")
prove -c 2 -n 100 "$url/_diag/work?ms=5"
is "nor later" "$(field "$shed_sum")" "$refused"

# ---- the shedder is killed under that load
victim=$(shedder)
prove --rate 1000 -c 400 -d 3 "$url/_diag/work?ms=20" &
load=$!
more_refused() { [ "$(field "$shed_sum")" -gt "$refused" ]; }
wait_until 3 more_refused
kill -KILL "$victim"
ok "a killed shedder is replaced" wait_until 5 other_shedder "$victim"
refused=$(field "$shed_sum")
ok "and refuses again" wait_until 3 more_refused
wait "$load"
lost=$(proof '.whole.lost-(.statuses["503"]//0)')
ok "its death costs those in its hands at most ($lost)" test "$lost" -le 10
victim=$(shedder)
kill -KILL "$(field .supervisor.pid)"
ok "the supervisor dies and comes back" wait_until 5 field_is .supervisor.restarts 1
is "the shedder is the same" "$(shedder)" "$victim"
kill -STOP "$victim"
ok "a stopped shedder is replaced" wait_until 10 other_shedder "$victim"
like "which is said" "$(<"$tmp/ndsd.log")" \
    "the shedder .pid $victim. does not look at the queue any more"
stop_is 0 "it stops"

# ---- every worker stuck
export APP_WORKERS=2 APP_QUEUE_TIMEOUT=1
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"
fronts=$url
if nginx_start; then
	fronts="$url $nginx_url"
fi
peer --many 2 --path /_diag/hang --timeout 60000 "$app" >/dev/null 2>&1 &
wait_until 5 busy_is 2
flights 100 --path /
wait_until 5 waiting 100
prove -c 1 -n 200 "$url/live"
is "every worker stuck and a hundred waiting: /live is 200" \
    "$(proof '.statuses["200"]')" 200
p99=$(proof '.whole.latency_ms.p99|floor')
ok "and quick (p99 $p99 ms)" test "$p99" -le $((50 * scale))
prove -c 1 -n 200 "$url/ready"
p99=$(proof '.whole.latency_ms.p99|floor')
ok "/ready too (p99 $p99 ms)" test "$p99" -le $((50 * scale))
is "and 200" "$(proof '.statuses["200"]')" 200
flights_end
is "all that waited are refused" "$tally" "status 503 100 whole 100"
from=$(now_ms)
ask --path / "$app"
took=$(($(now_ms) - from))
is "so is one more" "$status_code" 503
ok "the queue stands: after APP_QUEUE_TARGET ($took ms)" \
    test "$took" -lt $((450 * scale))
victim=$(shedder)
kill -KILL "$victim"
wait_until 5 other_shedder "$victim"
from=$(now_ms)
ask --path / "$app"
took=$(($(now_ms) - from))
ok "for the next shedder too ($took ms)" test "$took" -lt $((450 * scale))
ask --method HEAD --path / "$app"
like "HEAD is refused as GET is" "$answer" '^status 503'
like "without a body" "$answer" '^body-bytes 0'

# ---- hazard 11: early answers
head -c 300000 /dev/zero >"$tmp/large"
right=0
asked=0
for front in $fronts; do
	for _ in 1 2 3 4 5 6; do
		asked=$((asked + 1))
		get --data-binary @"$tmp/large" -H 'Expect:' "$front/_diag/echo"
		right=$((right + (code == 503)))
	done
done
is "hazard 11: a large body does not turn a 503 into another status" \
    "$right" "$asked"
ask --method POST --body-size 300000 --path /_diag/echo "$app"
like "hazard 11: nor is the connection reset under a front that still sends" \
    "$answer" '^closed eof'
ctl drain
get "$url/"
is "while draining a refusal says Connection: close" "$code $(header Connection)" \
    "503 close"
ctl undrain
silent=()
for _ in 1 2 3; do
	peer --many 100 --cut-at 0 --cut hold --timeout 20000 "$app" >/dev/null 2>&1 &
	silent+=($!)
done
wait_until 5 waiting 1
from=$(now_ms)
ok "hazard 11: three hundred silent peers do not stop the shedder" \
    asks 503 --path / "$app"
took=$(($(now_ms) - from))
ok "nor slow it down ($took ms)" test "$took" -lt $((1000 * scale))
ok "more PARAMS than it reads are refused alike" \
    asks 503 --params-size 30000 --path / "$app"
kill "${silent[@]}" 2>/dev/null
kill -QUIT "$ndsd_pid"
wait_end "$ndsd_pid" 40
[ -z "${nginx_pid:-}" ] || kill "$nginx_pid"

# ---- stop: the queue is emptied, by workers as long as there is time
export APP_WORKERS=1 APP_QUEUE_TIMEOUT=1 APP_REQUEST_TIMEOUT=3
export APP_SHUTDOWN_TIMEOUT=10 APP_DRAIN_MAX=0
ndsd_start
flights 6 --path /_diag/work --query ms=500
wait_until 5 waiting 1
kill -QUIT "$ndsd_pid"
flights_end
wait_end "$ndsd_pid" 20
unlike "a stop serves what waits, however long" "$tally" 'partial|refused'
is "none is refused for its age once it has begun" \
    "$(sed -n 's/^status 200 //p' "$tmp/flights")" 6
export APP_SHUTDOWN_TIMEOUT=3 APP_REQUEST_TIMEOUT=2
ndsd_start
flights 6 --path /_diag/work --query ms=1500
wait_until 5 busy_is 1
kill -QUIT "$ndsd_pid"
flights_end
wait_end "$ndsd_pid" 20
like "what it cannot serve any more is refused, not dropped" "$tally" \
    'status 503 [3-5]'

# ---- reload: settings of its own
export APP_QUEUE_TIMEOUT=300ms APP_SHUTDOWN_TIMEOUT=10
echo "APP_RETRY_AFTER=5" >"$tmp/settings"
ndsd_start -f "$tmp/settings"
victim=$(shedder)
echo "APP_RETRY_AFTER=30" >"$tmp/settings"
ok "a reload" ctl reload
ok "has a shedder with the new settings" wait_until 5 other_shedder "$victim"
flights 1 --path /_diag/work --query ms=2000
wait_until 5 busy_is 1
ask "$app"
like "that refuses by them" "$answer" '^header Retry-After: (3[0-9]|[45][0-9]|60)$'
flights_end
stop_is 0 "it stops"

# ---- the main process is killed: whom it leaves behind refuses as before
ndsd_start
victim=$(shedder)
kill -KILL "$ndsd_pid"
wait_end "$ndsd_pid" 5
flights 4 --path /_diag/work --query ms=1200
flights_end
like "without ndsd what waits too long is refused" "$tally" 'status 503 [1-3]'
is "and nobody is left waiting" "$(sed -n 's/^whole //p' "$tmp/flights")" 4
is "the shedder is the same" "$(shedder)" "$victim"
ndsd_start
ok "it goes when another ndsd has come" wait_until 5 gone "$victim"
stop_is 0 "it stops"

# ---- programs without libnds: who is not in the queue any more was taken
ndsd_start -- "$(program tests/peer/stock-responder)"
before=$(workers)
flights 6 --path /slow --query ms=700
wait_until 5 waiting 1
flights_end
like "a program without libnds: what waits too long is refused" "$tally" \
    'status 503 [1-5]'
is "and everybody is answered" "$(sed -n 's/^whole //p' "$tmp/flights")" 6
ok "it serves" asks 200 "$app"
is "hazard 12: its worker is the same" "$(workers)" "$before"
stop_is 0 "it stops"
export APP_QUEUE_TARGET=250ms # they wait 80 ms each, and always somebody does
ndsd_start -- "$(program tests/peer/stock-responder)"
ctl scale 1 >/dev/null
peer --many 5 --repeat 60 --path /busy --query ms=20 --timeout 20000 "$app" \
    >"$tmp/busy"
is "nobody is refused by one that is always busy, and quick" \
    "$(sed -n 's/^status //p' "$tmp/busy")" "200 300"
stop_is 0 "it stops"
export APP_QUEUE_TARGET=50ms

# ---- hazard 21: no sock_diag
if "$(program tests/peer/denied)" netlink true; then
	spawn ndsd "$(program tests/peer/denied)" netlink "$ndsd"
	ndsd_pid=$pid
	wait_until 10 ready_or_dead
	flights 5 --path /_diag/work --query ms=700
	flights_end
	like "hazard 21: without sock_diag what waits too long is refused" \
	    "$tally" 'status 503 [1-4]'
	is "and nobody else" "$(sed -n 's/^whole //p' "$tmp/flights")" 5
	like "it is said" "$(<"$tmp/ndsd.log")" 'length of the queue cannot be told'
	ok "it serves" asks 200 --path / "$app"
	stop_is 0 "it stops"
else
	skip "hazard 21" "no seccomp here"
fi
done_testing
