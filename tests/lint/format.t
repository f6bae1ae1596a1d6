#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Spacing inside statements is what clang-format makes of it with this tree's
# .clang-format.  Line breaks and the columns of trailing comments are the
# writer's: both sides are compared with one statement a line and single
# blanks.

. "${srcdir:-.}/tests/lint/tap.sh" || exit 99

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

# One statement a line: where a line was broken does not show.  The last line
# takes away what clang-format is alone with: a blank between a cast and a
# string, and before the name in `} *name;`.
flat() {
	sed 's/[[:blank:]]*\\$//' | tr -s ' \t\n' ' ' |
	    sed -e 's/\([([{]\) /\1/g' -e 's/ \([])}]\)/\1/g' \
		-e 's/\([;{}]\) */\1\n/g' -e 's|\*/ *|*/\n|g' |
	    sed -e 's/) "/)"/g' -e 's/^\* \([a-z_]*;\)/*\1/' \
		-e 's/" "/""/g'
}

spacing() {
	sources=$(c_files)
	[ -n "$sources" ] || return 1
	for f in $sources; do
		nice clang-format --style=file "$f" | flat >"$tmp/formatted"
		flat <"$f" | diff "$tmp/formatted" - | sed -n "s|^[<>]|$f: &|p"
	done
}

if have clang-format; then
	judge "spacing is as .clang-format says" spacing
else
	skip "spacing is as .clang-format says" "no clang-format"
fi
finish
