#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Another ndsd binary takes over under load; one that cannot is refused.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
mkdir -p "$tmp/bin"
cp "$ndsd" "$tmp/bin/ndsd"
ln -s "$responder" "$tmp/bin/nds-responder"
original=$ndsd
ndsd=$tmp/bin/ndsd
ndsd_start
put() { cp "$1" "$tmp/bin/.new" && chmod +x "$tmp/bin/.new" &&
    mv "$tmp/bin/.new" "$tmp/bin/ndsd"; }
upgrades() { said=$(ctl upgrade 2>&1); rc=$?; }
asked=$(field .counters.requests)

# ---- good ones, under load
main=$(field .pid)
before=$(workers)
supervisor=$(field .supervisor.pid)
peer --many 4 --repeat 3000 "$app" >"$tmp/many" 2>&1 &
crowd=$!
for n in 1 2 3; do
	put "$original"
	upgrades
	is "upgrade $n" "$rc" 0
	is "is counted" "$(field .supervisor.upgrades)" "$n"
done
wait "$crowd"
is "three upgrades under load cost none of 12000 requests" \
    "$(sed -n 's/^whole //p' "$tmp/many")" 12000
is "the main pid is the same" "$(field .pid)" "$main"
is "the workers are the same" "$(workers)" "$before"
ok "the supervisor is another" test "$(field .supervisor.pid)" != "$supervisor"
is "an upgrade is no restart" "$(field .supervisor.restarts)" 0
ok "counters go on" test "$(field .counters.requests)" -ge $((asked + 12000))
again() { [ "$(field .supervisor.upgrades)" = 4 ]; }
kill -USR2 "$ndsd_pid"
ok "SIGUSR2 upgrades" wait_until 10 again

# ---- bad ones
put /bin/true
upgrades
is "a program that is no ndsd is refused" "$rc" 1
like "by its path" "$said" "$tmp/bin/ndsd is no ndsd.*goes on"
printf '#!/bin/sh\nkill -SEGV $$\n' >"$tmp/crashes"
put "$tmp/crashes"
upgrades
is "one that crashes is refused" "$rc" 1
like "with its signal" "$said" 'died of SIGSEGV'
rm "$tmp/bin/ndsd"
upgrades
is "a missing one is refused" "$rc" 1
is "nothing changed" "$(field .supervisor.upgrades)" 4
is "the workers are still the same" "$(workers)" "$before"

# ---- afterwards it is as good as new
kill -KILL "$(field .supervisor.pid)"
back() { [ "$(field .supervisor.restarts)" = 1 ]; }
ok "its supervisor comes back" wait_until 5 back
ask "$app"
is "it answers" "$status_code" 200
stop_is 0 "it stops"
is "and leaves no socket" "$(find "$run" -type s | wc -l)" 0
done_testing
