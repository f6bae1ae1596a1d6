#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# Programs without libnds run under ndsd too: listener on fd 0, replaced when
# they die, reloaded, drained and stopped under load, with a health socket
# beside them.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
export APP_WORKERS=2

# clients PEER-OPTION...: four at a time, until clients_end, which sets $asked
# and $lost: all that was no whole 200.
clients() {
	: >"$tmp/asking"
	while [ -e "$tmp/asking" ]; do
		peer --many 4 --repeat 10 --query ms=20 --timeout 20000 "$@" "$app"
	done >"$tmp/asked" &
	clients=$!
}
clients_end() {
	rm "$tmp/asking"
	wait "$clients"
	read -r asked lost < <(awk '
	    /^(whole|partial|refused) / { all += $2 }
	    /^status 200 / { good += $3 }
	    END { print all + 0, all - good }' "$tmp/asked")
}
some() { grep -q '^status 200' "$tmp/asked"; }

# survives NAME PEER-OPTION...: what the program is asked; it stops in the end
survives() {
	local name=$1 flight
	shift
	clients "$@"
	ok "$name serves" wait_until 10 some
	ok "$name: reload under load" ctl reload
	ok "$name: drain under load" ctl drain
	ask --path /ready "$health"
	is "$name: /ready is 503 while draining" "$status_code" 503
	ctl undrain >"$tmp/said"
	ok "$name: more of it under load" ctl scale 4
	ok "$name: less of it under load" ctl scale 1
	clients_end
	ok "$name: it was asked ($asked times)" test "$asked" -ge 80
	ok "$name: nothing was lost ($lost), but what SIGTERM met half read" \
	    test "$lost" -le 1
	peer --query ms=$((1200 * scale)) --timeout 20000 "$@" "$app" \
	    >"$tmp/flight" &
	flight=$!
	ok "$name is busy" wait_until 5 not asks 200 --timeout 300 "$@" "$app"
	stop_is 0 "$name stops with status 0"
	wait "$flight"
	like "$name: a request in flight was answered" "$(<"$tmp/flight")" \
	    '^status 200'
}

ndsd_start -- "$(program tests/peer/stock-responder)"
ok "a plain libfcgi program becomes ready" ready
ask --path /abc "$app"
like "it answers" "$answer" '^body stock [0-9]+ /abc'
for probe in live ready startup; do
	ask --path "/$probe" "$health"
	is "/$probe is 200 beside it" "$status_code" 200
done
read -r victim _ <<<"$(workers)"
kill -KILL "$victim"
replaced() { [ "$(workers | wc -w)" = 2 ] && ! grep -qw "$victim" <<<"$(workers)"; }
ok "a dead one is replaced" wait_until 5 replaced
from=$(now_ms)
ctl drain --wait >/dev/null 2>&1
ok "a drain lasts APP_DRAIN_MAX, since its traffic cannot be seen" \
    test $(($(now_ms) - from)) -ge 950
ctl undrain >/dev/null
survives "libfcgi" --path /abc

# ---- who still waits when it is told to stop
ndsd_start -- "$(program tests/peer/stock-responder)"
peer --many 12 --repeat 1 --query ms=200 --timeout 20000 "$app" >"$tmp/waiting" &
waiting=$!
full() { [ "$(field .queue.length)" -ge 8 ]; }
ok "requests wait in its queue" wait_until 5 full
kill -QUIT "$ndsd_pid"
wait "$waiting"
is "all of them are answered before it is told to end" \
    "$(sed -n 's/^status 200 //p' "$tmp/waiting")" 12
wait_end "$ndsd_pid" 15
is "then it stops" "$rc" 0

# ---- one that lives and does not serve
ndsd_start -- tail -f /dev/null
unproved() { grep -c 'that it serves cannot be proved' "$tmp/ndsd.log"; }
: >"$tmp/ndsd.log"
ok "a reload to a program that serves nobody is not noticed (hazard 27)" \
    ctl reload
is "and that it cannot be is said, once a generation (hazard 27)" \
    "$(unproved)" 1
stop_is 0 "it stops with it"

# One that ends after a few requests, as many do against their leaks.
ndsd_start -- "$(program tests/peer/stock-responder)" 50
for _ in 1 2 3 4 5 6; do
	peer --many 1 --repeat 40 "$app"
done | awk '{ n[$1 " " $2] += $3; n[$1] += $2 } END { print n["whole"] + 0 }' >"$tmp/whole"
ok "a program that ends now and then is replaced ($(<"$tmp/whole") of 240)" \
    test "$(<"$tmp/whole")" -ge 230
stop_is 0 "and stopped"

php=$(command -v php-cgi || command -v php-cgi8.2 || true)
if [ -n "$php" ]; then
	cat >"$tmp/a.php" <<-'EOF'
		<?php usleep(1000 * (int)($_GET["ms"] ?? 0)); # the product's time
		echo "php says ", $_SERVER["REQUEST_METHOD"];
	EOF
	export PHP_FCGI_CHILDREN=0 PHP_FCGI_MAX_REQUESTS=0
	asked_for=(--path /a.php --param SCRIPT_FILENAME="$tmp/a.php"
	    --param REDIRECT_STATUS=200)
	ndsd_start -- "$php"
	ok "php-cgi becomes ready" ready
	ask "${asked_for[@]}" "$app"
	like "php-cgi answers" "$answer" 'body php says GET'
	survives "php-cgi" "${asked_for[@]}"
else
	skip "php-cgi" "not installed"
fi

if perl -MFCGI -e 1 2>/dev/null; then
	cat >"$tmp/responder.pl" <<-'EOF'
		use FCGI;
		use Time::HiRes 'time';
		my $request = FCGI::Request();
		while ($request->Accept() >= 0) {
			my ($ms) = $ENV{QUERY_STRING} =~ /ms=(\d+)/;
			my $end = time + ($ms // 0) / 1000;
			select(undef, undef, undef, 0.01) while time < $end;
			print "Content-Type: text/plain\r\n\r\nperl $$\n";
		}
	EOF
	ndsd_start -- perl "$tmp/responder.pl"
	ok "a Perl program becomes ready" ready
	survives "Perl"
else
	skip "Perl" "no FCGI module here"
fi
ok "nothing is left" wait_until 2 none_of_ours
done_testing
