#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# Whatever a peer sends to the application socket: the connection is answered
# or closed, counted, and the same worker serves the next request.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=1 APP_REQUEST_TIMEOUT=1 APP_MAX_BODY=64k
export APP_SHUTDOWN_TIMEOUT=30
ndsd_start
before=$(workers)
patience=$((8000 * scale))

bad() { field .counters.bad_input; }
more_bad() { [ "$(bad)" -gt "$1" ]; }

# serves SENTENCE: the next request is answered by the same worker.
serves() {
	local answer
	asks 200 "$app"
	is "$1: the next is served" "$status_code" 200
	is "$1: by the same worker" "$(workers)" "$before"
}

# closes SENTENCE PEER-OPTION...: the pool ends it, without being left open.
closes() {
	local sentence=$1
	shift
	answer=$(peer --timeout "$patience" "$@" "$app")
	unlike "$sentence: the connection is ended" "$answer" '^closed open'
	unlike "$sentence: nothing is answered as good" "$answer" '^status 2'
	serves "$sentence"
}

# counted SENTENCE PEER-OPTION...: and counted once.
counted() {
	local was
	was=$(bad)
	closes "$@"
	ok "$1: counted" wait_until 3 more_bad "$was"
	is "$1: once" "$(bad)" $((was + 1))
}

head -c 4000 /dev/urandom >"$tmp/garbage"
counted "garbage" --raw "$tmp/garbage"
counted "eight bytes of garbage" --raw hex:deadbeefdeadbeef
counted "HTTP instead of FastCGI" --raw <(printf 'GET / HTTP/1.1\r\n\r\n')
counted "another version" --version 2
counted "another role" --role 2
counted "a first record that is not BEGIN_REQUEST" --first-type 5
counted "request id 0" --id 0
counted "another id on the body" --method POST --body abc --stdin-id 9
counted "a management record first (hazard 8)" --management 9
counted "a lone management record" --raw hex:0109000000000000
counted "an unknown management type" --management 77
counted "PARAMS whose lengths run over the end" \
    --raw hex:0101000100080000000100000000000001040001000400007f7f616101040001000000000105000100000000
counted "a second BEGIN_REQUEST" \
    --raw hex:010100010008000000010000000000000101000100080000000100000000000001040001000000000105000100000000
counted "oversized PARAMS" --params-size 1000000
counted "endless PARAMS" --endless params
ended() { # SENTENCE PEER-OPTION...: answered or closed, but not left open
	answer=$(peer --timeout "$patience" "${@:2}" "$app")
	unlike "$1: the connection is ended" "$answer" '^closed open'
	serves "$1"
}
ended "more body than announced" --method POST --path /_diag/echo \
    --body-size 100 --announce 10
like "more body than announced: what was announced is read" "$answer" \
    '"body_bytes": ?10[,}]|^status 400'
closes "an endless body" --method POST --path /_diag/echo --no-length \
    --endless stdin --limit 3000000000
like "an endless body: is too large" "$answer" '^status 413'
ended "an endless body on a path that is not there" --method POST \
    --path /no/such --no-length --endless stdin --limit 3000000000

# ---- halves
closes "nothing, then the end" --cut-at 0 --cut half
for at in 1 7 8 15 16 17 24 40 100; do
	closes "cut at byte $at" --cut-at "$at" --cut close
done
closes "half a request, then the end" --cut-at 40 --cut half
closes "half a body, then the end" --method POST --path /_diag/echo \
    --body-size 1000 --cut-at 400 --cut half
closes "half a request, then silence" --cut-at 40 --cut hold
closes "half a body, then silence" --method POST --path /_diag/echo \
    --body-size 1000 --cut-at 400 --cut hold
closes "silence" --cut-at 0 --cut hold
closes "a byte a second" --byte-every 1000

# ---- slow but right
ask --byte-by-byte --method POST --path /_diag/echo --body-size 300 "$app"
is "a byte at a time is served (hazard 8)" "$status_code" 200
like "with the whole body" "$answer" '300'
for at in 3 8 20 60 120; do
	ask --pause-at "$at" --method POST --path /_diag/echo --body-size 99 \
	    "$app" <<<go
	is "a request in two pieces, cut at $at, is served" "$status_code" 200
done
ask --keep-conn "$app"
like "KEEP_CONN is answered and closed all the same" "$answer" '^closed eof'
ask --id 65535 "$app"
like "any request id is answered under that id" "$answer" 'id 65535'

# ---- a peer that never reads
answer=$(peer --never-read --path /_diag/bytes --query n=50000000 \
    --timeout "$patience" "$app")
unlike "a peer that never reads is left within the deadline" "$answer" \
    '^closed open'
serves "after it"

# ---- many at once
peer --many 8 --repeat 20 --raw "$tmp/garbage" --timeout "$patience" "$app" \
    >"$tmp/many"
like "a crowd with garbage is refused whole" "$(<"$tmp/many")" '^partial 160'
serves "after the crowd"
is "no worker was lost over all this" "$(workers)" "$before"
unlike "and none died" "$(<"$tmp/ndsd.log")" 'died|SIGSEGV|Sanitizer'
stop_is 0 "it stops"
done_testing
