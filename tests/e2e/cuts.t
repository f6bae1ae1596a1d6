#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A request that pauses at any of its bytes, in BEGIN_REQUEST, PARAMS or STDIN,
# while its worker is told to go, arrives whole: every cut is tried.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq sha256sum
batch=48
export APP_WORKERS=$((batch + 2)) APP_START_TIMEOUT=$((10 * scale))
export APP_REQUEST_TIMEOUT=$((20 * scale)) APP_SHUTDOWN_TIMEOUT=$((30 * scale))
ndsd_start
text='the body of a request, of which no byte may be lost, doubled or moved'
sum=$(printf %s "$text" | sha256sum)
words="\"body_bytes\":${#text},\"sha256\":\"${sum%% *}\""

generation() { field .generation; }
held() { [ "$(field '[.workers[]|select(.request_ms > 0)]|length')" -ge "$1" ]; }

# cuts STEP COMMAND: the command comes upon each batch that is held; sets
# $batches, $refused and $whole.
mkfifo "$tmp/go" "$tmp/told"
cuts() {
	local word count go told
	batches=0 refused=0 whole=
	exec {go}<>"$tmp/go" {told}<>"$tmp/told"
	"$(program tests/peer/fcgi-cuts)" "$app" "$text" "$words" "$batch" "$1" \
	    <&"$go" >&"$told" 2>&1 &
	pids+=($!)
	while [ -z "$whole" ] &&
	    read -r -t $((60 * scale)) word count <&"$told"; do
		case $word in
		paused)
			batches=$((batches + 1))
			wait_until 10 held "$count" || diag "$count not held"
			"$2" || refused=$((refused + 1))
			echo go >&"$go"
			;;
		whole) whole=$count ;;
		*) diag "$word $count" ;;
		esac
	done
	exec {go}>&- {told}>&-
}

# ---- a reload
reload() { ctl reload >/dev/null 2>&1; }
cuts 1 reload
ok "every cut was tried (${whole#* of } in $batches batches)" \
    test "${whole#* of }" -gt 250
is "over a reload each arrives whole" "${whole%% of*}" "${whole#* of }"
is "each reload was done" "$refused" 0
is "so that the generations have passed under them" "$(generation)" \
    $((batches + 1))

# ---- a signal to each, as a sidecar that has nothing else would send it
signal() {
	local guardian
	for guardian in $(field '.workers[].guardian_pid//empty'); do
		kill -TERM "$guardian"
	done
}
cuts 5 signal
is "over a SIGTERM to each worker, too" "${whole%% of*}" "${whole#* of }"
is "none of them was answered with an error" "$(field .counters.status_5xx)" 0
is "no input was taken for bad" "$(field .counters.bad_input)" 0
stop_is 0 "it stops"

# ---- longer than a start may take: it must not be the first that a new worker
# sees, or the start would end at its deadline, and the request with it
export APP_WORKERS=3 APP_START_TIMEOUT=1 APP_SHUTDOWN_TIMEOUT=2m
export APP_REQUEST_TIMEOUT=20
export APP_QUEUE_TIMEOUT=1m APP_QUEUE_TARGET=1m # who waits is not refused
ndsd_start
peer --many 8 --repeat 2 --path /_diag/work --query ms=3000 \
    --timeout $((20000 * scale)) "$app" >"$tmp/many" 2>&1 &
crowd=$!
wait_until 5 held 1
ok "a reload under long requests is done" ctl reload
wait "$crowd"
is "and costs none of them" "$(sed -n 's/^status 200 //p' "$tmp/many")" 16
stop_is 0 "it stops"
done_testing
