#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# /metrics: every number exact over killed workers, reloads, killed supervisors
# and upgrades; no label that a client can choose; both formats well-formed.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
mkdir "$tmp/bin"
cp "$ndsd" "$tmp/bin/ndsd"
ln -s "$responder" "$tmp/bin/nds-responder"
ndsd=$tmp/bin/ndsd
mkfifo "$tmp/gate"
export METERED_GATE=$tmp/gate APP_WORKERS=4 APP_CACHE_BYTES=1m

# scrape [PEER-OPTION...]: all of it into $tmp/metrics.
scrape() { peer --path /metrics "$@" "$health" | sed -n 's/^body //p' >"$tmp/metrics"; }
number() { # of one sample
	sample="$1 " awk 'index($0, ENVIRON["sample"]) == 1 { print $NF }' \
	    "$tmp/metrics"
}
metric() { scrape && number "$1"; }
metric_is() { [ "$(metric "$1")" = "$2" ]; }
# total PREFIX: the sum of all samples that begin so.
total() {
	begin=$1 awk 'index($0, ENVIRON["begin"]) == 1 { s += $NF }
	    END { print s + 0 }' "$tmp/metrics"
}
busy() { field '[.workers[]|select(.state=="busy")|.pid]|first//empty'; }
has_busy() { [ -n "$(busy)" ]; }
spelled() { # both formats, by those who read them
	local python
	if command -v promtool >/dev/null; then
		scrape
		is "promtool finds nothing ($1)" \
		    "$(promtool check metrics <"$tmp/metrics" 2>&1)" ""
	else
		skip "promtool finds nothing ($1)" "no promtool"
	fi
	scrape --header 'Accept: application/openmetrics-text;version=1.0.0'
	for python in /usr/bin/python3 python3; do
		"$python" -c 'import prometheus_client' 2>/dev/null && break
		python=
	done
	if [ -z "$python" ]; then
		skip "OpenMetrics, strictly ($1)" "no prometheus_client"
		return
	fi
	ok "OpenMetrics, strictly ($1)" "$python" -c '
import sys
from prometheus_client.openmetrics import parser
for family in parser.text_string_to_metric_families(open(sys.argv[1]).read()):
    assert family.documentation, family.name
' "$tmp/metrics"
}

ndsd_start -- "$(program tests/peer/metered)" 14
ask --path /metrics "$health"
like "Prometheus' format" "$answer" 'Content-Type: text/plain; version=0.0.4;'
ask --path /metrics --header 'Accept: application/openmetrics-text' "$health"
like "and OpenMetrics for whom wants it" "$answer" \
    'Content-Type: application/openmetrics-text; version=1.0.0;'
spelled "nothing has happened yet"

# ---- who asked for what
for path in /things/1 /things/2 /r3 /nowhere; do
	ask --path "$path" "$app"
done
ask --path /things/3 --method DELETE "$app"
ask --path /broken "$app"
scrape
requests=nds_http_requests_total
is "a request is counted by its route's pattern" "$(number \
    "$requests{method=\"GET\",code=\"204\",route=\"/things/{id}\"}")" 2
is "and its time as well" "$(number \
    'nds_http_request_duration_seconds_count{route="/things/{id}"}')" 2
is "what has no route is unmatched" "$(number \
    "$requests{method=\"GET\",code=\"404\",route=\"unmatched\"}")" 1
is "so is what has no such method" "$(number \
    "$requests{method=\"DELETE\",code=\"405\",route=\"unmatched\"}")" 1
is "an answer that was broken off is told apart" "$(number \
    "$requests{method=\"GET\",code=\"broken\",route=\"/broken\"}")" 1
is "each connection had its time in the queue" \
    "$(number nds_queue_wait_seconds_count)" 6

# ---- who would choose the labels
lines=$(wc -l <"$tmp/metrics")
peer --path $'/%22} 1\nnds_fake 1' "$app" >/dev/null
for i in $(seq 40); do
	ask --method "M$i" --path "/$i/$RANDOM\"} 1" \
	    --header $'User-Agent: \033[31m"}' "$app"
	ask --path "/things/$i$RANDOM" --header "X-Request-Id: $i" "$app"
done
scrape
is "other paths and methods make one line more" \
    "$(($(wc -l <"$tmp/metrics") - lines))" 1
is "which counts them" "$(number \
    "$requests{method=\"OTHER\",code=\"404\",route=\"unmatched\"}")" 40
is "nothing of theirs comes through" \
    "$(grep -Ec 'fake|"M[0-9]' "$tmp/metrics")" 0

