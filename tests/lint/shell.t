#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Scripts are clean under shellcheck, and those that say #!/bin/sh are POSIX:
# dash and busybox must be able to read them.  Left out: what shellcheck says
# of functions that are called by name (SC2317) or without arguments (SC2119).

. "${srcdir:-.}/tests/lint/tap.sh" || exit 99

scripts=$(shell_files | sort -u)
posix=$(for f in $scripts; do
	head -n 1 "$f" | grep -Eq '^#!.*[/ ]sh$|shell=sh$' && echo "$f"
done)

# each COMMAND...: run it on every POSIX script.
each() {
	[ -n "$posix" ] || return 1
	for f in $posix; do
		"$@" "$f"
	done
}

checked() {
	[ -n "$scripts" ] || return 1
	# shellcheck disable=SC2086
	nice shellcheck -x -P SCRIPTDIR -e SC1091,SC2119,SC2120,SC2317 -f gcc $scripts
}

executable() {
	for f in $scripts; do
		case $f in
		*.sh | *.in) continue ;;
		esac
		[ -x "$f" ] || echo "$f is not executable"
	done
}

if have shellcheck; then
	judge "shellcheck" checked
else
	skip "shellcheck" "not installed"
fi
if have dash; then
	judge "dash reads the POSIX scripts" each dash -n
else
	skip "dash reads the POSIX scripts" "not installed"
fi
if have busybox; then
	judge "busybox sh reads the POSIX scripts" each busybox sh -n
else
	skip "busybox sh reads the POSIX scripts" "not installed"
fi
judge "scripts are executable" executable
finish
