#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016
#
# Sockets that somebody removes while ndsd listens on them: what waits there is
# answered, the log names the place and the cure, /ready turns 503, and a
# restart needs nothing but that.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=1
said() { grep -qE "$1" "$tmp/ndsd.log"; }
busy() { [ "$(field '[.workers[]|select(.state=="busy")]|length')" = 1 ]; }

# ---- app.sock alone, with one request in hand and one in the queue
ndsd_start
flights=()
for n in 1 2; do
	peer --path /_diag/work --query ms=800 --timeout $((20000 * scale)) \
	    "$app" >"$tmp/flight.$n" &
	flights+=($!)
done
queued() { busy && field_is .queue.length 1; }
wait_until 5 queued
mv "$app" "$run/elsewhere"
ok "the log names the place and the cure" wait_until 5 said \
    "\"error\".*$app was removed.*until ndsd .pid $ndsd_pid. is restarted"
ctl probe ready >"$tmp/out" 2>&1
is "/ready turns 503" $? 1
is "and says error" "$(jq -r .status "$tmp/out")" error
ok "/live stays 200" ctl probe live
wait "${flights[@]}"
is "what was there is answered" \
    "$(cat "$tmp"/flight.* | grep -c '^status 200')" 2
is "it is said once" "$(grep -c 'was removed or replaced' "$tmp/ndsd.log")" 1
mv "$run/elsewhere" "$app"
ok "a socket that comes back is noticed" wait_until 5 ready
ask "$app"
is "and serves" "$status_code" 200

# ---- all of it
rm -rf "${run:?}"/*
ok "so is a runtime directory that is emptied" wait_until 5 eval \
    '[ "$(grep -c "was removed or replaced" "$tmp/ndsd.log")" = 2 ]'
stop_is 0 "it stops by a signal"
ndsd_start
ask "$app"
is "and the next one serves" "$status_code" 200
# What another one has put there is not ours to remove.
rm "$app"
: >"$app"
stop_is 0 "it stops"
ok "and leaves what another has put there" test -e "$app"
rm "$app"

# ---- the directory itself
ndsd_start
rm -rf "$run"
wait_until 5 eval '[ "$(grep -c "was removed or replaced" "$tmp/ndsd.log")" -ge 3 ]'
stop_is 0 "it stops without its directory"
ok "nobody is left" wait_until 2 none_of_ours
done_testing
