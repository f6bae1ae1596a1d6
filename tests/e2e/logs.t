#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# Log lines: one JSON object a request with all that is needed, nothing that a
# client sends can break or forge one, and a reader who stops reading stops
# nobody.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
use_front
export APP_WORKERS=2
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"

lines() { grep -a "$1" "$tmp/ndsd.log"; }
line_of() { lines "\"$1\"" | head -n 1; }
has_line() { [ -n "$(line_of "$1")" ]; }

get -H 'X-Request-Id: find-me-1' "$url/version?q=1"
ok "a request has its line" wait_until 5 has_line find-me-1
line=$(line_of find-me-1)
is "the line is one JSON object" "$(jq -r type <<<"$line")" object
is "there is one line a request" "$(lines find-me-1 | wc -l)" 1
for key in time level request_id trace_id span_id method path status bytes \
    worker generation client; do
	is "it has $key" "$(jq "has(\"$key\")" <<<"$line")" true
done
like "it has the duration" "$(jq -r 'keys|join(" ")' <<<"$line")" duration
is "the method is right" "$(jq -r .method <<<"$line")" GET
like "the path is right" "$(jq -r .path <<<"$line")" '^/version'
is "the status is right" "$(jq -r .status <<<"$line")" 200
is "the bytes are right" "$(jq -r .bytes <<<"$line")" "$(stat -c %s "$tmp/body")"
is "the client is right" "$(jq -r .client <<<"$line")" 127.0.0.1
trace=0af7651916cd43dd8448eb211c80319c
get -H "traceparent: 00-$trace-b7ad6b7169203331-01" \
    -H 'X-Request-Id: find-me-2' "$url/"
wait_until 5 has_line find-me-2
is "the trace is the caller's" "$(line_of find-me-2 | jq -r .trace_id)" "$trace"
unlike "the span is its own" "$(line_of find-me-2 | jq -r .span_id)" b7ad6b7169203331
before=$(wc -l <"$tmp/ndsd.log")
for _ in 1 2 3 4 5 6 7 8 9; do get "$url/"; done
nine_more() { [ "$(wc -l <"$tmp/ndsd.log")" -ge $((before + 9)) ]; }
wait_until 5 nine_more
is "nine requests make nine lines" "$(wc -l <"$tmp/ndsd.log")" $((before + 9))

# ---- what clients would like to see there
forged='{"level":"error","message":"forged"}'
ask --path $'/a\n'"$forged"$'\n' "$app"
ask --path $'/\x01\x1b[31m\xff\xfe\x80"\\' "$app"
ask --path "/$(head -c 12000 /dev/zero | tr '\0' p)" "$app"
ask --method $'GET"\n'"$forged" "$app"
ask --header $'User-Agent: x\r\n'"$forged"$'\n' --header $'X-Request-Id: y\n'"$forged" "$app"
ask --param $'REMOTE_ADDR=1.2.3.4"\n'"$forged"$'\n' "$app"
ask --header $'Traceparent: 00-"\n'"$forged" "$app"
get -H 'X-Request-Id: find-me-3' "$url/%0a%22%7B%7D%00%ff"
get -H 'X-Request-Id: find-me-4' "$url/"
wait_until 5 has_line find-me-4
is "every line is a JSON object still" \
    "$(jq -r type "$tmp/ndsd.log" 2>&1 | sort -u)" object
is "nothing was forged" "$(jq -r 'select(.message=="forged")' "$tmp/ndsd.log")" ""
is "no control character or escape got through" \
    "$(LC_ALL=C grep -acP '[\x00-\x08\x0b-\x1f\x7f]' "$tmp/ndsd.log")" 0
ok "every line is UTF-8" iconv -f UTF-8 -t UTF-8 -o /dev/null "$tmp/ndsd.log"

# ---- the words of children are lines too
stop_is 0 "it stops"
: >"$tmp/ndsd.log"
ndsd_start -- "$(program tests/peer/bad-responder)" stderr
ask --path /stderr "$app"
spoken() { grep -q 'words on stderr of /stderr' "$tmp/ndsd.log"; }
ok "what a worker writes to stderr is logged" wait_until 5 spoken
is "as JSON" "$(jq -r type "$tmp/ndsd.log" 2>&1 | sort -u)" object
stop_is 0 "it stops"

# ---- text
: >"$tmp/ndsd.log"
APP_LOG_FORMAT=text ndsd_start
ask --header 'X-Request-Id: find-me-5' --path $'/x\ny' "$app"
texted() { grep -q find-me-5 "$tmp/ndsd.log"; }
ok "the text format tells requests too" wait_until 5 texted
is "one line each" "$(grep -c find-me-5 "$tmp/ndsd.log")" 1
unlike "and is not JSON" "$(head -n 1 "$tmp/ndsd.log")" '^\{'
stop_is 0 "it stops"

# ---- a reader who stops
ndsd_piped
wait_until 10 ready_or_dead
long=$(head -c 2000 /dev/zero | tr '\0' l)
peer --many 4 --repeat 600 --timeout $((5000 * scale)) --path "/$long" "$app" \
    >"$tmp/many"
is "requests are answered though nobody reads the log" \
    "$(sed -n 's/^whole //p' "$tmp/many")" 2400
dropped() { [ "$(field .counters.log_dropped)" -gt 0 ]; }
ok "what could not be written is counted" wait_until 5 dropped
ok "the supervisor answers meanwhile" status
exec {reader}<&-
ask "$app"
is "and when the reader has gone" "$status_code" 200
stop_is 0 "it stops"
done_testing
