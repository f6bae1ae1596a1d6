#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# Programs without libnds run under ndsd too: listener on fd 0, replaced when
# they die, drained and stopped, with a health socket beside them.
. "${srcdir:-.}/tests/e2e/lib.sh"
need jq
export APP_WORKERS=2

ndsd_start -- "$(program tests/peer/stock-responder)"
ok "a plain libfcgi program becomes ready" ready
ask --path /abc "$app"
like "it answers" "$answer" '^body stock [0-9]+ /abc'
for probe in live ready startup; do
	ask --path "/$probe" "$health"
	is "/$probe is 200 beside it" "$status_code" 200
done
peer --many 4 --repeat 100 "$app" >"$tmp/many"
is "four hundred requests are answered" "$(sed -n 's/^status 200 //p' "$tmp/many")" 400
read -r victim _ <<<"$(workers)"
kill -KILL "$victim"
replaced() { [ "$(workers | wc -w)" = 2 ] && ! grep -qw "$victim" <<<"$(workers)"; }
ok "a dead one is replaced" wait_until 5 replaced
ok "scale works" ctl scale 3
ctl scale 2 >/dev/null 2>&1
ok "drain works" ctl drain
ask --path /ready "$health"
is "/ready is 503 while draining" "$status_code" 503
ctl undrain >/dev/null
from=$(now_ms)
ctl drain --wait >/dev/null 2>&1
ok "a drain lasts APP_DRAIN_MAX, since its traffic cannot be seen" \
    test $(($(now_ms) - from)) -ge 950
ctl undrain >/dev/null
ctl scale 1 >/dev/null 2>&1
peer --path /slow --query ms=$((1200 * scale)) --timeout 20000 "$app" \
    >"$tmp/flight" &
flight=$!
busy() { not asks 200 --timeout 300 "$app"; }
wait_until 5 busy
stop_is 0 "it stops with status 0"
wait "$flight"
like "a request in flight was answered" "$(<"$tmp/flight")" '^status 200'

# One that ends after a few requests, as many do against their leaks.
ndsd_start -- "$(program tests/peer/bad-responder)" exit-after 50
for _ in 1 2 3 4 5 6; do
	peer --many 1 --repeat 40 "$app"
done | awk '{ n[$1 " " $2] += $3; n[$1] += $2 } END { print n["whole"] + 0 }' >"$tmp/whole"
ok "a program that ends now and then is replaced ($(<"$tmp/whole") of 240)" \
    test "$(<"$tmp/whole")" -ge 230
stop_is 0 "and stopped"

php=$(command -v php-cgi || command -v php-cgi8.2 || true)
if [ -n "$php" ]; then
	echo '<?php echo "php says ", $_SERVER["REQUEST_METHOD"];' >"$tmp/a.php"
	export PHP_FCGI_CHILDREN=0
	ndsd_start -- "$php" -d cgi.force_redirect=0
	ok "php-cgi becomes ready" ready
	ask --param SCRIPT_FILENAME="$tmp/a.php" --path /a.php \
	    --param REDIRECT_STATUS=200 "$app"
	like "php-cgi answers" "$answer" 'body php says GET'
	stop_is 0 "php-cgi stops"
else
	skip "php-cgi" "not installed"
fi
ok "nothing is left" wait_until 2 none_of_ours
done_testing
