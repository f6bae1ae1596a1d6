#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A wake-up that dies with the worker that it woke: another worker, which was
# not woken, serves the connection all the same (hazard 3).
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
[ -z "$sanitize" ] || skip_all "a sanitizer makes system calls of its own"
export APP_WORKERS=2 APP_SHUTDOWN_TIMEOUT=25
ndsd_start

kill_at=$(program tests/peer/kill-at)
watching() { grep -q '^ready' "$tmp/hunt" || gone "$hunter"; }
for round in 1 2 3; do
	# The kernel wakes the one that it has just woken.
	ask --path /version "$app"
	victim=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' <<<"$answer")
	guardian=$(field ".workers[]|select(.pid==$victim)|.guardian_pid")
	# Its guardian must not start the next one in the meantime.
	kill -STOP "$guardian"
	"$kill_at" "$victim" epoll_pwait exit 1 >"$tmp/hunt" 2>&1 &
	hunter=$!
	pids+=("$hunter")
	wait_until 5 watching
	gone "$hunter" && { kill -CONT "$guardian"; skip_all "no process can be watched here"; }
	worst=0
	failed=0
	for ((i = 0; i < 100; i++)); do
		from=$(now_ms)
		asks 200 --path /version "$app" || failed=$((failed + 1))
		took=$(($(now_ms) - from))
		[ "$took" -le "$worst" ] || worst=$took
		! gone "$hunter" || break
	done
	wait "$hunter"
	is "round $round: a worker dies as it is woken" "$?" 0
	is "round $round: nobody is left unanswered" "$failed" 0
	ok "round $round: nor waits for long ($worst ms)" \
	    test "$worst" -lt $((150 + 150 * scale))
	kill -CONT "$guardian"
	two() { [ "$(wc -w <<<"$(workers)")" = 2 ] && ! grep -qw "$victim" <<<"$(workers)"; }
	wait_until 5 two
done
stop_is 0 "it stops"
done_testing
