#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# The Debian packages: they are built from what a release holds, lintian finds
# nothing to blame, they install where no systemd runs, an upgrade under load
# takes over in place, so does one of the library to an application that is
# linked with it, and a purge leaves nothing.  All of it in a root of its own,
# which takes root to make.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq dpkg-buildpackage dh lintian debootstrap "${MAKE:-make}"
[ "$(id -u)" = 0 ] || skip_all "a root of its own is made by root alone"
use_front
prove=$(program nds-prove)
root=$tmp/root
trap 'umount "$root/proc" 2>/dev/null; clean_up' EXIT

# ---- build; the root is made meanwhile
debootstrap --variant=minbase --include=libcurl4,libdw1,libfcgi0ldbl,libjansson4\
,libmd0,lighttpd,systemd bookworm "$root" "$(mirror)" \
    >"$tmp/debootstrap.log" 2>&1 &
bootstrap=$!
build() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL "${MAKE:-make}" -s \
	    -C "$builddir" distdir distdir="$tmp/deb/source" &&
	    cd "$tmp/deb/source" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
	    -u LD_LIBRARY_PATH DEB_BUILD_OPTIONS="nocheck parallel=2" \
	    dpkg-buildpackage -us -uc -b
}
mkdir "$tmp/deb"
(build) >"$tmp/build.log" 2>&1
ok "the packages are built" test $? -eq 0
cd "$tmp/deb" || exit
version=$(sed -n 's/^AC_INIT.*\[\([0-9.]*\)\])$/\1/p' "$srcdir/configure.ac")
for package in no-downtime-service libnds0 libnds-dev no-downtime-service-doc; do
	is "$package is of this version" \
	    "$(dpkg-deb -f "$package"_*.deb Version)" "$version"
done
is "lintian finds no error and no warning" \
    "$(lintian --allow-root ./*.changes 2>&1 | grep '^[EW]:')" ""

# ---- its documents: a link leads to what is there
dead_links() {
	local page link
	dpkg-deb -x no-downtime-service-doc_*.deb "$tmp/documents"
	cd "$tmp/documents/usr/share/doc/no-downtime-service" || return
	for page in *.md docs/*.md monitoring/*.md k8s/*.md; do
		grep -oE '\]\([^)#: ]+' "$page" | cut -c 3- |
		    while read -r link; do
			    [ -e "$(dirname "$page")/$link" ] || echo "$page: $link"
		    done
	done
}
is "no link between the documents is dead" "$(dead_links)" ""

# ---- a later version: almost the same, and one that is broken.
# later PACKAGE VERSION COMMAND...: which is run in what the package holds
later() {
	local package=$1 to=$2
	shift 2
	dpkg-deb -R "$package"_"$version"_*.deb "$tmp/deb/later" &&
	    sed -i "s/^Version: .*/Version: $to/" later/DEBIAN/control &&
	    (cd later && "$@") && dpkg-deb -b later "later-$package-$to.deb" &&
	    rm -r later
}
differ() {
	find usr \( -path '*/sbin/ndsd' -o -name 'libnds.so.*.*' \) -type f \
	    -exec sh -c 'echo later >>"$1"' sh {} \;
}
ok "later versions are made" \
    eval 'later no-downtime-service "$version+1" differ &&
	later no-downtime-service "$version+2" cp /bin/true usr/sbin/ndsd &&
	later libnds0 "$version+1" differ'

# ---- an application, made with the library's package
hello() {
	mkdir "$tmp/dev" && dpkg-deb -x libnds0_*.deb "$tmp/dev" &&
	    dpkg-deb -x libnds-dev_*.deb "$tmp/dev" &&
	    "${CC:-cc}" -o "$tmp/hello" "$srcdir/examples/hello.c" \
	    -I"$tmp/dev/usr/include" -L"$(dirname "$tmp"/dev/usr/lib/*/libnds.so)" \
	    -lnds -ljansson
}
ok "libnds-dev is enough to compile with" hello

