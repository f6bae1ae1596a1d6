#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# What ndsctl logs finds at night: warnings that a crowd of requests came
# after, a request that was answered just now, what supervisors before this
# one said; and a clear word where it finds nothing.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=2 APP_LOG_LEVEL=info
mkdir "$tmp/bin"
cp "$ndsd" "$tmp/bin/ndsd"
ln -s "$responder" "$tmp/bin/nds-responder"
ln -s "$(program nds-observer)" "$tmp/bin/nds-observer"
ndsd=$tmp/bin/ndsd
ndsd_start

logs_have() { ctl logs "${@:2}" 2>/dev/null | grep -q "$1"; }
# Standard output has them in the order in which they came.
in_order() {
	ctl logs >"$tmp/lines" 2>/dev/null
	awk 'NR == FNR { at[$0] = NR; next }
	    ($0 in at) && at[$0] <= last { exit 1 }
	    ($0 in at) { last = at[$0]; found++ }
	    END { exit found < 50 }' "$tmp/ndsd.log" "$tmp/lines"
}
crowd() { # PATH: more lines than the log keeps
	peer --many 4 --repeat 500 --path "$1" --timeout 20000 "$app" >/dev/null
}

# ---- a request that was answered just now
missing=0
for i in $(seq 20); do
	ask --header "X-Request-Id: now.$i" "$app"
	ctl logs --request "now.$i" >/dev/null 2>&1 || missing=$((missing + 1))
done
is "who was answered just now finds the line of it" "$missing" 0

# ---- nothing found
ctl logs --request no.such >"$tmp/out" 2>"$tmp/err"
is "an id without a line is status 1" "$?" 1
is "and no output" "$(<"$tmp/out")" ""
is "but one line on stderr" "$(wc -l <"$tmp/err")" 1
like "that says so, how far the log reaches" "$(<"$tmp/err")" \
    'no line of no\.such.*the log reaches back to 20..-..-..T'
like "and what has no line" "$(<"$tmp/err")" 'limit only at APP_LOG_LEVEL=debug'
ctl logs --trace 0af7651916cd43dd8448eb211c80319c >/dev/null 2>"$tmp/err"
is "a trace without a line is status 1, too" "$?" 1
like "and named" "$(<"$tmp/err")" 'no line of 0af76519'
ctl logs --request now.1 --level error >/dev/null 2>"$tmp/err"
is "so is a level on which it has none" "$?" 1
like "which is said" "$(<"$tmp/err")" 'no line of now\.1 from that level on'

# ---- usage
ctl logs --level foo >/dev/null 2>"$tmp/err"
is "a level that is none is a usage error" "$?" 2
like "that names it and what is allowed" "$(<"$tmp/err")" \
    "debug, info, warn or error, not 'foo'"
ctl logs --level >/dev/null 2>"$tmp/err"
like "so is a value that is missing" "$(<"$tmp/err")" "missing behind '--level'"
ctl logs --since 1 >/dev/null 2>"$tmp/err"
like "and an option that is none" "$(<"$tmp/err")" "unknown option '--since'"

# ---- warnings and errors outlive a crowd
worker=$(field '[.workers[]|select(.state=="idle")][0].pid')
kill -KILL "$worker"
ok "a death is in the log" wait_until 5 logs_have 'died of SIGKILL'
crowd "/crowd/$(head -c 1000 /dev/zero | tr '\0' x)"
is "2000 requests later the first of them is not" \
    "$(ctl logs 2>"$tmp/err" | grep -c now.1)" 0
like "and it is said how far the log reaches" "$(<"$tmp/err")" \
    'reaches back to 20[^,]*, its warnings and errors to 20'
ok "but the death is" logs_have 'died of SIGKILL'
ok "in order, and nothing twice" in_order

# ---- supervisors and binaries come and go
ask --header "X-Request-Id: before.1" "$app"
kill -KILL "$(field .supervisor.pid)"
ok "the supervisor comes back" wait_until 10 field_is .supervisor.restarts 1
ok "what was said before its death is there" logs_have before.1
ok "its death as well" logs_have 'supervisor died of SIGKILL'
is "and the upgrade" "$(ctl upgrade 2>/dev/null)" upgraded
ok "what was said before an upgrade is there" logs_have before.1
ok "and what came after" logs_have 'upgrade done'
ok "in order, each once" in_order
supervisor=$(field .supervisor.pid)
kill -STOP "$supervisor"
kill -HUP "$ndsd_pid"
ok "one that is stopped is killed" wait_until 15 gone "$supervisor"
ok "which is in the log with the reason" wait_until 10 logs_have \
    'supervisor (acts upon no signal) died of SIGKILL'
[ "$EUID" != 0 ] || ok "so is what was said at the start" \
    logs_have 'everything runs as root' --level warn
stop_is 0 "it stops"

# ---- nobody takes standard output
ndsd_piped
wait_until 10 ready
for _ in 1 2 3 4; do
	crowd "/blocked/$(head -c 900 /dev/zero | tr '\0' x)"
done
ask --header "X-Request-Id: unread.1" "$app"
ok "what standard output did not take can be seen here" \
    logs_have unread.1 --request unread.1
exec {reader}<&-
stop_is 0 "it stops"
done_testing
