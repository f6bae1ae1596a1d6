#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Handlers that die, hang or meddle with what is not theirs, and scenes in
# which there can be no guardian: what the guardian settles, and what it keeps
# its hands off.  Each case is named after its number in HAZARDS.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
[ -z "$sanitize" ] || skip_all "a sanitizer does not like what these handlers do"
export APP_WORKERS=1 APP_SHUTDOWN_TIMEOUT=25 HAZARD_FILE=$tmp/file
hazard=$(program tests/peer/hazard-responder)
one() { [ -n "$(workers)" ] && field_is '.workers[0].state' idle; }
counted() { field ".counters.$1"; }
ndsd_start -- "$hazard" plain

# ---- run again, in place
ask --path /second --header "X-Request-Id: h2" "$app"
is "a GET is run again by the next worker (hazard 2)" "$status_code" 200
like "with its id" "$answer" 'X-Request-Id: h2'
like "which its handler can ask (hazard 26)" "$answer" '^body replayed'
ask --method POST --path /again --body-size 5000 "$app"
like "a POST to an idempotent route too, body and all (hazard 2)" "$answer" \
    '^body replayed with 5000 bytes'
ask --method POST --path /second --body-size 5000 "$app"
is "a POST to another is answered 502" "$status_code" 502
is "and is not run again" "$(counted replayed)" 2

# ---- the poison request
ask --path /segv --header "X-Request-Id: h25" "$app"
is "a request that always kills is answered 502 (hazard 25)" "$status_code" 502
like "with its id" "$answer" '"request_id":"h25"'
crashes() { grep -c 'the crash handler ran' "$tmp/ndsd.log"; }
tried() { [ "$(crashes)" = 2 ]; }
ok "after two tries, each seen by the crash handler (hazards 23, 25)" \
    wait_until 3 tried
line() { grep '"msg":"request"' "$tmp/ndsd.log" | grep "\"$1\""; }
lined() { line "$1" >/dev/null; }
wait_until 3 lined h25
like "its line names method, path, status and cause" "$(line h25)" \
    '"method":"GET","path":"/segv","route":"/segv","status":502,.*"error":"the process that'
is "in one line" "$(line h25 | wc -l)" 1

# ---- what a handler closes is not the guardian's to write into
wait_until 5 one
ask --path /stray "$app"
unlike "a handler that closes all it finds gets no answer (hazard 16)" \
    "$answer" '^status'
is "and nobody writes into its files" "$(stat -c %s "$tmp/file")" 0
ok "a new responder serves" wait_until 10 asks 200 --path /fds "$app"

# ---- locks
locks() { grep -c ":$(stat -c %i "$tmp/file") " /proc/locks; }
ask --path /lock "$app"
is "a handler locks a file" "$(locks)" 1
ask --path /lock --query die=1 "$app"
is "and dies of it" "$status_code" 502
is "a dead worker's locks are released (hazard 14)" "$(locks)" 0

# ---- children of handlers
ask --path /child "$app"
like "a child that holds the connection does not keep it open (hazard 15)" \
    "$answer" '^closed eof'
kill -KILL "$(sed -n 's/^body child //p' <<<"$answer")" 2>/dev/null
ask --path /child --query die=1 "$app"
is "nor does it when its parent dies" "$status_code" 502
like "and the connection ends" "$answer" '^closed eof'
guardian=$(field '.workers[0].guardian_pid')
alone() { [ "$(wc -w <"/proc/$guardian/task/$guardian/children")" = 1 ]; }
ok "children of a dead worker, and theirs, are buried (hazard 15)" \
    wait_until 5 alone

