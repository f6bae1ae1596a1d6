#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Limits: groups of routes of which only so many requests run at once, and how
# often one client may ask.  Both over all workers, whoever dies.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq

metric() { peer --path /metrics "$health" | sed -n "s/^body $1 //p"; }
metric_is() { [ "$(metric "$1")" = "$2" ]; }
held_is() { metric_is 'nds_group_held{group="held"}' "$1"; }
busy() { field '[.workers[]|select(.state=="busy")|.pid]|sort|map(tostring)|join(" ")'; }
counted() { [ "$(field ".counters.$1")" = "$2" ]; }
answer_header() { grep -ao "$1: .*" <<<"$answer" | tr -d '\r'; }

# hold PEER-OPTION...: a request that does not end; sets $pid.
hold() { spawn hold "$(program tests/peer/fcgi-peer)" --path /held --timeout 60000 "$@" "$app"; }

# ---- a group of two places, in a pool of four workers
export APP_WORKERS=4 APP_RETRY_AFTER=2
export APP_REQUEST_TIMEOUT=60 APP_SHUTDOWN_TIMEOUT=90
ndsd_start -- "$(program tests/peer/bad-responder)" plain
hold
hold
ok "two requests of the group run" wait_until 5 held_is 2
from=$(now_ms)
ask --path /held "$app"
took=$(($(now_ms) - from))
is "a third is refused" "$status_code" 503
ok "at once ($took ms)" test "$took" -lt $((250 * scale))
like "and told when to come back, not all at the same time" \
    "$(answer_header Retry-After)" '^Retry-After: [234]$'
like "as a problem" "$answer" 'application/problem\+json'
like "that says why" "$answer" 'too many requests of this kind'
from=$(now_ms)
peer --many 4 --repeat 100 "$app" >"$tmp/quick"
took=$(($(now_ms) - from))
is "other routes serve on" "$(sed -n 's/^status 200 //p' "$tmp/quick")" 400
ok "and quickly ($took ms for 400)" test "$took" -lt $((1000 * scale))
is "metrics show the limit" "$(metric 'nds_group_limit{group="held"}')" 2
is "and who was refused" "$(metric 'nds_group_refused_total{group="held"}')" 1

# ---- a worker killed while it holds a place
read -r first second <<<"$(busy)"
peer --many 2 --repeat 2000 --timeout 2000 --path /held "$app" >"$tmp/crowd" &
crowd=$!
crowding() { [ "$(metric 'nds_group_refused_total{group="held"}')" -gt 20 ]; }
wait_until 5 crowding
kill -KILL "$first"
ok "its request is run again" wait_until 5 counted replayed 1
wait "$crowd"
is "and keeps its place, whoever else wants it" \
    "$(sed -n 's/^status //p' "$tmp/crowd")" "503 4000"
ok "the two run on" held_is 2
two_busy() { [ "$(busy | wc -w)" = 2 ]; }
wait_until 5 two_busy
again=$(busy | tr ' ' '\n' | grep -vx "$second")
kill -KILL "$again"
ok "killed twice, the place is free" wait_until 5 held_is 1
hold
ok "for another" wait_until 5 held_is 2
ok "and no more than one" asks 503 --path /held "$app"
pairs() { field '.workers[]|select(.state=="busy")|"\(.guardian_pid) \(.pid)"'; }
kill_all() { xargs kill -KILL; }
pairs | head -n 1 | kill_all
ok "so it is when guardian and worker die together" wait_until 5 held_is 1
hold --method POST
wait_until 5 held_is 2
{ field .supervisor.pid; pairs; } | kill_all
ok "and when the supervisor dies with them" wait_until 10 held_is 0

# ---- a deadline
ask --path /brief --timeout 20000 "$app"
is "a request past its deadline" "$status_code" 504
none_brief() { metric_is 'nds_group_held{group="brief"}' 0; }
ok "gives its place back" wait_until 5 none_brief
ok "so the next one runs, to its own deadline" asks 504 --path /brief \
    --timeout 20000 "$app"
ok "a request that is answered" asks 200 --path /turn "$app"
is "gives its place back" "$(metric 'nds_group_held{group="turn"}')" 0
stop_is 0 "the pool stops"

