#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each header compiles alone and is guarded, nds.h in C++ too, and so do the
# programs that README.md and nds(3) show; each file says its licence first and
# what it is for next (a .c file leaves the latter to the header of its name).

. "${srcdir:-.}/tests/lint/tap.sh" || exit 99

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
flags="-std=c11 -D_GNU_SOURCE -Isrc -Isrc/lib -Itests -Wall -Wextra -Werror"
flags="$flags $(pkg-config --cflags jansson fcgi check 2>/dev/null)"

alone() {
	for h in $(files src examples bench tests -- '*.h'); do
		# shellcheck disable=SC2086
		printf '#include "%s"\n#include "%s"\n' "$h" "$h" |
		    ${CC:-cc} $flags -I. -fsyntax-only -x c - || echo "$h: see above"
	done
}

in_cxx() {
	# shellcheck disable=SC2046
	echo '#include "nds.h"' | ${CXX:-c++} -Isrc/lib -Wall -Wextra -Werror \
	    $(pkg-config --cflags jansson 2>/dev/null) -fsyntax-only -x c++ -
}

# The text after a line FROM and before the next line TO, in what FILE shows.
shown() { # FILE FROM TO
	awk -v from="$2" -v to="$3" '$0 == to { on = 0 } on
	    $0 == from { on = 1 }' "$1" | sed 's/\\e/\\/g'
}

programs() {
	shown README.md '```c' '```' >"$tmp/readme.c"
	shown man/nds.3 '.Bd -literal -offset indent' .Ed |
	    sed '/^}/,$ { /^\$/,$d; }' >"$tmp/manual.c"
	for c in "$tmp/readme.c" "$tmp/manual.c"; do
		grep -q 'nds_run(' "$c" || echo "$c: no program was found"
		# shellcheck disable=SC2086
		${CC:-cc} $flags -Wno-unused-parameter -fsyntax-only "$c"
	done
}

all_files() {
	c_files
	shell_files
	files man -- '*.[1-9]'
	files lighttpd nginx -- '*.conf'
	ls Makefile.am configure.ac
}

licence() {
	for f in $(all_files | sort -u); do
		head -n 2 "$f" | grep -q 'SPDX-License-Identifier: MIT' ||
		    echo "$f: no SPDX line at its top"
	done
}

opening() {
	for f in $(c_files); do
		case $f in
		*.c) [ -f "${f%.c}.h" ] && continue ;;
		esac
		sed -n 2p "$f" | grep -q '^/\*' || echo "$f: no opening comment"
	done
	for f in $(shell_files | sort -u); do
		sed -n '2,5p' "$f" | grep -v SPDX | grep -q '^# [A-Za-z]' ||
		    echo "$f: no opening comment"
	done
}

if have "${CC:-cc}"; then
	judge "each header compiles alone, and twice" alone
	judge "the programs in README.md and nds(3) compile" programs
else
	skip "each header compiles alone, and twice" "no C compiler by that name"
fi
if have "${CXX:-c++}"; then
	judge "nds.h compiles as C++" in_cxx
else
	skip "nds.h compiles as C++" "no C++ compiler"
fi
judge "each file names its licence" licence
judge "each file says what it is for" opening
finish
