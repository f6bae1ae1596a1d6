#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119,SC2317
#
# A caller's own timeout shortens the deadline of its request, the time in the
# queue included; when that is over the request is not run.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=1 APP_REQUEST_TIMEOUT=5 APP_SHUTDOWN_TIMEOUT=20
export APP_QUEUE_TIMEOUT=5
busy_is() { field_is '[.workers[]|select(.state=="busy")]|length' "$1"; }
within() { test "$1" -ge $(($2 - 10)) -a "$1" -le $(($2 + 250 * scale)); }

# hang_for HEADER: sets $took, $status_code
hang_for() {
	local from
	from=$(now_ms)
	ask --path /_diag/hang --header "$1" --timeout 20000 "$app"
	took=$(($(now_ms) - from))
	wait_until 5 busy_is 0
}

ndsd_start
hang_for "X-Request-Timeout-Ms: 700"
is "a caller's timeout is a deadline" "$status_code" 504
ok "to the time ($took ms of 700)" within "$took" 700
hang_for "X-Request-Timeout-Ms: 300"
ok "a shorter one after a longer too ($took ms of 300)" within "$took" 300
ok "one that is kept changes nothing" asks 200 --path /_diag/work \
    --query ms=50 --header "X-Request-Timeout-Ms: 3000" "$app"
for value in "" soon -1 1.5 "1 2" 99999999999999999999; do
	ok "one that is no number is ignored: '$value'" asks 200 --path / \
	    --header "X-Request-Timeout-Ms: $value" "$app"
done

# ---- what waited in the queue
# behind TIMEOUT: ask behind a request of 600 ms; sets $answer, $status_code
behind() {
	peer --path /_diag/work --query ms=600 "$app" >/dev/null &
	first=$!
	wait_until 5 busy_is 1
	ask --path /_diag/work --query ms=1 --timeout 20000 \
	    --header "X-Request-Timeout-Ms: $1" --header "X-Request-Id: q-$1" \
	    "$app"
	wait "$first"
}
before=$(field .counters.late)
behind 100
is "a request that waited longer than its caller means to is refused" \
    "$status_code" 503
like "as a problem" "$answer" '"request_id":"q-100"'
like "with Retry-After" "$answer" '^header Retry-After: [12]$'
is "and counted" "$(field .counters.late)" "$((before + 1))"
logged() { grep '"q-100"' "$tmp/ndsd.log" | grep -q 'timeout was over'; }
ok "and logged" wait_until 5 logged
behind 4000
is "one that waited less is run" "$status_code" 200
stop_is 0 "it stops"

# ---- the setting
APP_TIMEOUT_HEADER='X Bad' refused "a header's name with a blank" 78 \
    'APP_TIMEOUT_HEADER=X Bad' "$ndsd" -t
export APP_TIMEOUT_HEADER=Grpc-Wait
ndsd_start
hang_for "Grpc-Wait: 300"
ok "APP_TIMEOUT_HEADER names the header ($took ms of 300)" within "$took" 300
stop_is 0 "it stops"
export APP_TIMEOUT_HEADER='' APP_REQUEST_TIMEOUT=1
ndsd_start
hang_for "X-Request-Timeout-Ms: 100"
ok "empty, there is none ($took ms of 1000)" within "$took" 1000
stop_is 0 "it stops"
done_testing
