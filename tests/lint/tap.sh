# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# What the lint tests share: they look at the source tree, from its top, and
# speak TAP.  A check is a command that prints its findings; silence and exit
# status 0 together are the only "ok", so that a check which could not run
# fails.  By hand: srcdir=. builddir=/where/you/built sh tests/lint/arrows.t

number=0
builddir=$(cd "${builddir:-.}" && pwd) || exit 99
cd "${srcdir:-.}" || exit 99

# judge NAME COMMAND [ARG...]
judge() {
	name=$1
	shift
	number=$((number + 1))
	if findings=$("$@" 2>&1) && [ -z "$findings" ]; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		printf '%s\n' "${findings:-$* failed}" | sed 's/^/#   /'
	fi
}

# skip NAME REASON
skip() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

finish() {
	echo "1..$number"
}

have() {
	command -v "$1" >/dev/null 2>&1
}

# files DIR... -- PATTERN...: the files of these directories (those that
# exist) whose names match one of the patterns, sorted.
files() {
	dirs=
	while [ "$1" != -- ]; do
		[ -d "$1" ] && dirs="$dirs $1"
		shift
	done
	shift
	[ -n "$dirs" ] || return 0
	for pattern; do
		# shellcheck disable=SC2086
		find $dirs -type f -name "$pattern"
	done | sort
}

c_files() {
	files src examples bench tests -- '*.c' '*.h'
}

# Scripts are told by their first line: those that start with #! and a shell.
shell_files() {
	for f in $(files scripts bench tests .ci examples -- '*') quickstart; do
		case $f in
		*.[cho] | *.l[ao] | *.log | *.trs) continue ;;
		esac
		[ -f "$f" ] && head -n 1 "$f" | tr -d '\0' |
		    grep -Eq '^#!.*[/ ](sh|bash)$' && echo "$f"
	done
	files tests -- '*.sh'
}
