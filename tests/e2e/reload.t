#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A reload: new settings, a new program, and what becomes of one that is bad.
# Nothing that a client asks meanwhile is lost.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
mkdir -p "$tmp/bin"
cp "$responder" "$tmp/bin/served"
printf 'APP_WORKERS=2\n' >"$tmp/settings"
unset APP_WORKERS
export APP_START_TIMEOUT=$((1 * scale))
ndsd_start -f "$tmp/settings" -- "$tmp/bin/served"

# put FILE: under the program's name, whole at once, as a package would.
put() { cp "$1" "$tmp/bin/.new" && chmod +x "$tmp/bin/.new" && mv "$tmp/bin/.new" "$tmp/bin/served"; }
reloads() { said=$(ctl reload 2>&1); rc=$?; }
generation() { field .generation; }

# ---- good ones, under load
peer --many 4 --repeat 4000 "$app" >"$tmp/many" 2>&1 &
crowd=$!
for n in 2 3 4; do
	put "$responder"
	reloads
	is "reload to generation $n" "$rc" 0
	is "which then serves" "$(generation)" "$n"
done
wait "$crowd"
is "three reloads under load cost none of 16000 requests" \
    "$(sed -n 's/^whole //p' "$tmp/many")" 16000
is "nor was one of them a 5xx" "$(field .counters.status_5xx)" 0
ask --path /version "$app"
like "a worker knows its generation" "$answer" '"generation":4'

# ---- settings
printf 'APP_WORKERS=3\n' >"$tmp/settings"
reloads
is "a reload takes new settings: status" "$rc" 0
is "and obeys them" "$(field '.workers|length')" 3
before=$(workers)
ready() { peer --path /ready "$health" >"$tmp/ready"; }
ready
is "readiness knows of no failed reload" "$(grep -c '"reload"' "$tmp/ready")" 0
printf 'APP_WORKERS=many\n' >"$tmp/settings"
reloads
is "bad settings are refused" "$rc" 1
like "by file and line" "$said" 'settings:1: APP_WORKERS=many'
printf 'APP_WORKERS=3\nAPP_SOCKET_GROUP=root\n' >"$tmp/settings"
reloads
is "so is one that cannot change" "$rc" 1
like "by its name" "$said" 'APP_SOCKET_GROUP=root cannot change'
is "what ran is untouched" "$(workers)" "$before"
ready
like "readiness tells" "$(tr -d '\n ' <"$tmp/ready")" \
    'status200.*"status":"ok".*"name":"reload","status":"warn"'
printf 'APP_WORKERS=3\n' >"$tmp/settings"
reloads
ready
is "until one succeeds" "$rc $(grep -c '"reload"' "$tmp/ready")" "0 0"

# ---- bad programs
was=$(generation)
printf '#!/bin/sh\nseq -f "step %%g of 12" 12\necho "no database" >&2\nexit 3\n' \
    >"$tmp/bin/exits"
printf '#!/bin/sh\nkill -SEGV $$\n' >"$tmp/bin/crashes"
chmod +x "$tmp/bin/exits" "$tmp/bin/crashes"
put "$tmp/bin/exits"
reloads
is "a program that exits is not taken" "$rc" 1
like "the reason is shown" "$said" "exited with status 3.*no database"
like "and who serves" "$said" "generation $was serves on"
is "its last ten lines are shown" "$(sed -n 's/^    //p' <<<"$said")" \
    "$(seq -f 'step %g of 12' 4 12; echo 'no database')"
put "$tmp/bin/crashes"
reloads
is "nor one that crashes" "$rc" 1
like "with its signal" "$said" 'died of SIGSEGV'
printf '#!/bin/sh\nexec "%s" never-ready\n' \
    "$(program tests/peer/bad-responder)" >"$tmp/bin/never"
put "$tmp/bin/never"
reloads
is "nor one that never gets ready" "$rc" 1
like "within its time" "$said" 'not become ready within APP_START_TIMEOUT'
printf '#!/bin/sh\nexec "%s" dies-soon\n' \
    "$(program tests/peer/bad-responder)" >"$tmp/bin/dies"
put "$tmp/bin/dies"
reloads
is "nor one whose workers get ready and then die" "$rc" 1
like "with the signal" "$said" "died of SIGALRM.*generation $was serves on"
three_idle() { [ "$(field '[.workers[]|select(.state=="idle")]|length')" = 3 ]; }
was_again() { three_idle && [ "$(field '[.workers[].generation]|unique|@csv')" = "$was" ]; }
ok "which is taken back" wait_until 10 was_again
printf '#!/bin/sh\nexec tail -f /dev/null\n' >"$tmp/bin/other"
put "$tmp/bin/other"
reloads
is "nor one without libnds, of which that could not be known" "$rc" 1
like "with the way to change to it" "$said" \
    'not say that it is linked with libnds.*stop ndsd and start it anew'
