#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# What people must be told first, and must not be told wrongly: a health
# responder that begins anew, a dependency that fails, a supervisor that does
# not answer, a main process that is gone.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq python3
# Looking for leaks traces a process that is about to end, and some of these
# have lost their parents then.
[ -z "$sanitize" ] || export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0

# A place whose name would colour a terminal, where somebody listens or not.
hostile=$tmp/$'d\033[31m\xff'
export DEPENDENCY=$hostile APP_WORKERS=2
listen_begin() {
	spawn dependency python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(os.fsencode(sys.argv[1]))
s.listen(64)
while True: s.accept()[0].close()' "$hostile"
	listener=$pid
	wait_until 5 test -S "$hostile"
}
listen_end() {
	kill "$listener"
	wait_end "$listener" 5
	rm -f "$hostile"
}
# of the health socket's documents
doc() { peer --path "/status/$1.json" --timeout $((5000 * scale)) "$health" |
	sed -n 's/^body //p'; }
doc_is() { doc recent | jq -es ".[0]|$1"; }
event() { doc_is "[.history.events[]|select($1)]|length > 0"; }
metric() { peer --path /metrics "$health" | sed -n "s/^body $1 //p"; }
line_1() { head -n 1 <<<"$1"; }
helper() { # ROLE: its pid
	local p
	for p in $(ours); do
		grep -qsz "^NDS_ROLE=$1\$" "/proc/$p/environ" && echo "$p"
	done
}

listen_begin
ndsd_start -- "$(program examples/checks)"
out=$(ctl status)
like "status: the first line, while all is well" "$(line_1 "$out")" \
    'ndsd [^ ]+ running, '
like "the program and where it is served" "$out" \
    '^serves: .*examples/.*checks at '
like "top: the same" "$(line_1 "$(ctl top --once)")" 'ndsd [^ ]+ running, '

# ---- the health responder begins anew
peer --many 2 --repeat 100 --path / "$app" >/dev/null
ok "the history knows what came" wait_until 5 doc_is \
    '[.history.samples[][1]]|add >= 200'
kill -KILL "$(field '.workers[0].pid')"
ok "a death, and how" wait_until 5 event '.kind=="death" and .what=="killed"'
like "which top tells by the clock" "$(ctl top --once)" \
    'event [0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z \(.* ago\): death, killed$'
old=$(helper health)
kill -KILL "$old"
looked() { doc_is '.history.samples_so_far >= 2'; }
wait_until 5 gone "$old"
ok "the health responder is back, and has looked" wait_until 10 looked
is "it counts nothing that came before it" \
    "$(doc history | jq '[.history.samples[][1:7]|add]|add')" 0
is "and tells of nothing" "$(doc history | jq -c .history.events)" '[]'
like "nor does top" "$(ctl top --once)" 'requests 0/s, errors 0, refused 0 '
peer --many 1 --repeat 7 --path / "$app" >/dev/null
ok "what comes from then on is counted" wait_until 5 doc_is \
    '[.history.samples[][1]]|add == 7'

# ---- a check fails
listen_end
failing() { doc_is '.status.trouble[0].kind == "not ready"'; }
ok "a dependency that fails is trouble" wait_until 10 failing
for verb in status "top --once"; do
	# shellcheck disable=SC2086
	out=$(ctl $verb)
	like "${verb%% *}: line 1 says so, since when and why" \
	    "$(line_1 "$out")" \
	    "^NOT READY for [0-9.]+ m?s: check dependency: $tmp/d.*: No such file"
	like "and not that it runs" "$out" '^ndsd [^ ]+ not ready, '
	ok "which stands out" grep -q '^NOT READY for ' <<<"$out"
	unlike "nothing that steers a terminal" "$out" $'\033'
done
like "top: the check with what it said" "$out" \
    'checks dependency error: .*No such file'
is "/ready refuses for the same reason" \
    "$(peer --path /ready "$health" | sed -n 's/^status //p')" 503
ok "it is an event with its cause" wait_until 5 event \
    '.kind=="check failed" and (.what|startswith("dependency: "))'
listen_begin
good() { doc_is '.status.trouble == []'; }
ok "once it answers there is no trouble" wait_until 10 good
ok "which is an event, too" wait_until 5 event \
    '.kind=="check ok again" and .what=="dependency"'
like "status: the first line is the usual one" "$(line_1 "$(ctl status)")" \
    'ndsd [^ ]+ running, '

# ---- a supervisor that is stopped
ok "the supervisor is seen" test "$(metric nds_supervisor_seen_seconds |
    cut -d. -f1)" -le 3
supervisor=$(field .supervisor.pid)
kill -STOP "$supervisor"
away() { doc_is '.status.trouble[0].kind == "supervisor not seen"'; }
ok "a supervisor that is not seen is trouble" wait_until 10 away
like "top: line 1 says so" "$(line_1 "$(ctl top --once)")" \
    '^SUPERVISOR NOT SEEN for [0-9.]+ s: workers serve on; the main process \(pid [0-9]+\) is there$'
ok "the metric says so" test \
    "$(metric nds_supervisor_seen_seconds | cut -d. -f1)" -ge 5
out=$(ctl status 2>&1)
is "status: the control socket gives no answer" $? 1
like "but the health socket does" "$out" \
    '^SUPERVISOR NOT SEEN .* workers serve on'
kill -CONT "$supervisor"
ok "it is seen again" wait_until 5 event '.kind=="supervisor seen again"'
ok "and is no trouble" wait_until 5 good

# ---- the main process is gone
kill -KILL "$ndsd_pid"
wait_end "$ndsd_pid" 5
ok "without a main process, it is trouble at once" wait_until 3 away
out=$(ctl top --once)
like "top: line 1 says what to do" "$(line_1 "$out")" \
    '^SUPERVISOR NOT SEEN for .*: workers serve on; start ndsd again$'
like "and names no pid that is dead" "$out" \
    '^ndsd [^ ]+ supervisor not seen, generation 1, no main process,'
out=$(ctl status 2>&1)
is "status: still 3" $? 3
like "nobody serves the control socket" "$(line_1 "$out")" \
    "status: no ndsd serves $run"
like "but workers serve on" "$out" '^SUPERVISOR NOT SEEN .* start ndsd again$'
like "so many" "$out" '^workers: 2 of 2 ready'
asks 200 --path / "$app"
is "as they do" "$status_code" 200
unlike "no spans were lost" "$(ctl top --once)" 'spans lost'
export APP_TRACE=100% APP_TRACE_FILE=/dev/full
ndsd_begin -- "$(program examples/checks)"
mine() { field_is .pid "$ndsd_pid" && ready; }
ok "another ndsd serves" wait_until 10 mine
ok "and all is well" wait_until 10 good

# ---- spans
for _ in 1 2 3; do
	ask --path / "$app"
done
spans_lost() { ctl "$@" | grep -q '^spans lost: 0 to the collector, [1-9]'; }
ok "spans that are lost are told by top" wait_until 10 spans_lost top --once
ok "and by status" spans_lost status
stop_is 0 "it stops with status 0"
done_testing