# ---- one client's rate
put() { printf 'APP_WORKERS=2\n%s\n' "$@" >"$tmp/settings"; }
from() { # ADDRESS [FORWARDED-FOR...]: ask as this peer
	local options=(--param "REMOTE_ADDR=$1")
	shift
	while [ $# -gt 0 ]; do
		options+=(--param "HTTP_X_FORWARDED_FOR=$1")
		shift
	done
	ask "${options[@]}" --header "X-Request-Id: from-$((++asked_from))" "$app"
}
asked_from=0
gives() { # CODE ADDRESS ...
	local want=$1
	shift
	from "$@"
	[ "$status_code" = "$want" ]
}
unset APP_WORKERS
put "APP_RATE_LIMIT=1/h burst 3
APP_TRUSTED_PROXIES=10.0.0.0/8,2001:db8:f::/48"
ndsd_start -f "$tmp/settings"
from 192.0.2.1
is "a client is served" "$status_code" 200
is "and told the policy" "$(answer_header RateLimit-Policy)" \
    'RateLimit-Policy: "client";q=3;w=10800'
is "and what is left" "$(answer_header RateLimit)" \
    'RateLimit: "client";r=2;t=3600'
ok "once more" gives 200 192.0.2.1
ask --param REMOTE_ADDR=192.0.2.1 --path /nowhere "$app"
is "a 404 counts as any, and is told" "$status_code $(answer_header RateLimit)" \
    '404 RateLimit: "client";r=0;t=10800'
from 192.0.2.1
is "a fourth request is too many" "$status_code" 429
like "as a problem" "$answer" 'application/problem\+json'
like "with the time to wait" "$(answer_header Retry-After)" \
    '^Retry-After: (3600|359[0-9])$'
like "and nothing left" "$(answer_header RateLimit)" '"client";r=0;t='
peer --many 4 --repeat 50 --param REMOTE_ADDR=192.0.2.2 "$app" >"$tmp/many"
is "of 200 requests of another all workers admit three" \
    "$(sed -n 's/^status 200 //p' "$tmp/many")" 3
is "and refuse the others" "$(sed -n 's/^status 429 //p' "$tmp/many")" 197
is "which metrics show" "$(metric nds_rate_refused_total)" 198
ok "an IPv6 client is its /64" gives 200 2001:db8:1:1::1
ok "of which the second" gives 200 2001:db8:1:1::2
ok "the third" gives 200 2001:db8:1:1::3
ok "and the fourth address are the same" gives 429 2001:db8:1:1::4
ok "its neighbour is another" gives 200 2001:db8:1:2::1
for _ in 1 2 3 4 5; do asks 200 --path /live "$health" || break; done
is "probes are not limited" "$status_code" 200

# ---- who it is, behind proxies
ok "a forwarded address of a stranger is not believed" \
    gives 429 192.0.2.1 198.51.100.77
ok "that of a trusted proxy is" gives 200 10.0.0.1 198.51.100.1
wait_line() { grep -a "from-$asked_from" "$tmp/ndsd.log" >"$tmp/line"; }
wait_until 5 wait_line
is "the access line names the client" "$(jq -r .client "$tmp/line")" 198.51.100.1
ok "as one" gives 200 10.0.0.2 '198.51.100.1, 10.0.0.9'
ok "whatever it sends itself" gives 200 2001:db8:f::1 '1.2.3.4, 198.51.100.1'
ok "is limited as one" gives 429 10.0.0.1 '1.2.3.5, 198.51.100.1'
ok "in a header of its own, too" gives 429 10.0.0.1 1.2.3.6 198.51.100.1
ok "another behind the same proxy is not" gives 200 10.0.0.1 198.51.100.2
ask --path /_diag/crash --query signal=9 --param REMOTE_ADDR=10.0.0.1 \
    --param HTTP_X_FORWARDED_FOR=198.51.100.3 --header 'X-Request-Id: twice' "$app"
settled() { grep '"msg":"request","request_id":"twice"' "$tmp/ndsd.log" >"$tmp/line"; }
wait_until 5 settled
is "a guardian's line names the client, too" \
    "$(jq -r '[.status,.client]|join(" ")' "$tmp/line")" "502 198.51.100.3"
wait_until 5 ready

# ---- what the buckets outlive
read -r first second <<<"$(workers)"
kill -KILL "$first" "$second"
counters_died() { [ "$(field .counters.workers_died)" -ge 2 ]; }
wait_until 5 counters_died
wait_until 5 ready
ok "a death of all workers forgives nothing" gives 429 192.0.2.1
ok "a reload's own requests are not limited" ctl reload
ok "and it forgives nothing either" gives 429 192.0.2.1
gives 200 192.0.2.3 && gives 200 192.0.2.3
ask --path /_diag/crash --query signal=9 --param REMOTE_ADDR=192.0.2.3 "$app"
is "a request that is run again is not counted again" "$status_code" 502
put "APP_RATE_LIMIT=1000/s"
ok "a reload with another limit is obeyed" ctl reload
from 192.0.2.1
is "at once" "$status_code $(answer_header RateLimit-Policy)" \
    '200 RateLimit-Policy: "client";q=1000;w=1'

# ---- clients known by a header
put "APP_RATE_LIMIT=1/h burst 2
APP_RATE_LIMIT_KEY=header:X-Api-Key"
ctl reload >/dev/null 2>&1
key() { asks "$1" --header "X-Api-Key: $2" --param "REMOTE_ADDR=$3" "$app"; }
ok "a key is served" key 200 alice 192.0.2.1
ok "from wherever it comes" key 200 alice 192.0.2.2
ok "and limited" key 429 alice 192.0.2.3
ok "another is not" key 200 bob 192.0.2.1
ok "nor the address itself" gives 200 192.0.2.1
ok "which counts where there is no key" gives 200 192.0.2.1
ok "as before" gives 429 192.0.2.1

put "APP_RATE_LIMIT=off"
ctl reload >/dev/null 2>&1
from 192.0.2.1
is "off is off" "$status_code $(answer_header RateLimit)" "200 "
for wrong in "APP_RATE_LIMIT=50/d" "APP_RATE_LIMIT=lots" \
    "APP_RATE_LIMIT_KEY=cookie" "APP_RATE_LIMIT_KEY=header:" \
    "APP_TRUSTED_PROXIES=10.0.0.1/8" "APP_TRUSTED_PROXIES=proxy" \
    "APP_CLIENT_HEADER=X Y"; do
	put "$wrong"
	refused "$wrong" 78 "settings:2: ${wrong%%=*}=.*allowed:" \
	    "$ndsd" -t -f "$tmp/settings"
done
stop_is 0 "the pool stops"

# ---- through a front
use_front
export APP_WORKERS=2 APP_RATE_LIMIT="1/h burst 2" APP_TRUSTED_PROXIES=127.0.0.1
ndsd_start --front=lighttpd
wait_until 5 gets 200 -H 'X-Forwarded-For: 198.51.100.1' "$url/"
ok "lighttpd passes who it is" gets 200 -H 'X-Forwarded-For: 198.51.100.2' "$url/"
ok "twice" gets 200 -H 'X-Forwarded-For: 198.51.100.2' "$url/"
ok "and the refusal" gets 429 -H 'X-Forwarded-For: 198.51.100.2' "$url/"
like "with its fields" "$(header Retry-After) $(header RateLimit)" \
    '^(3600|359[0-9]) "client";r=0;t='
for forged in X_Forwarded_For X.Forwarded-For; do
	gets 200 -H 'X-Forwarded-For: 198.51.100.3' -H "$forged: 6.6.6.6" \
	    -H "X-Request-Id: by-$forged" "$url/"
	wait_forged() { grep -a "by-$forged" "$tmp/ndsd.log" >"$tmp/line"; }
	wait_until 5 wait_forged
	is "$forged beside the header: neither is believed" \
	    "$(jq -r .client "$tmp/line")" 127.0.0.1
done
ok "which does not raise the limit" gets 429 \
    -H 'X-Forwarded-For: 198.51.100.3' -H 'X_Forwarded_For: 6.6.6.8' "$url/"
ok "probes stay what they are" gets 200 "$url/live"
stop_is 0 "the pool stops"
done_testing
