#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2317
#
# Two operators at once: each command has one outcome, which is its own, says
# it in words and by its exit status, and leaves the pool in order.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=2 APP_START_TIMEOUT=$((5 * scale))
ndsd_start
: >"$tmp/loading"
crowd() {
	while [ -e "$tmp/loading" ]; do
		peer --many 2 --repeat 200 "$app" >>"$tmp/many"
	done
}
crowd &
crowd=$!

# both COMMAND1 COMMAND2: at the same time; sets $rc1, $said1, $rc2, $said2.
both() {
	local one
	# shellcheck disable=SC2086
	ctl $1 >"$tmp/one" 2>&1 &
	one=$!
	# shellcheck disable=SC2086
	ctl $2 >"$tmp/two" 2>&1
	rc2=$?
	wait "$one"
	rc1=$?
	said1=$(tail -n 1 "$tmp/one") said2=$(tail -n 1 "$tmp/two")
}
whole() {
	field_is '.wanted as $n | .generation as $g | .workers |
	    length == $n and all((.state == "idle" or .state == "busy")
	    and .generation == $g)' true
}

both reload reload
is "of two reloads one is done, one refused" \
    "$(printf '%s\n' "$rc1" "$rc2" | sort | xargs)" "0 1"
like "the refused one says why" "$said1 $said2" 'a reload is under way'
is "there was one" "$(field .generation)" 2

both "scale 5" "scale 3"
last=$(field .wanted)
[ "$last" = 5 ] && first="$rc2 $said2" || first="$rc1 $said1"
[ "$last" = 5 ] && second=$rc1 || second=$rc2
is "of two scales the last one stands" "$second" 0
like "and the first hears of it" "$first" "^1 .*called off: $last workers"
ok "so many there are" wait_until 5 whole

both "drain --wait" "undrain"
like "a drain that is called off says so" "$rc1 $said1" \
    '^(1 .*called off|0 drained)'
ctl undrain >/dev/null 2>&1
both drain drain
is "two drains are one" "$rc1 $rc2 $(field .state)" "0 0 draining"
both undrain undrain
is "two ends of it, too: one is refused" \
    "$(printf '%s\n' "$rc1" "$rc2" | sort | xargs) $(field .state)" \
    "0 1 running"
like "in words" "$said1 $said2" 'running, not draining'

both upgrade upgrade
like "two upgrades: each is done, or refused since one is under way" \
    "$rc1 $said1, $rc2 $said2" \
    '^(0 upgraded, (0 upgraded|1 .*under way)|1 .*under way.*, 0 upgraded)'
both reload "scale 2"
is "a reload and a scale are both done" "$rc1 $rc2" "0 0"
ok "and nothing is left over" wait_until 5 whole

# An upgrade takes the connection of whoever waits; the work goes on.
was=$(field .generation)
settled() { grep -q "reload done: generation $((was + 1))" "$tmp/ndsd.log"; }
begun() { grep -q "reload: generation $((was + 1)) starts" "$tmp/ndsd.log"; }
ctl reload >"$tmp/one" 2>&1 &
one=$!
wait_until 5 begun
ok "an upgrade meets a reload and is done" ctl upgrade
wait "$one"
like "the reload is done, or says that it did not hear the end" \
    "$? $(tail -n 1 "$tmp/one")" '^(0 reloaded|1 .*ended before it answered)'
ok "and it ends well" wait_until 10 settled

# ---- each hears of its own: a second one begins the moment the first is done
wrong=0
for _ in 1 2 3; do
	was=$(field .generation)
	ctl reload >"$tmp/one" 2>&1 &
	one=$!
	wait_until 10 settled
	kill -HUP "$ndsd_pid"
	wait "$one" || wrong=$((wrong + 1))
	gone_on=$(field .generation)
	[ "$gone_on" = $((was + 2)) ] || wrong=$((wrong + 1))
	grep -q "reload done: generation $((was + 2))" "$tmp/ndsd.log" &&
		wrong=$((wrong + 1))
	was=$((was + 1))
	wait_until 10 settled
done
is "whose reload is done hears it before the next one is" "$wrong" 0

# ---- a table full of clients that say nothing
control=$run/control/control.sock
for _ in $(seq 40); do
	spawn silent "$(program tests/peer/fcgi-peer)" --cut-at 0 --cut hold \
	    --timeout 60000 "$control"
	silent+=("$pid")
done
full() { [ "$(grep -c "$run/control/" /proc/net/unix)" -ge 33 ]; }
wait_until 5 full
ok "forty silent clients do not keep an operator out" status
head -c 1000000 /dev/zero | tr '\0' x >"$tmp/long"
answer=$(peer --raw "$tmp/long" --timeout $((5000 * scale)) "$control")
unlike "a line of a megabyte is ended" "$answer" '^closed open'
ok "and the next is heard" status
for pid in "${silent[@]}"; do
	kill "$pid" 2>/dev/null
done

rm "$tmp/loading"
wait "$crowd"
asked=$(grep -c ^whole "$tmp/many")
is "no request was lost over all this ($((asked * 400)))" \
    "$(grep -c '^status 200 400' "$tmp/many")" "$asked"
stop_is 0 "it stops"
done_testing
