#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# What was installed is enough to build an application against it and to serve
# it, from a directory that is not the one that was configured.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq "${MAKE:-make}" "${CC:-cc}" pkg-config spawn-fcgi
[ -w "$builddir" ] || skip_all "the build directory cannot be written"
dest=$tmp/dest
(cd "$builddir" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL "${MAKE:-make}" \
    -s install DESTDIR="$dest") >"$tmp/install.log" 2>&1
ok "make install DESTDIR succeeds" test $? -eq 0

at() { find "$dest" -path "*/$1" | head -n 1; }
for file in sbin/ndsd bin/ndsctl bin/nds-responder include/nds.h \
    lib/pkgconfig/nds.pc lib/libnds.so no-downtime-service/lighttpd.conf \
    no-downtime-service/nginx.conf; do
	ok "$file is installed" test -n "$(at "$file")"
done
ok "nds-shutdown is installed" test -n "$(at '*bin/nds-shutdown')"
ok "one header is installed, no more" \
    test "$(find "$dest" -name '*.h' | wc -l)" = 1
# The prefix may lie in either of them, and is named of course.
prefix=$(sed -n 's/^prefix = //p' "$builddir/Makefile")
is "nothing names the source or the build directory" \
    "$(grep -rhI . "$dest" | sed "s|$prefix||g" |
	grep -F -e "$srcdir/" -e "$builddir/" | head -n 3)" ""

# ---- an application of the user's, as the header's first comment has it
lib=$(dirname "$(at lib/libnds.so)")
cat >"$tmp/app.c" <<'END'
#include <nds.h>

static int
hello(struct nds_request *req, struct nds_response *res)
{
	return nds_json(res, 200, json_pack("{ss}", "hello",
	    nds_param(req, "name")));
}

int
main(int argc, char **argv)
{
	struct nds_app *app = nds_app_new("hello", "1.0");

	nds_route(app, "GET", "/hello/{name}", hello);
	return nds_run(app, argc, argv);
}
END
export PKG_CONFIG_PATH=$lib/pkgconfig
export PKG_CONFIG_SYSROOT_DIR=
prefix=$(pkg-config --variable=prefix nds)
# shellcheck disable=SC2046,SC2086
"${CC:-cc}" -Wall -Wextra -Werror $sanitize -o "$tmp/app" "$tmp/app.c" \
    $(pkg-config --define-variable=prefix="$dest$prefix" \
	--define-variable=libdir="$lib" \
	--define-variable=includedir="$(dirname "$(at include/nds.h)")" \
	--cflags --libs nds) >"$tmp/cc.log" 2>&1
ok "an application compiles against pkg-config's flags, without a warning" \
    test $? -eq 0
ok "it links libnds alone: no libfcgi of its own" \
    eval '! readelf -d "$tmp/app" | grep -q "NEEDED.*fcgi"'
export LD_LIBRARY_PATH=$lib

spawn-fcgi -n -s "$run/own.sock" -- "$tmp/app" >"$tmp/own.log" 2>&1 </dev/null &
pid=$!
pids+=("$pid")
ok "it serves under spawn-fcgi" \
    wait_until 5 asks 200 --path /hello/you "$run/own.sock"
like "with its path parameter" "$answer" '"hello": ?"you"'
kill -TERM "$pid"
wait_end "$pid" 5
is "and ends at SIGTERM" "$rc" 0

# ---- and under the installed ndsd
ndsd=$(at sbin/ndsd)
ndsctl=$(at bin/ndsctl)
ln -s "$(at bin/nds-responder)" "${ndsd%/*}" # bindir is not where it will be
ndsd_start -- "$tmp/app"
ask --path /hello/me "$app"
like "it serves under the installed ndsd" "$answer" '"hello": ?"me"'
stop_is 0 "which stops"

rm "${ndsd%/*}/nds-responder"

# ---- and away again
(cd "$builddir" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL "${MAKE:-make}" \
    -s uninstall DESTDIR="$dest") >"$tmp/uninstall.log" 2>&1
is "make uninstall leaves no file" \
    "$(find "$dest" ! -type d | tr '\n' ' ')" ""
done_testing