ok "which is taken back too" wait_until 10 was_again
before=$(workers)
rm "$tmp/bin/served"
reloads
is "nor one that is not there" "$rc" 1
is "the old ones are untouched" "$(workers)" "$before"
is "as is the generation" "$(generation)" "$was"
ask "$app"
is "and they answer" "$status_code" 200

# A death now is healed with the program of this generation, although no file
# stands at its path.
kill -KILL "$(field '.workers[0].guardian_pid')"
ok "a place that dies now is filled again" wait_until 5 three_idle

# ---- one that prepares for long before it is libnds's
mkfifo "$tmp/late"
printf '#!/bin/sh\nread -r word <"%s"\nexec "%s"\n' "$tmp/late" "$responder" \
    >"$tmp/bin/slow"
put "$tmp/bin/slow"
APP_START_TIMEOUT=20
echo "APP_START_TIMEOUT=20" >>"$tmp/settings"
ctl reload >"$tmp/told" 2>&1 &
asking=$!
later() { [ "$(generation)" -gt "$was" ]; }
wait_until 5 later
started=$(now_ms)
# longer than a program of unknown kind is waited for
lived() { [ "$(now_ms)" -gt $((started + 900)) ]; }
wait_until 5 lived
is "while its successor prepares the program before serves whole" \
    "$(field "[.workers[]|select(.generation==$was and .state==\"idle\")]|length")" 3
exec {late_fd}<>"$tmp/late"
printf 'go\n%.0s' 1 2 3 >&"$late_fd"
wait "$asking"
is "and the reload succeeds when that is done" "$?" 0
exec {late_fd}>&-
put "$responder"
was=$(generation)

# ---- signals, two at once, and a supervisor that dies
put "$responder"
kill -HUP "$ndsd_pid"
ok "SIGHUP reloads" wait_until 5 later
ctl reload >"$tmp/second" 2>&1
like "a second reload is refused while one is under way" \
    "$(<"$tmp/second")" 'under way'
settled() { grep -q "reload done: generation $(generation)" "$tmp/ndsd.log"; }
ok "the first is done" wait_until 10 settled
was=$(generation)
kill -HUP "$ndsd_pid"
wait_until 5 later
kill -KILL "$(field .supervisor.pid)"
ok "a reload outlives the supervisor" wait_until 10 settled
ok "and all are new" wait_until 5 three_idle
is "of one generation" "$(field '[.workers[].generation]|unique|length')" 1
was=$(generation)
ctl reload >"$tmp/told" 2>&1 &
asking=$!
wait_until 5 later
kill -KILL "$(field .supervisor.pid)"
wait "$asking"
is "ndsctl reload awaits the outcome although its supervisor dies" \
    "$? $(tail -n 1 "$tmp/told")" "0 reloaded"
is "of the one reload that it asked for" "$(generation)" $((was + 1))
# A supervisor that dies before the reload is noted whole has begun none.
newest() {
	local p
	for p in $(field '.workers[]|.pid,.guardian_pid|select(.>0)'); do
		[ "$(readlink "/proc/$p/exe")" = "$tmp/bin/served" ] || return 1
	done
}
one_generation() {
	[ "$(field '[.workers[].generation]|unique|@csv')" = "$(generation)" ]
}
for moment in "entry 1" "entry 2" "exit 2" "entry 4"; do
	put "$responder"
	was=$(generation)
	: >"$tmp/kill.log"
	spawn kill "$(program tests/peer/kill-at)" \
	    "$(field .supervisor.pid)" sendmsg "${moment% *}" "${moment#* }"
	killer=$pid
	watches() { gone "$killer" || grep -q ready "$tmp/kill.log"; }
	wait_until 5 watches
	reloads
	wait_end "$killer" 12
	if [ "$rc" = 77 ]; then
		skip "a supervisor dies at $moment of its messages" "no ptrace here"
		continue
	fi
	is "a supervisor dies at $moment of its messages in a reload" "$rc" 0
	like "which is done by the next one" "$said" '^reloaded$'
	is "and was not before" "$(grep -c "reload done: generation $was " \
	    "$tmp/ndsd.log")" 1
	ok "with the new program" wait_until 5 newest
	ok "by workers of one generation" wait_until 5 one_generation
done
ctl reload >/dev/null 2>&1 &
stop_is 0 "a stop ends a reload"
done_testing
