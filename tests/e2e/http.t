#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# HTTP as clients see it, through lighttpd and through nginx: methods, errors,
# limits, ids, and nothing that a client can smuggle in.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq sha256sum
use_front
export APP_MAX_BODY=64k
ndsd_start --front=lighttpd
wait_until 5 gets 200 "$url/"

problem() { jq -r ".$1" <<<"$body"; }

through() { # FRONT URL: the same for each
	local url=$2
	get "$url/"
	length=$(header Content-Length)
	get -I "$url/"
	is "$1: HEAD is 200" "$code" 200
	is "$1: HEAD tells the length of GET" "$(header Content-Length)" "$length"
	get -X OPTIONS "$url/"
	is "$1: OPTIONS is 204" "$code" 204
	like "$1: OPTIONS tells what is allowed" "$(header Allow)" \
	    'GET.*HEAD.*OPTIONS|GET.*OPTIONS.*HEAD'

	get -H 'X-Request-Id: my-id.7' "$url/no/such/thing"
	is "$1: an unknown path is 404" "$code" 404
	like "$1: it is a problem document" "$(header Content-Type)" \
	    '^application/problem\+json'
	is "$1: with status" "$(problem status)" 404
	like "$1: with title" "$(problem title)" 'not found'
	is "$1: with the request id" "$(jq -r '.. | strings | select(. == "my-id.7")' <<<"$body")" my-id.7
	is "$1: the id is in the answer's header" "$(header X-Request-Id)" my-id.7

	get -X DELETE "$url/version"
	is "$1: a method that is not routed is 405" "$code" 405
	like "$1: with Allow" "$(header Allow)" GET

	get "$url/"
	like "$1: an id is made where there is none" "$(header X-Request-Id)" \
	    '^[A-Za-z0-9._-]{8,63}$'
	first=$(header X-Request-Id)
	get "$url/"
	ok "$1: and another the next time" test "$(header X-Request-Id)" != "$first"
	get -H 'X-Request-Id: bad id;"<>' "$url/"
	unlike "$1: a malformed id is replaced" "$(header X-Request-Id)" '[^A-Za-z0-9._-]'

	trace=0af7651916cd43dd8448eb211c80319c
	get -H "traceparent: 00-$trace-b7ad6b7169203331-01" "$url/_diag/echo"
	is "$1: traceparent reaches the application" "$code" 200

	head -c 65536 /dev/zero | tr '\0' x >"$tmp/upload"
	get --data-binary @"$tmp/upload" "$url/_diag/echo"
	is "$1: a body at the limit is taken" "$code" 200
	is "$1: whole, by its hash" \
	    "$(jq -r '.. | strings | select(length == 64)' <<<"$body")" \
	    "$(sha256sum <"$tmp/upload" | cut -d' ' -f1)"
	head -c 300000 /dev/zero >"$tmp/upload"
	get --data-binary @"$tmp/upload" "$url/_diag/echo"
	is "$1: a body beyond it is 413" "$code" 413

	get -H "X-Long: $(head -c 40000 /dev/zero | tr '\0' h)" "$url/"
	is "$1: a header beyond the limit is 431 or 400" "${code/400/431}" 431

	for n in 1 8191 65536 1000000 20000000; do
		get "$url/_diag/bytes?n=$n"
		is "$1: $n bytes: length told" "$(header Content-Length)" "$n"
		is "$1: $n bytes: length sent" "$(stat -c %s "$tmp/body")" "$n"
	done
}

through lighttpd "$url"

# The same twenty million bytes twice: any byte lost, added or moved shows.
get "$url/_diag/bytes?n=20000000"
want=$(sha256sum <"$tmp/body")
if nginx_start; then
	get "$nginx_url/_diag/bytes?n=20000000"
	is "both fronts deliver the same large answer" \
	    "$(sha256sum <"$tmp/body")" "$want"
	through nginx "$nginx_url"
elif command -v nginx >/dev/null; then
	fail "nginx starts"
else
	skip "through nginx" "no nginx here"
fi

# ---- what the pool says itself, without a front before it
ask --method HEAD "$app"
like "HEAD has no body" "$answer" '^body-bytes 0'
ask --path /no/such --header $'X-Request-Id: a\r\nSet-Cookie: b=c' "$app"
is "a header with a line break in it is answered" "$status_code" 404
unlike "and breaks no header" "$answer" '^header Set-Cookie'
ask --path '/a"b%0d%0aSet-Cookie:x' "$app"
unlike "nor does a path" "$answer" '^header Set-Cookie'
ask --method POST --path /_diag/echo --body-size 100000 "$app"
is "a body beyond the limit is 413 from the pool too" "$status_code" 413
ask --method BREW "$app"
like "an unknown method is 405 or 501" "$status_code" '^(405|501)$'
ask --param HTTP_X_A="$(head -c 70000 /dev/zero | tr '\0' h)" "$app"
is "oversized parameters are 431" "$status_code" 431
stop_is 0 "it stops"
done_testing