# ---- the application's own
ask --path /kind/express "$app"
scrape
is "its counter" "$(number things_total)" 42
is "with a fraction" "$(number 'kinds_total{kind="plain"}')" 10.5
is "a label of any bytes is harmless" \
    "$(number 'kinds_total{kind="ex\"press\\?[31m??"}')" 1
is "its histogram" "$(number 'work_seconds_bucket{le="0.5"}')" 42
is "and its sum" "$(number work_seconds_sum)" 21
ask --path /cached "$app"
ask --path /cached "$app"
ask --path /cached --header 'Authorization: Basic eDp5' "$app"
scrape
cached=nds_cache_requests_total
is "the cache, by what it had" "$(for result in hit stale miss bypass; do
	number "$cached{result=\"$result\"}"
done | paste -sd' ')" "1 0 1 1"
ask --path /upstream "$app"
ask --path /upstream "$app"
ask --path /upstream "$app"
scrape
is "calls of others" "$(number \
    'nds_upstream_tries_total{upstream="stock",result="failed"}')" 2
is "and those not made" \
    "$(number 'nds_upstream_refused_total{upstream="stock"}')" 1
is "since the circuit has opened" \
    "$(number 'nds_upstream_opened_total{upstream="stock"}')" 1
is "and is open" \
    "$(number 'nds_upstream_open{upstream="stock"}')" 1

# ---- a gauge, and the worker that holds it
spawn hold "$(program tests/peer/fcgi-peer)" --path /hold --timeout 60000 "$app"
hold=$pid
ok "a gauge is summed over the workers" wait_until 5 metric_is held 1
is "one is busy" "$(number 'nds_workers{state="busy"}')" 1
is "of four" "$(number nds_worker_busy_ratio)" 0.25
is "each has its memory" \
    "$(grep -c '^nds_worker_resident.*} [1-9]' "$tmp/metrics")" 4
victim=$(busy)
kill -KILL "$victim"
other_busy() { has_busy && [ "$(busy)" != "$victim" ]; }
ok "its worker is killed" wait_until 5 other_busy
ok "the next one holds it alone" wait_until 5 metric_is held 1
exec {gate}<>"$tmp/gate"
wait_until 5 gone "$hold"
exec {gate}>&-
ok "and then none does" wait_until 5 metric_is held 0
is "the request that was run again was answered" \
    "$(number 'nds_requests_replayed_total{result="answered"}')" 1
is "and is one" \
    "$(number "$requests{method=\"GET\",code=\"200\",route=\"/hold\"}")" 1
is "a worker was killed" "$(number 'nds_worker_exits_total{reason="killed"}')" 1

# ---- killed twice; and all that guards it
spawn hold "$(program tests/peer/fcgi-peer)" --path /hold --timeout 60000 "$app"
wait_until 5 has_busy
victim=$(busy)
kill -KILL "$victim"
wait_until 5 other_busy
kill -KILL "$(busy)"
ok "a request killed twice is lost" wait_until 5 metric_is \
    'nds_requests_lost_total{reason="died"}' 1
is "as a replay, too" \
    "$(number 'nds_requests_replayed_total{result="lost"}')" 1
spawn hold "$(program tests/peer/fcgi-peer)" --path /hold --timeout 60000 "$app"
wait_until 5 has_busy
field '.workers[]|select(.state=="busy")|"\(.guardian_pid) \(.pid)"' |
    xargs kill -KILL
ok "so is one whose guardian dies with it" wait_until 5 metric_is \
    'nds_requests_lost_total{reason="unguarded"}' 1

# ---- exact, whatever is killed
all_ready() { field_is '[.workers[]|select(.state=="idle")]|length' 4; }
wait_until 5 all_ready
scrape
before=$(total "$requests{")
ok_before=$(total "$requests{method=\"GET\",code=\"204\"")
lost_before=$(total "nds_requests_lost_total{")
deaths_before=$(total 'nds_worker_exits_total{reason="killed"}')
peer --many 4 --repeat 8000 --path /things/9 "$app" >"$tmp/crowd" 2>&1 &
crowd=$!
kills=0
harass() { # N: kill so many workers, each with another request
	local n pid seen
	for ((n = 0; n < $1; n++)); do
		pid=$(workers | tr ' ' '\n' | shuf -n 1)
		kill -KILL "$pid" 2>/dev/null && kills=$((kills + 1))
		seen=$pid
		changed() { ! workers | grep -qw "$seen"; }
		wait_until 5 changed
	done
}
harass 12
ctl reload >/dev/null
supervisor=$(field .supervisor.pid)
kill -KILL "$supervisor"
another() { [ "$(field .supervisor.pid)" != "$supervisor" ] && ready; }
wait_until 10 another
harass 4
cp "$tmp/bin/ndsd" "$tmp/bin/new" && mv "$tmp/bin/new" "$tmp/bin/ndsd"
ctl upgrade >/dev/null
harass 4
wait "$crowd"
wait_until 5 all_ready
answered() {
	awk -v code="$1" '$1 == "status" && $2 == code { n = $3 }
	    END { print n + 0 }' "$tmp/crowd"
}
scrape
lost=$(($(total "nds_requests_lost_total{") - lost_before))
diag "$kills kills: $(paste -sd' ' "$tmp/crowd")"
is "as many as the clients have got" \
    "$(($(total "$requests{") - before))" "$(($(answered 204) + $(answered 502)))"
is "with the status that they have got" \
    "$(($(total "$requests{method=\"GET\",code=\"204\"") - ok_before))" \
    "$(answered 204)"
