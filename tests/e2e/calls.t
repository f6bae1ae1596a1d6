#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119
#
# An upstream that hangs or fails: the breaker that all workers share keeps them
# from it, the fallback answers quickly, retries stay within their budget, and
# once it answers again it is called again.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq curl
export APP_WORKERS=4

upstream_start() { # PATH
	rm -f "$tmp/port"
	"$(program tests/peer/lossy-server)" >"$tmp/port" 2>/dev/null &
	upstream_pid=$!
	pids+=("$upstream_pid")
	wait_until 5 test -s "$tmp/port"
	upstream=http://127.0.0.1:$(cat "$tmp/port")
	export UPSTREAM=$upstream$1
}
# What the upstream has seen of a kind.
seen() { curl -s -m 10 "$upstream/counts" | awk -v kind="$1" '$1 == kind { print $2 }'; }
says() { ask "$app" && reply=$(grep -o '{.*}' <<<"$answer"); }
from() { says && [ "$(jq -r .from <<<"$reply")" = "$1" ]; }
circuit_open() { from fallback && grep -q 'circuit is open' <<<"$reply"; }

# ---- it hangs
upstream_start /ok
ndsd_start -- "$(program examples/upstream)"
ok "while all is well the upstream answers" from upstream
kill -STOP "$upstream_pid"
hung_ms=$(now_ms)
ok "it hangs: the circuit opens" wait_until 10 circuit_open
begun_ms=$(now_ms)
peer --many 4 --repeat 100 "$app" >"$tmp/many" 2>&1
took_ms=$(($(now_ms) - begun_ms))
is "then 400 requests are answered" "$(sed -n 's/^whole //p' "$tmp/many")" 400
# 300 ms each it were 30 s; once in 1.3 s one of them makes the trial.
ok "by the fallback, at once" test "$took_ms" -lt $((2000 * scale))
ok "of more workers than one" field_is '[.workers[]|select(.requests>5)]|length>1' true
hung_ms=$(($(now_ms) - hung_ms))
kill -CONT "$upstream_pid"
# 1 well, 5 or so to open it, and the trials; with a breaker each worker needed
# its own 5.
calls=$(seen ok)
ok "and the upstream was left alone" test "$calls" -le $((9 + hung_ms / 1000))
diag "$calls calls while it hung, ${hung_ms} ms"
ok "it answers again: so does the service" wait_until 10 from upstream
logged() { grep -q "$1" "$tmp/ndsd.log"; }
ok "the log says that it failed" wait_until 5 logged "upstream stock fails"
ok "and that it answers again" wait_until 5 logged "stock answers again"

# ---- with nobody there at all
kill "$upstream_pid"
wait_end "$upstream_pid" 5
ok "it is gone: the fallback answers" wait_until 10 circuit_open
stop_is 0 "it stops"

# ---- a third of its answers are 503s: half of the tries would have to fail
upstream_start /503/3
ndsd_start -- "$(program examples/upstream)"
peer --many 4 --repeat 100 "$app" >"$tmp/many" 2>&1
is "400 requests over an upstream that often fails: all are answered" \
    "$(sed -n 's/^whole //p' "$tmp/many")" 400
is "with 200" "$(field .counters.status_2xx)" 400
calls=$(seen 503)
ok "a failed call is made again" test "$calls" -gt 430
ok "but the upstream sees at most 1.2 times the calls" test "$calls" -le 480
diag "$calls calls of 400 requests"
stop_is 0 "it stops then"
done_testing
