#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# The shipped lighttpd.conf and nginx.conf: what they tell the world, what they
# refuse, how they wait, and that their graceful restart loses nothing.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq lighttpd
use_front
export APP_WORKERS=3 APP_REQUEST_TIMEOUT=2 APP_QUEUE_TIMEOUT=1 APP_SHUTDOWN_TIMEOUT=8
ndsd_start
spawn lighttpd lighttpd -D -f "$APP_FRONT_CONFIG"
lighttpd_pid=$pid
ok "lighttpd runs from the shipped configuration" wait_until 5 gets 200 "$url/"
if nginx_start; then
	pass "nginx runs from the shipped configuration"
elif command -v nginx >/dev/null; then
	fail "nginx runs from the shipped configuration"
fi

fronts=(lighttpd "$url")
[ -z "${nginx_url:-}" ] || fronts+=(nginx "$nginx_url")

each() { # FRONT URL
	get "$2/"
	unlike "$1: no version in a banner" "$(header Server)" '[0-9]'
	is "$1: nosniff" "$(header X-Content-Type-Options)" nosniff
	get "$2/no/such"
	is "$1: nosniff on errors too" "$(header X-Content-Type-Options)" nosniff
	unlike "$1: the errors name no program" "$body" "lighttpd|nginx"
	for probe in live ready startup metrics status; do
		ok "$1: /$probe goes to the health socket" gets 200 "$2/$probe"
	done
	get "$2/live/x"
	is "$1: /live/x is the application's" "$code" 404
	get --http2-prior-knowledge "$2/" 2>/dev/null
	ok "$1: no HTTP/2 (hazard 9)" test "$code" != 200
	get -H "X-Long: $(head -c 40000 /dev/zero | tr '\0' h)" "$2/"
	is "$1: header limit" "${code/400/431}" 431
	get --data-binary @<(head -c 3000000 /dev/zero) "$2/_diag/echo"
	is "$1: body limit" "$code" 413
	get -H 'X-Request-Id: through.1' "$2/"
	is "$1: X-Request-Id passes in and out" "$(header X-Request-Id)" through.1
	curl -sS --path-as-is -o /dev/null -w '%{http_code}' \
	    "$2/../../etc/passwd" >"$tmp/code"
	like "$1: a path cannot climb" "$(<"$tmp/code")" '^40[04]'
}
for ((i = 0; i < ${#fronts[@]}; i += 2)); do
	each "${fronts[@]:i:2}"
done

# ---- slow clients, all at once: a header that stops, a byte a second.  The
# second kind lighttpd lets live until the header is full, without a worker.
printf 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ' >"$tmp/half"
{ cat "$tmp/half"; head -c 300 /dev/zero | tr '\0' z; } >"$tmp/trickle"
slow() { # WHAT OUTPUT URL HOW...
	local what=$1 output=$2 to=${3#http://}
	shift 3
	peer --raw "$tmp/$what" "$@" "$to" >"$output" &
	slow_pids+=($!)
}
patience=$((20000 * scale))
for ((i = 0; i < ${#fronts[@]}; i += 2)); do
	slow half "$tmp/half.${fronts[i]}" "${fronts[i + 1]}" \
	    --timeout "$patience"
	[ "${fronts[i]}" = lighttpd ] ||
		slow trickle "$tmp/trickle.${fronts[i]}" "${fronts[i + 1]}" \
		    --timeout "$patience" --byte-every 1000
	for _ in $(seq 1 20); do
		slow trickle /dev/null "${fronts[i + 1]}" --byte-every 1000 \
		    --timeout 8000
	done
done
is "slow clients hold no worker" \
    "$(field '[.workers[]|select(.state=="busy")]|length')" 0

# ---- a backend that does not answer, and has no deadline of its own
kill -TERM "$ndsd_pid"
wait_end "$ndsd_pid" 20
ndsd_start -- "$(program tests/peer/stock-responder)"
from=$(now_ms)
get "$url/?ms=60000"
is "lighttpd: a request that takes for ever is 504" "$code" 504
ok "lighttpd: in queue + request + 5 s (hazard 19; $(($(now_ms) - from)) ms)" \
    test $(($(now_ms) - from)) -lt $((10000 + 1000 * scale))
if [ -n "${nginx_url:-}" ]; then
	from=$(now_ms)
	get "$nginx_url/?ms=60000"
	is "nginx: a request that takes for ever is 504" "$code" 504
	ok "nginx: in queue + request + 5 s (hazard 19; $(($(now_ms) - from)) ms)" \
	    test $(($(now_ms) - from)) -lt $((10000 + 1000 * scale))
fi
wait "${slow_pids[@]}"
for ((i = 0; i < ${#fronts[@]}; i += 2)); do
	for what in half trickle; do
		[ -e "$tmp/$what.${fronts[i]}" ] || continue
		unlike "${fronts[i]}: does not wait for a slow header ($what)" \
		    "$(<"$tmp/$what.${fronts[i]}")" '^closed open'
	done
done
kill -TERM "$ndsd_pid"
wait_end "$ndsd_pid" 20
ndsd_start

# ---- graceful restarts under load
load_begin 3 "$url/"
wait_until 10 load_reached 30
for n in 60 120 180; do
	kill -USR1 "$lighttpd_pid"
	wait_until 10 load_reached $n
done
load_end
is "lighttpd: three restarts lose nothing ($asked requests)$lost_how" "$lost" 0
ok "lighttpd: is the same process" kill -0 "$lighttpd_pid"
rm -f "$tmp"/load.*
if [ -n "${nginx_url:-}" ]; then
	load_begin 3 "$nginx_url/"
	wait_until 10 load_reached 30
	for n in 60 120 180; do
		kill -HUP "$nginx_pid"
		wait_until 10 load_reached $n
	done
	load_end
	is "nginx: three reloads lose nothing ($asked requests)$lost_how" "$lost" 0
fi

# ---- nginx retries an idempotent request whose worker died, once
in_flight() { [ "$(field '[.workers[]|select(.state!="idle")]|length')" -ge 1 ]; }
serving() { field '[.workers[]|select(.state!="idle")|.pid][0]'; }
killed_under() { # URL CURL-OPTION...: sets $code
	curl -sS -o "$tmp/body" -w '%{http_code}' "$@" >"$tmp/killed" 2>&1 &
	local client=$!
	wait_until 5 in_flight
	kill -KILL "$(serving)"
	wait "$client"
	code=$(<"$tmp/killed")
}
if [ -n "${nginx_url:-}" ]; then
	killed_under "$nginx_url/_diag/work?ms=500"
	is "nginx: a GET whose worker died is asked again" "$code" 200
	killed_under -X POST "$nginx_url/_diag/hang"
	is "nginx: a POST is not" "$code" 502
	get "$nginx_url/"
	is "nginx: the pool's socket is not blacklisted" "$code" 200
fi
get "$url/_diag/crash?signal=9"
like "lighttpd: a request that kills its worker is a 5xx" "$code" '^50[024]$'
get "$url/"
is "lighttpd: the pool's socket is not blacklisted" "$code" 200
# ---- settings of a front that stands alone: file < environment
prints() { # FILE: what lighttpd is told by such a file
	printf '%s\n' "$1" >"$tmp/nds.env"
	NDS_FRONT_SETTINGS=$tmp/nds.env "$srcdir/scripts/front-settings" \
	    lighttpd >"$tmp/front" 2>&1
}
kilobytes() { sed -n 's/^server.max-request-size = //p' "$tmp/front"; }
prints $'# x\n\nKEY="a\nb"\nOTHER=a\\\nb\nAPP_MAX_BODY=5k\n APP_MAX_BODY = \'7k\''
is "a front takes the last of its file" "$(kilobytes)" 7
APP_MAX_BODY=9k prints APP_MAX_BODY=7k
is "which gives way to the environment" "$(kilobytes)" 9
mkdir -p "$run/control"
echo "APP_MAX_BODY='7168'" >"$run/control/front.settings"
APP_MAX_BODY=9k NDS_FRONT_SETTINGS=$run/control/front.settings \
    "$srcdir/scripts/front-settings" lighttpd >"$tmp/front"
is "but not where ndsd wrote it" "$(kilobytes)" 7
rm "$run/control/front.settings"
APP_FRONT_MAX_BODY=0 prints $'APP_MAX_BODY=7k\nAPP_FRONT_ALLOW=10.0.0.0/8, ::1'
is "0 is as APP_MAX_BODY" "$(kilobytes)" 7
is "networks may have commas" "$(grep -c '"10.0.0.0/8" .*"::1"' "$tmp/front")" 1
prints $'APP_WORKERS=1\n APP_MAX_BODY 7k'
is "a line that says nothing is named" "$(<"$tmp/front")" \
    "front-settings: $tmp/nds.env:2: APP_MAX_BODY 7k: not KEY=VALUE"
prints $'X=\'\n\'\nAPP_MAX_BODY="7\nk"'
is "so is a setting of several lines" "$(<"$tmp/front")" \
    "front-settings: $tmp/nds.env:3: APP_MAX_BODY: a value of several lines"
NDS_FRONT_SETTINGS=$tmp/no.env "$srcdir/scripts/front-settings" lighttpd \
    >"$tmp/front" 2>&1
is "and a file that is not there" "$(<"$tmp/front")" \
    "front-settings: NDS_FRONT_SETTINGS=$tmp/no.env: cannot be read"

stop_is 0 "the pool stops"
get "$url/"
is "lighttpd: 503 without a pool" "$code" 503
kill -INT "$lighttpd_pid"
wait_end "$lighttpd_pid" 10
is "lighttpd: SIGINT ends it gracefully" "$rc" 0
done_testing