is "lost ones are the 502s" "$lost" "$(answered 502)"
is "as many times as requests" "$(total \
    'nds_http_request_duration_seconds_count{')" "$(total "$requests{")"
is "each death is counted" "$(($(total \
    'nds_worker_exits_total{reason="killed"}') - deaths_before))" "$kills"
is "the old generation has retired" \
    "$(number 'nds_worker_exits_total{reason="retired"}')" 4
is "one reload" "$(number 'nds_reloads_total{result="done"}')" 1
is "one upgrade" "$(number 'nds_upgrades_total{result="done"}')" 1
killed() { number 'nds_worker_exits_total{reason="killed"}'; }
deaths_before=$(killed) kills=0
guardian=$(field '.workers[0].guardian_pid')
place=$(field '.workers[0].slot')
of_place() { field ".workers[]|select(.slot==$place)|.$1//0"; }
other() { [ "$(of_place pid)" != "$seen" ] && [ "$(of_place pid)" != 0 ]; }
while [ "$(of_place guardian_pid)" = "$guardian" ] && [ $kills -lt 20 ]; do
	seen=$(of_place pid)
	kill -KILL "$seen"
	kills=$((kills + 1))
	wait_until 5 other
done
wait_until 5 all_ready
scrape
is "and $kills of one place, whose guardian then gives up" \
    "$(($(killed) - deaths_before))" "$kills"
is "one restart" "$(number nds_supervisor_restarts_total)" 1
ok "the application's own went on" \
    test "$(number things_total)" -ge $((42 + $(answered 204)))
printf '#!/bin/sh\nexit 1\n' >"$tmp/bin/new" && chmod +x "$tmp/bin/new" &&
    mv "$tmp/bin/new" "$tmp/bin/ndsd"
ctl upgrade >/dev/null 2>&1
is "an upgrade that fails is one" \
    "$(metric 'nds_upgrades_total{result="failed"}')" 1
spelled "all has happened"

# ---- a deadline
stop_is 0 "it stops"
ndsd=$(program ndsd)
export APP_REQUEST_TIMEOUT=1 APP_SHUTDOWN_TIMEOUT=20
unset APP_WORKERS
printf 'APP_WORKERS=64\n' >"$tmp/settings"
ndsd_start -f "$tmp/settings" -- "$(program tests/peer/metered)" 14
ok "a request at its deadline" asks 504 --path /hold --timeout 20000 "$app"
is "is counted" "$(metric nds_deadline_exceeded_total)" 1
is "so is its worker" "$(number 'nds_worker_exits_total{reason="deadline"}')" 1
echo APP_WORKERS=nonsense >"$tmp/settings"
ctl reload >/dev/null 2>&1
is "and a reload that is refused" \
    "$(metric 'nds_reloads_total{result="refused"}')" 1

# ---- the figure: 64 workers, 20 routes
for i in $(seq 0 13); do
	peer --many 8 --repeat 30 --path "/r$i" "$app" >/dev/null
done
scrape
bytes=$(stat -c %s "$tmp/metrics")
ok "64 workers and 20 routes are at most 200 kB ($bytes)" \
    test "$bytes" -le 200000
from=$(now_ms)
peer --many 1 --repeat 100 --path /metrics "$health" >"$tmp/scrapes"
took=$((($(now_ms) - from) * 10))
is "so many scrapes" "$(sed -n 's/^status 200 //p' "$tmp/scrapes")" 100
ok "take at most 5 ms each ($took us)" test "$took" -le $((5000 * scale))
stop_is 0 "it stops"
done_testing
