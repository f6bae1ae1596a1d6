#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119,SC2317
#
# A reload that changes what lighttpd depends on reaches the lighttpd that ndsd
# runs, and loses nothing; one that does not leaves it alone.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
use_front
prove=$(program nds-prove)
ln -s "$APP_FRONT_CONFIG" "$tmp/front.conf"
cp "$APP_FRONT_CONFIG" "$tmp/other.conf"
unset APP_FRONT_CONFIG
# settings BODY LEVEL [CONFIGURATION]
settings() {
	printf 'APP_MAX_BODY=%s\nAPP_LOG_LEVEL=%s\nAPP_FRONT_CONFIG=%s\n' \
	    "$1" "$2" "${3:-$tmp/front.conf}" >"$tmp/settings"
}
head -c 300000 /dev/zero >"$tmp/upload"
echoed() { gets "$1" --data-binary "@$tmp/upload" "$url/_diag/echo"; }
restarts() { grep -c "restarts gracefully" "$tmp/ndsd.log"; }

settings 100k info
ndsd_start --front=lighttpd -f "$tmp/settings"
ok "a body beyond APP_MAX_BODY is 413" wait_until 5 echoed 413
front=$(awk 'NR == 1 { print $1 }' "$run/control/front.process")

# change BODY LEVEL: by a reload under load; sets $lost.
change() {
	settings "$@"
	"$prove" --json -c 4 --new -d 3s --lead 200ms --during "$ndsctl reload" \
	    "$url/" >"$tmp/told" 2>"$tmp/prove.log"
	lost="$? $(jq -c '[.command.failed,(.whole.fates|with_entries(select(.value>0))|del(.answered))]' "$tmp/told")"
	asked=$(jq .whole.requests "$tmp/told")
}
change 1m info
is "a reload to a larger one loses none of $asked requests" "$lost" '0 [0,{}]'
ok "the larger body passes" wait_until 5 echoed 200
is "lighttpd has restarted gracefully" "$(restarts)" 1
change 100k info
is "a reload back loses none of $asked requests" "$lost" '0 [0,{}]'
ok "the larger body is 413 again" wait_until 5 echoed 413
is "by another graceful restart" "$(restarts)" 2
change 100k warn
is "a reload of what lighttpd does not depend on loses none of $asked" \
    "$lost" '0 [0,{}]'
change 100k info
is "and does not restart it" "$(restarts)" 2
is "it is the same process all the time" \
    "$(awk 'NR == 1 { print $1 }' "$run/control/front.process")" "$front"
like "what the front reads is what is in force" \
    "$(<"$run/control/front.settings")" "^APP_MAX_BODY='102400'"

echo APP_FRONT_ALLOW=192.0.2.1 >>"$tmp/settings"
ok "the file of ndsd may say whom the front shows /status" ctl reload
ok "and the front does so" wait_until 5 gets 403 "$url/status"

settings 100k info "$tmp/other.conf"
said=$(ctl reload 2>&1)
is "another configuration is refused" "$?" 1
like "by its name" "$said" "APP_FRONT_CONFIG=$tmp/other.conf cannot change"
settings 100k info "$tmp/no.conf"
said=$(ctl reload 2>&1)
is "so is one that is not there" "$?" 1
like "and says so" "$said" "APP_FRONT_CONFIG=$tmp/no.conf.*No such file"

# Every setting that the script asks for is one that ndsd hands on so.
while read -r key; do
	case $key in
	APP_) ;;
	APP_RUNTIME_DIR | APP_USER) ;; # fixed while ndsd runs
	*) like "$key is handed on" "$(<"$run/control/front.settings")" "^$key=" ;;
	esac
done < <(grep -o 'APP_[A-Z_]*' "$srcdir/scripts/front-settings" | sort -u)

# The lighttpd from before a restart still sends when the stop comes.
curl -sS -m $((30 * scale)) -o "$tmp/large" "$url/_diag/bytes?n=30000000" &
client=$!
begun() { [ -s "$tmp/large" ]; }
wait_until 5 begun
kill -STOP "$client"
settings 1m info
ok "a reload restarts lighttpd under a long answer" ctl reload
kill -TERM "$ndsd_pid"
ok "the new one ends at the stop" wait_until 5 gone "$front"
ok "ndsd stays until the old one has sent its answer" \
    not wait_until 1 gone "$ndsd_pid"
kill -CONT "$client"
wait "$client"
is "which comes whole" "$? $(stat -c %s "$tmp/large")" "0 30000000"
wait_end "$ndsd_pid" 15
is "it stops" "$rc" 0
ok "nothing is left" wait_until 5 none_of_ours
is "nor any file of the front" "$(find "$run/control" -name 'front.*' | wc -l)" 0
done_testing
