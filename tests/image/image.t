#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# The image: builds, holds what it should and no more, serves within a second
# with every right taken away, and stops without losing what it has begun.
. "${srcdir:-.}/tests/image/lib.sh" || exit 99
use_front

ok "there is a base image" base_begin
ok "the image builds" image_build
inspect() { podman image inspect "$image" --format "$1"; }
is "it carries its version" \
    "$(inspect '{{index .Labels "org.opencontainers.image.version"}}')" 0.0.1
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

# ---- a runtime directory that cannot be written, or is full
mkdir -p "$tmp/read-only/control"
chown -R 10001:10001 "$tmp/read-only"
container read-only -v "$tmp/read-only:/run/nds:ro" -- ndsd
timeout 20 podman wait "read-only-$$" >"$tmp/said" 2>&1
is "a read-only runtime directory ends it" "$(<"$tmp/said")" 1
like "and it says so" "$(said read-only)" "/run/nds.*Read-only file system"
container full --tmpfs /run/nds:rw,U,size=1m \
    -e "APP_BIND_ADDRESS=$APP_BIND_ADDRESS" -- ndsd --front=lighttpd
wait_until 5 ready_at
inside full sh -c 'head -c 2m /dev/zero >/run/nds/full; true'
head -c 200000 /dev/zero >"$tmp/large"
get --data-binary "@$tmp/large" "$url/"
like "a body that finds no room is refused" "$code" '^(413|500|503)$'
ok "the others are served" gets 200 "$url/"
ok "and probed" ready_at
inside full ndsctl reload >"$tmp/said" 2>&1
ok "a full runtime directory hinders no reload" test $? -eq 0
inside full rm /run/nds/full
get --data-binary "@$tmp/large" "$url/"
is "with room again the body arrives" "$code" 405
end INT full 20
is "and it stops" "$rc" 0

# ---- an application of one's own, as the Dockerfile says
mkdir "$tmp/own"
cp "$srcdir/examples/hello.c" "$tmp/own/"
sed -n 's/^#\t\(\(FROM\|COPY\|RUN\|CMD\) .*\)/\1/p' "$srcdir/Dockerfile" |
    sed "s|^FROM no-downtime-service:sdk|FROM $image-sdk|
	s|^FROM no-downtime-service$|FROM $image|" >"$tmp/own/Dockerfile"
own() {
	podman build --format docker --network=host --pull=never \
	    -t "$image-own" "$tmp/own" >"$tmp/own.log" 2>&1
}
ok "its sdk is an image too" eval 'image=$image-sdk image_build --target sdk'
ok "an application is built with it" own
image=$image-own container own --tmpfs /run/nds:rw,U \
    -e "APP_BIND_ADDRESS=$APP_BIND_ADDRESS" -- \
    ndsd --front=lighttpd -- /usr/bin/hello
wait_until 5 ready_at
get "$url/"
is "and serves" "$body" "Hello!"
end INT own 20
is "until it is stopped" "$rc" 0

# ---- the same inputs, the same image
layers() { podman image inspect "$1" --format '{{json .RootFS.Layers}}'; }
holds() { # IMAGE: each file with its hash, mode and owner
	local at
	at=$(podman image mount "$1")
	(cd "$at" && find . -type f -printf '%m %U:%G ' -exec sha256sum {} \; &&
	    find . ! -type f -printf '%p %y %m %U:%G %l\n') | sort -k 3
	podman image unmount "$1" >/dev/null
}
layers "$image" >"$tmp/layers"
holds "$image" >"$tmp/holds"
again=$image-again
ok "the image builds once more, from nothing" \
    eval 'image=$again image_build --no-cache'
is "it holds the same files" "$(holds "$again" | diff "$tmp/holds" - 2>&1)" ""
ok "those were some" test "$(wc -l <"$tmp/holds")" -gt 3000
is "and they have the same times: each layer is the same" "$(layers "$again")" \
    "$(<"$tmp/layers")"

podman rmi -f "$image-own" "$again" >>"$tmp/podman.log" 2>&1
done_testing