# ---- install
wait "$bootstrap"
ok "there is a root" test $? -eq 0
mount -t proc proc "$root/proc"
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
everything() {
	find "$root" -xdev \( -path '*/var/lib/dpkg' -o -path '*/var/log' -o \
	    -path '*/var/cache' -o -path "$root/proc" -o -path "$root/tmp" \
	    \) -prune -o ! -path '*/etc/*-' ! -name .pwd.lock -print | sort
	cat "$root/etc/passwd" "$root/etc/group"
}
cp ./*.deb "$root/tmp"
cp "$tmp/hello" "$root/usr/bin/hello"
everything >"$tmp/before"
inside sh -c "dpkg -i /tmp/libnds0_*.deb \
    /tmp/no-downtime-service_${version}_*.deb" >"$tmp/install.log" 2>&1
ok "they install where no systemd runs" test $? -eq 0
is "with the users" "$(inside id -un nds) $(inside id -un nds-front)" \
    "nds nds-front"
ok "and the units" test -f "$root/lib/systemd/system/nds.service"

# ---- under a real systemd, which forgets what it has written
# systemctl and the like are run in it by this
inner=()
boot() {
	local leader
	systemd-nspawn --version >/dev/null 2>&1 || return 1
	echo "APP_BIND_ADDRESS=$APP_BIND_ADDRESS" \
	    >>"$root/etc/no-downtime-service/nds.env"
	spawn boot systemd-nspawn --quiet --boot --volatile=overlay \
	    --register=no --keep-unit --machine "nds-$$" -D "$root"
	boot_pid=$pid
	wait_until 5 grep -q . "/proc/$pid/task/$pid/children" || return 1
	read -r leader <"/proc/$pid/task/$pid/children"
	inner=(nsenter -t "$leader" -m -p -u -i -C
	    env -i PATH=/usr/bin:/bin)
	wait_until 20 "${inner[@]}" systemctl is-active --quiet multi-user.target
}
under_systemd() { # WHAT COMMAND
	"$prove" --json -c 4 --new --rate 200 -d 2 \
	    --during "${inner[*]} $2 >'$tmp/systemctl.log' 2>&1" "$url/" \
	    >"$tmp/prove.log" 2>&1
	is "$1 loses none of $(jq .whole.requests "$tmp/prove.log") requests" \
	    "$(jq .whole.lost "$tmp/prove.log")$(<"$tmp/systemctl.log")" 0
}
main_is_new() {
	local now
	now=$("${inner[@]}" systemctl show -P MainPID nds)
	[ "$now" != 0 ] && [ "$now" != "$main" ] &&
	    "${inner[@]}" systemctl is-active --quiet nds
}
none_left() { ! "${inner[@]}" sh -c 'cat /proc/[0-9]*/comm' | grep -q '^nd'; }
if boot; then
	ok "systemd has started it" "${inner[@]}" systemctl is-active nds
	"${inner[@]}" systemctl stop nds
	ok "and starts it with its sockets and its front" \
	    "${inner[@]}" systemctl start nds.socket nds nds-lighttpd
	wait_until 5 gets 200 "$url/ready"
	under_systemd "a reload" "systemctl reload nds nds-lighttpd"
	under_systemd "a restart" "systemctl restart nds"
	under_systemd "SIGKILL to all of it" "systemctl kill -s KILL nds"
	for _ in 1 2 3 4; do
		main=$("${inner[@]}" systemctl show -P MainPID nds)
		"${inner[@]}" systemctl kill --kill-whom=main -s KILL nds
		wait_until 10 main_is_new
	done
	ok "a killed main process is replaced" main_is_new
	"${inner[@]}" systemctl stop nds-lighttpd nds nds.socket
	ok "and when all is stopped, nothing is left" wait_until 10 none_left
	kill -TERM "$boot_pid"
	wait_end "$boot_pid" 30
else
	skip "it runs under systemd" "none can be booted here"
fi

# ---- an upgrade under load
begin() {
	spawn ndsd chroot "$root" env -i PATH=/usr/sbin:/usr/bin APP_USER=nds \
	    APP_WORKERS=2 "APP_BIND_ADDRESS=$APP_BIND_ADDRESS" \
	    APP_LOG_LEVEL=warn APP_DRAIN_MIN=0 APP_DRAIN_QUIET=100ms \
	    ndsd --front=lighttpd -- /usr/bin/hello
	ndsd_pid=$pid
	wait_until 10 gets 200 "$url/ready"
}
ctl() { inside ndsctl "$@"; }
loaded() { # WHAT FILE
	"$prove" --json -c 4 --new --rate 300 -d 2 \
	    --during "chroot '$root' dpkg -i '/tmp/$2' >'$tmp/dpkg.log' 2>&1" \
	    "$url/" >"$tmp/prove.log" 2>&1
	rc=$?
	is "$1 under load loses none of $(jq .whole.requests "$tmp/prove.log") requests" \
	    "$rc $(jq -c '.whole.fates|with_entries(select(.value>0))|del(.answered)' \
	    "$tmp/prove.log")" "0 {}"
}
ok "it serves from the package" begin
main=$(field .pid)
old_library() { # how many workers have the libnds of before
	local p n=0
	for p in $(workers); do
		! grep -q 'libnds[.]so.*(deleted)' "/proc/$p/maps" || n=$((n + 1))
	done
	echo "$n of $(workers | wc -w)"
}
loaded "another libnds0" "later-libnds0-$version+1.deb"
is "is installed" "$(inside dpkg-query -W -f '${Version}' libnds0)" "$version+1"
is "the application goes on with the one that it began with" \
    "$(old_library) in generation $(field .generation)" "2 of 2 in generation 1"
loaded "an upgrade" "later-no-downtime-service-$version+1.deb"
is "dpkg is content" "$(inside dpkg-query -W -f '${Status} ${Version}' \
    no-downtime-service)" "install ok installed $version+1"
is "ndsd was upgraded in place" "$(field '"\(.pid) \(.supervisor.upgrades)"')" \
    "$main 1"
is "is the new one" "$(readlink "/proc/$main/exe")" "$root/usr/sbin/ndsd"
is "and has started the workers anew, with the other libnds" \
    "$(old_library) in generation $(field .generation)" "0 of 2 in generation 2"
loaded "one to an ndsd that does not work" \
    "later-no-downtime-service-$version+2.deb"
like "says that the version before serves on" "$(<"$tmp/dpkg.log")" \
    'is no ndsd.*|the version before serves on'
is "which it does" "$(field '"\(.pid) \(.supervisor.upgrades)"')" "$main 1"
is "and dpkg is content" "$(inside dpkg-query -W -f '${Status}' \
    no-downtime-service)" "install ok installed"

# ---- away
echo APP_WORKERS=3 >>"$root/etc/no-downtime-service/nds.env"
inside dpkg -P no-downtime-service libnds0 >"$tmp/purge.log" 2>&1
ok "they are purged" test $? -eq 0
ok "what ran has ended" wait_end "$ndsd_pid" 10
is "a purge leaves nothing" "$(everything | diff "$tmp/before" - 2>&1)" ""
done_testing
