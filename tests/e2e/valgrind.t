#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Memory errors that no sanitizer sees: the unit tests, and the accept path of a
# real responder, under valgrind.  valgrind refuses the split into guardian and
# worker, so the responder serves without one: APP_REPLAY=off.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
[ -z "$sanitize" ] || skip_all "built with sanitizers, which valgrind refuses"
need valgrind spawn-fcgi
mkdir -p "$run"

# nice: who measures times beside this shall not measure it.
watched=(nice valgrind --quiet --error-exitcode=99 --child-silent-after-fork=no)
for check in "$builddir"/tests/unit/check_*; do
	if [ ! -x "$check" ] || [ ! -f "$check" ]; then
		continue
	fi
	export CK_TAP_LOG_FILE_NAME=$tmp/tap CK_VERBOSITY=silent
	export CK_EXCLUDE_TAGS=long CK_TIMEOUT_MULTIPLIER=20 NDS_TEST_ROUNDS=20
	"${watched[@]}" "$check" >"$tmp/valgrind.log" 2>&1
	is "${check##*/}: valgrind finds nothing" \
	    "$(grep -c '^not ok' "$tmp/tap")/$(grep -c 'uninit\|Invalid' "$tmp/valgrind.log")" 0/0
done
unset CK_TAP_LOG_FILE_NAME CK_VERBOSITY CK_EXCLUDE_TAGS \
    CK_TIMEOUT_MULTIPLIER NDS_TEST_ROUNDS

# ---- the accept path
export APP_REPLAY=off APP_REQUEST_TIMEOUT=2 APP_SHUTDOWN_TIMEOUT=12
own=$run/own.sock
spawn-fcgi -n -s "$own" -- "$(command -v valgrind)" --quiet \
    --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
    "$responder" >"$tmp/served.log" 2>&1 </dev/null &
served=$!
pids+=("$served")
ok "a responder serves under valgrind (hazard 10)" wait_until 20 asks 200 "$own"
ask --path /_diag/echo --method POST --body-size 100000 "$own"
is "a body is read" "$status_code" 200
ask --path /_diag/bytes --query n=300000 "$own"
is "a large answer is streamed" "$status_code" 200
ask --byte-by-byte --path /version "$own"
is "a request comes byte by byte" "$status_code" 200
for way in "--management 9" "--version 2" "--role 3" "--id 0" \
    "--params-size 100000" "--cut-at 20 --cut close" "--raw deadbeef"; do
	# shellcheck disable=SC2086
	ask $way "$own"
done
ok "it still answers after garbage" wait_until 5 asks 200 "$own"
kill -TERM "$served"
wait_end "$served" 20
is "and ends without one error or leak" "$rc" 0
is "of which its output tells nothing" "$(grep -c '^==' "$tmp/served.log")" 0
done_testing
