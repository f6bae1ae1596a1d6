#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016
#
# nds-prove against a server whose every fault is known: each is counted as
# what it is, as often as it happened, and in its place before, during or after
# the command.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need curl jq
prove=$(program nds-prove)

# server [PORT]: sets $url.
server() {
	: >"$tmp/server.log"
	spawn server "$(program tests/peer/lossy-server)" "$@"
	wait_until 5 test -s "$tmp/server.log"
	url=http://127.0.0.1:$(<"$tmp/server.log")
}

# proves ARGS...: sets $rc, $json and $fates (what was not 0).
proves() {
	json=$("$prove" --json "$@" 2>"$tmp/prove.log" </dev/null)
	rc=$?
	fates=$(jq -c '.whole.fates|with_entries(select(.value>0))' <<<"$json")
}
say() { jq -r "$1" <<<"$json"; }
served() { curl -s "$url/counts" | sed -n "s/^$1 //p"; }

# ---- each fault, every fifth of twenty requests
server
fault() { # SENTENCE PATH FATE [ARGS...]
	local sentence=$1 path=$2 fate=$3
	shift 3
	proves -n 20 -c 1 "$@" "$url/$path"
	is "$sentence" "$fates" "{\"answered\":16,\"$fate\":4}"
	is "$sentence: status 1" "$rc" 1
}
proves -n 20 -c 4 --ids --expect-hash-of-first "$url/ok"
is "a good server loses nothing" "$rc $fates" '0 {"answered":20}'
is "its statuses are counted" "$(say '.statuses|tostring')" '{"200":20}'
fault "an answer that is cut short" cut/5 cut_short
fault "a connection that is reset" reset/5 reset --new
fault "an answer that comes too late" late/5 too_slow --timeout 100ms
fault "another request's answer" wrong-id/5 wrong_answer --ids
fault "something that is no HTTP" garbage/5 wrong_answer
fault "other bytes than before" altered/5 wrong_body --expect-hash-of-first
fault "two answers to one request" twice/5 answered_twice
fault "a 503" 503/5 status_5xx
fault "a 404" 404/5 status_4xx
fault "a redirect where 200 is wanted" 302/5 status_3xx --ok-status 200
proves -n 20 -c 1 --ok-status 2xx,503 "$url/503/5"
is "a status that is said to be good is" "$rc $fates" '0 {"answered":20}'
proves -n 7 -c 1 --rate 20 "$url/twice-late/3"
is "a second answer that comes while nobody waits" "$fates" \
    '{"answered":5,"answered_twice":2}'
proves -n 6 -c 1 --rate 20 "$url/close-idle/2"
is "a connection that was closed while it rested is no loss" "$rc $fates" \
    '0 {"answered":6}'
hash=$(printf 'all is well with this one\n' | sha256sum | cut -d ' ' -f 1)
proves -n 5 --hash "$hash" "$url/ok"
is "the hash that was said is the right one" "$rc" 0
proves -n 5 --hash "${hash//[0-9]/0}" "$url/ok"
is "another hash is a wrong body" "$fates" '{"wrong_body":5}'

# ---- swallowed on a connection in use: libcurl sends it again and says nothing
before=$(served swallow)
fault "a swallowed POST that was silently sent again (hazard 5)" swallow/5 sent_again \
    --data 'x=1'
is "the server saw all 24 of them" "$before $(served swallow)" "0 0 24 4"
is "a loss is told with its id" \
    "$(say '.first_losses[0]|"\(.fate) \(.id|test("^prove-.*-5$"))"')" \
    "sent_again true"
head -c 300000 /dev/zero >"$tmp/big"
proves -n 20 -c 1 -X PUT --data-file "$tmp/big" "$url/swallow/5"
is "so too a large body" "$(say .whole.fates.sent_again)" 4

# ---- refused
proves -n 10 -c 1 --new "$url/refuse/4"
is "connections that are refused from the fifth on" "$rc $fates" \
    '1 {"answered":4,"refused":6}'
proves -d 60 -c 2 "http://127.0.0.1:$(free_port)/"
is "a server that was never there is status 3, and soon" "$rc" 3
is "which JSON says too" "$(say .reachable)" false
server

# ---- latency
proves -n 10 -c 1 --rate 100 "$url/late/10"
is "an open loop counts from when a request was due" \
    "$(say '.whole.latency_ms|.p50 < 250 and .max >= 300')" true
proves -n 20 -c 1 --rate 100 "$url/late/10"
is "so that those behind a slow one are slow too" \
    "$(say '.whole.latency_ms.p90 > 150')" true
is "the worst gap is the slow answer's" \
    "$(say '.whole.worst_gap_ms|. >= 280 and . < 900')" true
proves -n 30 -c 1 --rate 100 --timeout 100ms "$url/late"
is "each that was due counts, sent in time or not" "$fates" '{"too_slow":30}'

