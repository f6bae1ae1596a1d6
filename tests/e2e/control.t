#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# The control socket: what ndsctl shows and changes, who may speak, and that
# nobody who stays silent there holds the service up.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=2

ctl status >"$tmp/out" 2>"$tmp/err"
is "without ndsd status ends with 3" $? 3
is "and says so in one line" "$(wc -l <"$tmp/err")" 1
ctl frobnicate >"$tmp/out" 2>"$tmp/err"
is "an unknown verb is a usage error" $? 2
ctl scale >"$tmp/out" 2>"$tmp/err"
is "scale without a number is a usage error" $? 2
like "ndsctl version tells its version" "$(ctl version 2>&1)" '[0-9]+\.[0-9]+'

ndsd_start
# ---- status
json=$(status)
shape='(.version|type=="string") and (.state|type=="string")
    and (.generation==1) and (.pid|type=="number")
    and (.supervisor|(.pid|type=="number") and (.uptime_s|type=="number")
	and (.restarts==0) and (.upgrades==0))
    and (.workers|length==2 and all(
	(.slot|type=="number") and (.pid|type=="number")
	and has("guardian_pid") and (.generation==1)
	and (.state|type=="string") and (.requests|type=="number")
	and has("request_ms")))
    and (.queue|(.length|type=="number") and (.wait_ms|type=="number"))
    and (.counters|type=="object" and all(.[]; type=="number"))'
is "status --json has the schema" "$(jq "$shape" <<<"$json")" true
is "its pid is the main process" "$(jq .pid <<<"$json")" "$ndsd_pid"
ok "its supervisor is another one's pid" \
    test "$(jq .supervisor.pid <<<"$json")" -ne "$ndsd_pid"
table=$(ctl status)
for p in $(workers); do
	like "the table shows worker $p" "$table" "(^|[^0-9])$p([^0-9]|\$)"
done
requests() { field '[.workers[].requests]|add'; }
before=$(requests)
for _ in 1 2 3 4 5; do
	ask "$app"
done
is "requests are counted" "$(requests)" $((before + 5))

# ---- scale
count_is() { field_is '[.workers[]|select(.state=="idle")]|length' "$1"; }
ok "scale 4 is accepted" ctl scale 4
ok "and has four workers once it returns" count_is 4
ok "scale 1 is accepted" ctl scale 1
ok "and leaves one" wait_until 5 field_is '.workers|length' 1
kill -TTIN "$ndsd_pid"
ok "TTIN adds one" wait_until 5 count_is 2
kill -TTOU "$ndsd_pid"
ok "TTOU takes one away" wait_until 5 field_is '.workers|length' 1
kill -TTOU "$ndsd_pid"
ask "$app"
is "the last worker stays" "$status_code" 200
ctl scale 0 >"$tmp/out" 2>&1
like "scale 0 is refused" $? '^[12]$'
ctl scale 100000 >"$tmp/out" 2>&1
like "scale beyond the limit is refused" $? '^[12]$'
is "and changes nothing" "$(field '.workers|length')" 1
ctl scale 2 >/dev/null

# ---- clients that misbehave; the peer is a plain socket client here
control=$run/control/control.sock
for _ in 1 2 3 4 5 6 7 8; do
	spawn silent "$(program tests/peer/fcgi-peer)" --cut-at 0 --cut hold \
	    --timeout 60000 "$control"
	silent+=("$pid")
done
ok "silent clients do not block status" status
ask "$app"
is "nor requests" "$status_code" 200
printf '{"verb":"sta' >"$tmp/half"
spawn silent "$(program tests/peer/fcgi-peer)" --raw "$tmp/half" \
    --timeout 60000 "$control"
silent+=("$pid")
ok "half a request does not block status" status
printf 'nonsense\n' >"$tmp/nonsense"
peer --raw "$tmp/nonsense" --timeout $((5000 * scale)) "$control" >"$tmp/out"
unlike "nonsense is answered or closed" "$(<"$tmp/out")" '^closed open'
head -c 100000 /dev/zero | tr '\0' x >"$tmp/long"
peer --raw "$tmp/long" --timeout $((5000 * scale)) "$control" >"$tmp/out"
unlike "an endless line is answered or closed" "$(<"$tmp/out")" '^closed open'
printf '{"verb":"status"}\n' >"$tmp/status"
for _ in $(seq 1 100); do
	peer --raw "$tmp/status" --cut-at 18 --cut close "$control" >"$tmp/out"
done
ok "clients that hang up do no harm" status
for pid in "${silent[@]}"; do
	kill "$pid" 2>/dev/null
done

# ---- another user
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$run/control" && chmod 666 "$control"
	setpriv --reuid nobody --regid nogroup --clear-groups \
	    "$ndsctl" drain >"$tmp/out" 2>&1
	is "another user is refused" $? 1
	is "and changes nothing" "$(field .state)" "$(jq -r .state <<<"$json")"
else
	skip "another user is refused" "not root"
fi
ok "stop is accepted" ctl stop
wait_end "$ndsd_pid" 10
is "stop ends ndsd with status 0" "$rc" 0
ctl status >"$tmp/out" 2>"$tmp/err"
is "and there is no supervisor any more" $? 3
done_testing
