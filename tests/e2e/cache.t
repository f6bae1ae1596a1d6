#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A cached route: one worker makes the answer that many want, a stale one
# serves meanwhile, and neither deaths nor reloads upset it.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=8 CACHED_DIRECTORY=$tmp/app
mkdir "$tmp/app"
cd "$tmp/app" || exit 99
echo 1 >version

runs() { wc -l <runs; }
runs_are() { [ "$(runs)" = "$1" ]; }
runner() { tail -n 1 runs | tr -d ' '; }
fetch() { ask --path /cached "$@" "$app"; }
text() { grep -o 'run [0-9]* of version [^ ]*' <<<"$answer"; }
counts() { # RESULT
	peer --path /metrics "$health" |
	    sed -n "s/^body nds_cache_requests_total{result=\"$1\"} //p"
}
fresh() { grep -q 'Cache-Status: nds; hit' <<<"$answer"; }

gate_close() { mkfifo gate; }
# The handlers behind it go on; others find none.
gate_open() {
	mv gate gone
	(: >gone) &
	pids+=($!)
}

# crowd N: so many clients at once, each with a file of its own.
crowd() {
	local i
	crowd=()
	for ((i = 0; i < $1; i++)); do
		peer --timeout $((10000 * scale)) --path /cached "$app" \
		    >"$tmp/crowd.$i" 2>&1 &
		crowd+=($!)
	done
}
crowd_end() { wait "${crowd[@]}"; }
crowd_count() { cat "$tmp"/crowd.* | grep -c "$1"; }
waiting() { # all workers have a request
	[ "$(field '[.workers[]|select(.state=="busy")]|length')" = "$1" ]
}
echo APP_CACHE_BYTES=1m >"$tmp/settings"
ndsd_start -f "$tmp/settings" -- "$(program tests/peer/cached)"

# ---- a stampede
gate_close
crowd 8
ok "eight clients ask for what is not there" wait_until 10 waiting 8
gate_open
crowd_end
is "one run of the handler" "$(runs)" 1
is "answers all of them" "$(crowd_count 'run 1 of')" 8
is "seven from the cache" "$(crowd_count 'Cache-Status: nds; hit')" 7
is "which metrics show" "$(counts miss) $(counts hit)" "1 7"
rm -f "$tmp"/crowd.*

fetch --header 'X-Kind: other'
is "another kind is another answer" "$(text)" "run 2 of version 1"
fetch --header 'X-Kind: other' --header 'Authorization: Basic eDp5'
is "who is authorized gets one of its own" "$(text)" "run 3 of version 1"
ask --path /cached --method HEAD "$app"
ok "HEAD is answered too" fresh
ask --path /fails "$app"
ask --path /fails "$app"
is "a 500 is not kept" "$(runs) $status_code" "5 500"

# ---- stale while one worker makes the new one
maker_begin() {
	peer --timeout $((20000 * scale)) --path /cached "$app" \
	    >"$tmp/maker" 2>&1 &
	maker=$!
}
# A hit ends at once: ask again, until the answer has gone stale.
maker_waits() {
	[ ! -s runs ] || return 0
	gone "$maker" && maker_begin
	return 1
}
rm -f runs
gate_close
maker_begin
ok "its time over, one makes a new answer" wait_until 10 maker_waits
crowd 6
crowd_end
is "while others get the old one" "$(crowd_count 'Cache-Status: nds; hit')" 6
is "and do not make another" "$(runs)" 1
is "metrics show them" "$(counts stale)" 6

# ---- the maker dies
first=$(runner)
kill -KILL "$first"
ok "the maker killed, another goes on at once" wait_until 5 runs_are 2
ok "another worker" test "$(runner)" != "$first"
fetch
ok "and the old one still serves" fresh
gate_open
wait "$maker"
like "its client gets the new answer" "$(cat "$tmp/maker")" "run 2 of version 1"
fetch
is "as all do then" "$(text)" "run 2 of version 1"

# ---- reload
long() { ask --path /long "$app"; }
long
made=$(text)
like "another route, fresh for a minute" "$made" "version 1"
ok "a reload" ctl reload
long
is "keeps the cache" "$(text)" "$made"
echo 2 >version
ok "a reload to another version" ctl reload
long
like "does not serve what the old one has made" "$(text)" "version 2"
echo APP_CACHE_BYTES=2m >"$tmp/settings"
like "its size stays while ndsd runs" "$(ctl reload 2>&1)" 'APP_CACHE_BYTES.*cannot change'
stop_is 0 "it stops"

# ---- none
export APP_CACHE_BYTES=0
ndsd_start -- "$(program tests/peer/cached)"
rm -f runs
fetch
fetch
is "without memory for it the handler runs each time" "$(runs)" 2
stop_is 0 "it stops then"
done_testing
