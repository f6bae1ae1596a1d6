#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119,SC2317
#
# The image: builds, holds what it should and no more, serves within a second
# with every right taken away, and stops without losing what it has begun.
. "${srcdir:-.}/tests/image/lib.sh"
use_front

ok "there is a base image" base_begin
ok "the image builds" image_build
inspect() { podman image inspect "$image" --format "$1"; }
is "it carries its version" \
    "$(inspect '{{index .Labels "org.opencontainers.image.version"}}')" 0.0.test
is "and its revision" \
    "$(inspect '{{index .Labels "org.opencontainers.image.revision"}}')" here
is "it runs as a fixed user" "$(inspect '{{.User}}')" 10001:10001
is "its stop signal is graceful for both roles" \
    "$(inspect '{{.Config.StopSignal}}')" SIGINT

# ---- what is in it
in_image() { podman run --rm --network=none "$image" "$@" 2>>"$tmp/podman.log"; }
for tool in gcc make autoconf curl wget nds-prove; do
	is "no $tool in it" "$(in_image sh -c "command -v $tool || echo none")" none
done
is "no package lists in it" "$(in_image sh -c 'ls /var/lib/apt/lists')" ""
is "no setuid program in it" \
    "$(in_image find / -xdev -perm /6000 -type f)" ""
is "nothing in it can be written but the runtime directory" \
    "$(in_image find / -xdev -writable -not -type l -not -path '/proc*' \
    -not -path '/dev*' -not -path '/sys*')" /run/nds
like "it checks settings" "$(in_image ndsd -t 2>&1; echo rc $?)" "rc 0"
size() { podman save "$1" 2>/dev/null | gzip -1 | wc -c; }
more=$(($(size "$image") - $(size "$base")))
ok "it is at most 40 MB larger than its base, compressed ($more bytes)" \
    test "$more" -le 40000000

# ---- all in one
ready_at() { gets 200 "$url/ready"; }
begun=$(now_ms)
container one --tmpfs /run/nds:rw,U -e "APP_BIND_ADDRESS=$APP_BIND_ADDRESS" -- \
    ndsd --front=lighttpd
ok "it gets ready with every right taken away" wait_until 5 ready_at
took=$(($(now_ms) - begun))
ok "docker run to /ready takes at most 1 s (${took} ms)" \
    test "$took" -le $((1000 * scale))
gets 200 "$url/"
is "it serves" "$body" "Hello, Zero-Downtime World!"
ok "HEALTHCHECK is healthy" podman healthcheck run "one-$$"
curl -s -o "$tmp/flight" -w '%{http_code}' "$url/_diag/work" >/dev/null
end INT one 20
is "the stop signal ends it with status 0" "$rc" 0
like "with its own last word" "$(said one)" "stopped after"
container two --tmpfs /run/nds:rw,U -e APP_WORKERS=many -- ndsd
ok "wrong settings end it" timeout 20 podman wait "two-$$"
like "with the place and what is allowed" "$(said two)" \
    "environment: APP_WORKERS=many: not a whole number, allowed: 1 to 512"

done_testing
