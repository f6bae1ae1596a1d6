#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086
#
# A worker killed at each single place of a request, before and behind each
# system call that it makes: one whole answer, and one alone, to a client that
# waits for the end of the connection (hazards 1 and 2).
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
[ -z "$sanitize" ] || skip_all "a sanitizer makes system calls of its own"
export APP_WORKERS=1 APP_SHUTDOWN_TIMEOUT=25
ndsd_start

asked=0
kill_at=$(program tests/peer/kill-at)
watching() { grep -q '^ready' "$tmp/hunt" || gone "$hunter"; }
one() { [ -n "$(workers)" ] && field_is '.workers[0].state' idle; }

# aim POINT: the worker will die there.  Who was taken for it may have been the
# corpse of the last one.
aim() {
	for _ in {1..50}; do
		wait_until 10 one
		: >"$tmp/hunt"
		"$kill_at" "$(workers)" $1 >"$tmp/hunt" 2>&1 &
		hunter=$!
		pids+=("$hunter")
		wait_until 5 watching
		gone "$hunter" || break
		wait "$hunter"
		[ $? != 77 ] || skip_all "no process can be watched here"
	done
	asked=$((asked + 1))
}

# hit POINT: it did.
hit() {
	wait "$hunter"
	is "$1: the worker was killed there" "$?" 0
}

# whole POINT [PEER-OPTION...]: a whole answer, once.
whole() {
	local point=$1
	shift
	aim "$point"
	ask --header "X-Request-Id: at-$asked" "$@" "$app" <<<go
	hit "$point $*"
	like "$point $*: answered as if nothing had been" "$answer" '^status 200'
	like "$point: with its id" "$answer" "X-Request-Id: at-$asked"
	like "$point: whole" "$answer" '^end 0'
	unlike "$point: and once" "$answer" '^nonsense'
	like "$point: to the end" "$answer" '^closed eof'
}

# ---- one request in one piece
for point in "accept4 exit 1" "recvfrom entry 1" "recvfrom exit 1" \
    "read entry 1" "read exit 1" "sendmmsg entry 1" "sendmmsg exit 1" \
    "close entry 1" "close exit 1"; do
	whole "$point" --path /version
done
is "requests that were run again are counted" "$(field .counters.replayed)" 2
is "and answers that were finished" "$(field .counters.delivered)" 2

# ---- one that comes in pieces, whatever its method: no handler has seen it
# pieces POINT SEEN AT [PEER-OPTION...]: whole, and the bytes from AT on follow
# once so many of the calls were seen.
mkfifo "$tmp/go"
exec {go_fd}<>"$tmp/go"
seen() { [ "$(grep -c seen "$tmp/hunt")" -ge "$1" ]; }
pieces() {
	local point=$1 calls=$2 at=$3 client
	shift 3
	aim "$point"
	peer --timeout 20000 --header "X-Request-Id: at-$asked" \
	    --pause-at "$at" "$@" "$app" >"$tmp/pieces" <&"$go_fd" &
	client=$!
	wait_until 5 seen "$calls"
	echo go >&"$go_fd"
	hit "$point $*"
	wait "$client"
	answer=$(<"$tmp/pieces")
	like "$point $1 $2: answered as if nothing had been" "$answer" \
	    '^status 200'
	like "$point: with its id" "$answer" "X-Request-Id: at-$asked"
	like "$point: with the whole body" "$answer" "$sha"
	like "$point: whole" "$answer" '^end 0'
	unlike "$point: and once" "$answer" '^nonsense'
}

sum() { peer "$@" "$app" | grep -o '"sha256": *"[0-9a-f]*"'; }
post=(--method POST --path /_diag/echo --body-size 300)
sha=$(sum "${post[@]}")
pieces "recvmmsg entry 1" 1 20 "${post[@]}"
pieces "recvmmsg exit 1" 1 20 "${post[@]}"
pieces "recvmmsg entry 2" 2 20 "${post[@]}"
pieces "recvmmsg exit 2" 1 20 "${post[@]}"
is "what was only read on was not run again" "$(field .counters.replayed)" 2

# One that is too large to be read in one go.
post=(--method POST --path /_diag/echo --body-size 100000)
sha=$(sum "${post[@]}")
for point in "recvmmsg exit 1" "memfd_create exit 1" "pwritev exit 1"; do
	whole "$point" "${post[@]}"
	like "$point: with the whole body" "$answer" "$sha"
done
is "nor was this" "$(field .counters.replayed)" 2

# ---- a body that is still coming when its handler has begun
put=(--method PUT --path /_diag/echo --body-size 60000)
sha=$(sum "${put[@]}")
pieces "recvmmsg exit 1" 1 20 "${put[@]}"
pieces "recvmmsg exit 2" 1 20 "${put[@]}"
pieces "recvmmsg exit 2" 1 1000 "${put[@]}"
pieces "sendmmsg entry 1" 0 1000 "${put[@]}"
asked=$((asked + 3)) # the sums

# ---- a stream: no byte out, some, and all of them
stream=(--path /_diag/bytes --query n=100000)
whole "sendmmsg entry 1" "${stream[@]}"
like "no byte was out: the stream is whole" "$answer" '^body-bytes 100000'
whole "sendmmsg exit 7" "${stream[@]}"
like "all was out: the stream is whole" "$answer" '^body-bytes 100000'
for point in "sendmmsg exit 1" "sendmmsg entry 2" "sendmmsg exit 6"; do
	aim "$point"
	ask "${stream[@]}" "$app"
	hit "$point"
	like "$point: a stream under way is ended visibly" "$answer" '^nonsense'
	unlike "$point: and not as if it were whole" "$answer" '^end 0'
done

# ---- the books
is "of all these no answer was a 5xx but the broken streams" \
    "$(field .counters.status_5xx)" 3
is "and all are answered, once each" "$(field .counters.requests)" "$asked"
is "the sum of the statuses is the sum of the requests" \
    "$(field '.counters|[.status_1xx,.status_2xx,.status_3xx,.status_4xx,.status_5xx]|add')" \
    "$asked"
stop_is 0 "it stops"
is "each has its line" \
    "$(grep -c '"msg":"request"' "$tmp/ndsd.log")" "$asked"
done_testing