# ---- the command
proves -d 300ms -c 2 --lead 100ms --during "curl -s $url/404; exit 7" "$url/ok"
is "the command ran once and its status is told" "$rc $(say \
    '.command|"\(.count) \(.failed) \(.runs[0].exit)"')" "0 1 1 7"
is "there was load before, during and after it" \
    "$(say '[.before,.during,.after]|map(.requests > 0)|all')" true
is "the phases are the whole" "$(say \
    '.whole.requests == .before.requests + .during.requests + .after.requests')" \
    true
slow="curl -s $url/late"
proves -d 50ms -c 1 --lead 50ms --during "$slow; $slow; $slow" "$url/ok"
is "the load goes on under a command that is slow, and after it" \
    "$(say '[.whole.worst_gap_ms < 600, .after.requests > 0]|all')" true
proves -d 1 -c 1 --lead 100ms --every 200ms --during 'kill -9 $$' "$url/ok"
is "--every runs it again and again" \
    "$(say '.command|.count >= 3 and .count <= 5 and .failed == .count')" true
is "and tells the signal it died of" "$(say '.command.runs[1].signal')" 9
proves -d 300ms -c 1 --new --lead 100ms --during "curl -s $url/refuse" "$url/ok"
is "losses are those of their phase" \
    "$(say '[.before.lost == 0, .during.lost + .after.lost > 0]|all')" true

# ---- forms of the summary
server
text=$("$prove" -n 10 -c 1 "$url/503/5" 2>"$tmp/live")
like "the text names what was lost" "$text" "^ *status 5xx +2$"
like "and ends with the verdict" "$(tail -n 1 <<<"$text")" \
    "^2 of 10 requests lost$"
is "nothing but the summary goes into a pipe" "$(<"$tmp/live")" ""
"$prove" -n 10 -c 1 --lead 0 --during 'echo "<hi>"' \
    --html "$tmp/page.html" "$url/503/5" >"$tmp/said" 2>&1
page=$(<"$tmp/page.html")
like "the page has its verdict" "$page" "of .* requests lost</h1>"
like "the page has its chart" "$page" "</svg>"
like "what it shows is escaped" "$page" "echo &#34;&#60;hi"
unlike "it needs nothing from elsewhere" "$page" "<script|<link|<img|@import|src="
"$prove" -n 3 --html "$tmp/none.html" "$url/503/1" >"$tmp/said" 2>&1
unlike "no answer has no latency, not one of 0 ms" "$(<"$tmp/none.html")" \
    "<b>0.000 ms</b><span>(p50|p99|slowest)"
if command -v script >/dev/null; then
	live=$(script -qec "$prove -d 300ms $url/ok" /dev/null </dev/null)
	like "a terminal has a line that lives" "$live" "answers/s .* lost"
else
	skip "a terminal has a line that lives" "no script(1) here"
fi

"$prove" -n 10 -c 1 --rate 100 --each "$tmp/each" "$url/503/5" >/dev/null 2>&1
is "each request has a line with its status and fate" \
    "$(cut -d ' ' -f 3- "$tmp/each" | sort | uniq -c | tr -s ' ')" \
    " 8 200 answered
 2 503 status_5xx"
like "with the time at which it was due" \
    "$(sed -n '4p' "$tmp/each")" '^0\.030000 0\.0'

# ---- an early end
spawn early "$prove" -d 60 -c 2 --json "$url/404/1000000000"
early=$pid
wait_until 5 eval 'served 404 | grep -q "^[1-9]"'
kill -INT "$early"
wait_end "$early" 5
is "SIGINT ends early with the summary" "$rc $(jq .ended_early \
    "$tmp/early.log")" "0 true"
spawn both "$prove" -d 60 -c 1 --lead 0 --json \
    --during ": >'$tmp/began'; exec cat '$tmp/never'" "$url/ok"
both=$pid
wait_until 5 test -e "$tmp/began"
kill -TERM "$both"
wait_end "$both" 5
is "SIGTERM too, and the command is ended with it" \
    "$rc $(jq '.command.runs[0].signal' "$tmp/both.log")" "0 15"

# ---- refusals
refused "no URL" 2 "URL" "$prove"
refused "two URLs" 2 "one URL" "$prove" "$url" "$url"
refused "no HTTP URL" 2 "http://" "$prove" ftp://127.0.0.1/
refused "a wrong number" 2 "1 to 10000" "$prove" -c 0 "$url"
refused "a wrong option" 2 "did you mean --during" "$prove" --durin x "$url"
refused "a page that cannot be written" 2 "$tmp/no/page" \
    "$prove" --html "$tmp/no/page" "$url"
refused "lines that cannot be written" 2 "$tmp/no/each" \
    "$prove" --each "$tmp/no/each" "$url"
done_testing
