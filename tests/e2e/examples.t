#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# Each example is built and does what its first comment says, through lighttpd.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq
use_front
export APP_WORKERS=1 APP_FRONT_MAX_BODY=100m

serve() { # EXAMPLE
	ndsd_start --front=lighttpd -- "$(program "examples/$1")"
	ok "$1: becomes ready" ready
	wait_until 5 gets 200 "$url/live"
}

serve hello
get "$url/"
is "hello: answers" "$code" 200
stop_is 0 "hello: stops"

serve orders
get "$url/orders"
is "orders: lists" "$code" 200
get -X POST -H 'Content-Type: application/json' \
    -d '{"item":"tea \u2615 \"green\""}' "$url/orders"
is "orders: adds one" "$code" 201
id=$(jq -r .id <<<"$body")
get "$url/orders/$id"
is "orders: shows it" "$(jq -r .item <<<"$body")" 'tea ☕ "green"'
get -X POST -d '{"item":' "$url/orders"
is "orders: refuses what is not JSON" "$code" 400
get "$url/orders/99999"
is "orders: knows what it has not" "$code" 404
get -X DELETE "$url/orders/$id"
like "orders: deletes" "$code" '^20[04]$'
get "$url/orders/$id"
is "orders: and it is gone" "$code" 404
get -X PATCH "$url/orders/$id"
is "orders: has no PATCH" "$code" 405
stop_is 0 "orders: stops"

# A port on which nobody listens, until somebody does.
DEPENDENCY=127.0.0.1:$(free_port)
export DEPENDENCY
ndsd_begin --front=lighttpd -- "$(program examples/checks)"
wait_until 10 gets 200 "$url/"
is "checks: serves without its dependency" "$code" 200
ok "checks: but is not ready" wait_until 10 gets 503 "$url/ready"
is "checks: and says which fails" \
    "$(jq -r '.checks[]|select(.status!="ok")|.name' <<<"$body")" dependency
ok "checks: /live stays 200" gets 200 "$url/live"
cat >"$tmp/dependency.conf" <<END
server.document-root = "$tmp"
server.bind = "127.0.0.1"
server.port = ${DEPENDENCY##*:}
END
spawn dependency lighttpd -D -f "$tmp/dependency.conf"
ok "checks: is ready once it answers" wait_until 10 gets 200 "$url/ready"
kill "$pid"
wait_end "$pid" 5
ok "checks: and not once it has gone" wait_until 10 gets 503 "$url/ready"
stop_is 0 "checks: stops"

serve files
head -c 30000000 /dev/zero >"$tmp/big"
get -X POST -T "$tmp/big" "$url/upload"
is "files: takes 30 MB" "$(jq -r .bytes <<<"$body")" 30000000
get -X POST -T - -H 'Transfer-Encoding: chunked' "$url/upload" <"$tmp/big"
is "files: and of unknown length" "$(jq -r .bytes <<<"$body")" 30000000
get "$url/download/30000000"
ok "files: gives 30 MB" cmp -s "$tmp/body" "$tmp/big"
worker=$(workers)
ok "files: never has them whole in memory" test "$(awk '/^VmHWM/ { print $2 }' \
    "/proc/$worker/status")" -lt $((scale > 2 ? 200000 : 20000))
get "$url/download/x"
is "files: refuses nonsense" "$code" 400
stop_is 0 "files: stops"
done_testing