# ---- what the capture holds is wiped
supervisor=$(field .supervisor.pid)
secrets() {
	local fd
	for fd in "/proc/$supervisor/fd"/*; do
		[[ $(readlink "$fd") != /memfd:nds-slot* ]] || grep -c "$1" "$fd"
	done | awk '{ n += $1 } END { print n }'
}
if ls "/proc/$supervisor/fd" >/dev/null 2>&1; then
	kept() { [ "$(secrets xyzzy-)" -gt 0 ]; }
	"$(program tests/peer/fcgi-peer)" --header "Cookie: xyzzy-1" --method POST \
	    --path /again --body-size 3000 --pause-at 2000 --timeout 20000 "$app" \
	    >/dev/null <>"$tmp/never" &
	client=$!
	pids+=("$client")
	ok "what a request brings stands in its slot" wait_until 5 kept
	kill "$client"
	wait "$client" 2>/dev/null
	wait_until 5 one
	is "and is wiped when it is given up" "$(secrets xyzzy-)" 0
	ask --method POST --path /fds --body xyzzy-2 "$app"
	wait_until 5 one
	is "or when it is answered" "$(secrets xyzzy-)" 0
	ask --header "Cookie: xyzzy-3" --path /segv "$app"
	wait_until 5 one
	is "or when the guardian has answered it" "$(secrets xyzzy-)" 0
	sum='.counters|[.status_1xx,.status_2xx,.status_3xx,.status_4xx,.status_5xx]|add'
	is "the sum of the statuses is the sum of the requests" "$(field "$sum")" \
	    "$(counted requests)"
	noughts=$(printf %01000d 0) # more than the next readiness request overwrites
	"$(program tests/peer/fcgi-peer)" --method POST --path /again --timeout 20000 \
	    --body "${noughts}xyzzy-4$noughts" --pause-at 2000 "$app" \
	    >/dev/null 2>&1 <>"$tmp/never" &
	client=$!
	pids+=("$client")
	wait_until 5 kept
	kill -KILL -- "-$(field '.workers[0].guardian_pid')"
	wait "$client" 2>/dev/null
	wait_until 10 one
	is "or when its worker and the guardian were killed" "$(secrets xyzzy-)" 0
else
	skip "a request is wiped when it has ended" "root alone can look into ndsd"
fi
stop_is 0 "it stops"

# ---- one that cannot be stopped
export APP_REQUEST_TIMEOUT=500ms
ndsd_start -- "$hazard" plain
from=$(now_ms)
ask --path /stuck "$app"
took=$(($(now_ms) - from))
is "a worker that does not even stop is answered for (hazard 24)" \
    "$status_code" 504
ok "in time ($took ms)" test "$took" -lt $((500 + 500 * scale))
ok "and the next one serves" wait_until 5 asks 200 --path /fds "$app"
stop_is 0 "it stops then"
unset APP_REQUEST_TIMEOUT

# ---- more descriptors than one would think
ndsd_start -- "$hazard" many-fds
ask --path /fds "$app"
like "400 descriptors are open at the split" "$answer" '^body open 400'
guardian=$(field '.workers[0].guardian_pid')
ask --path /second "$app"
ask --path /fds "$app"
like "and all of them after a death (hazard 14)" "$answer" '^body open 400'
is "under the same guardian" "$(field '.workers[0].guardian_pid')" "$guardian"
stop_is 0 "it stops with them"

# ---- a program that dies again and again, with a connection at hand
mkfifo "$tmp/go"
exec {go_fd}<>"$tmp/go"
ndsd_start -- "$hazard" mortal
peer --path /fds --pause-at 0 --timeout 30000 "$app" >"$tmp/held" <&"$go_fd" &
client=$!
pids+=("$client")
ok "a connection is at hand" wait_until 5 field_is '.workers[0].state' busy
before=$(wc -l <"$tmp/ndsd.log")
chmod +x "$tmp/file"
kill -KILL "$(workers)"
deaths() { tail -n "+$before" "$tmp/ndsd.log" | grep -c 'died of SIGKILL'; }
slower() { grep -q 'next one in 400ms' "$tmp/ndsd.log"; }
ok "the next start is put off more and more, and told" wait_until 5 slower
ok "few were in vain ($(deaths))" test "$(deaths)" -lt 10
chmod -x "$tmp/file"
echo go >&"$go_fd"
wait "$client"
like "and the connection is served by the first that lives" \
    "$(<"$tmp/held")" '^status 200'
chmod +x "$tmp/file"
kill -KILL "$(workers)"
unready() { ! ready; }
ok "a place whose worker cannot begin is not ready" wait_until 4 unready
chmod -x "$tmp/file"
ok "until one can" wait_until 10 ready
ok "which serves" asks 200 --path /fds "$app"
stop_is 0 "it stops after that"

# ---- a handler that writes over the head of its slot
ndsd_start -- "$hazard" plain
ask --path /scribble "$app"
ok "its place begins anew" wait_until 10 \
    grep -q 'slot 0 begins anew' "$tmp/ndsd.log"
ok "and the next worker serves" wait_until 10 asks 200 --path /fds "$app"
ok "it is seen" field_is '.workers[0].slot' 0
like "and counted" "$(peer --path /metrics "$health")" \
    'nds_http_requests_total.*route="/fds"[}] [1-9]'
stop_is 0 "it stops with a slot written over"

# ---- no guardian
alone_is() { # SCENE REASON HAZARD
	ndsd_start -- "$hazard" "$1"
	ok "$1: it is said (hazard $3)" wait_until 5 \
	    grep -q "no guardian ($2" "$tmp/ndsd.log"
	ask --path /fds "$app"
	is "$1: and served without" "$status_code" 200
	stop_is 0 "$1: it stops"
}
alone_is thread "more than one thread" 13
alone_is no-clone "Operation not permitted" 30
done_testing
