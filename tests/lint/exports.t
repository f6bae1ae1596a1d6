#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Three lists that must be one: what libnds exports, what nds.h declares and
# what section 3 of the manual names.

. "${srcdir:-.}/tests/lint/tap.sh" || exit 99

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
library=$builddir/.libs/libnds.so

# Comments out, then every name before a parenthesis.
sed -e 's|/\*.*\*/||' src/lib/nds.h | awk '
    /\/\*/ { comment = 1 }
    !comment && !/^#|__attribute__/ { print }
    !comment && /__attribute__/ { sub(/__attribute__.*/, ""); print }
    /\*\// { comment = 0 }' | grep -oE 'nds_[a-z0-9_]+\(' | tr -d '(' |
    sort -u >"$tmp/declared"
awk '/^\.Sh/ { name = $2 == "NAME" }
    name && $1 == ".Nm" && $2 ~ /^nds_/ { print $2 }' man/nds_*.3 |
    sort >"$tmp/manual"

# same LIST LIST: what stands in one of the two alone.
same() {
	[ -s "$tmp/$1" ] || echo "the list of what is $1 is empty"
	comm -23 "$tmp/$1" "$tmp/$2" | sed "s/\$/: $1, not $2/"
	comm -13 "$tmp/$1" "$tmp/$2" | sed "s/\$/: $2, not $1/"
}

if ! have nm; then
	skip "exported = declared" "no nm"
elif [ ! -e "$library" ]; then
	skip "exported = declared" "no shared libnds was built here"
else
	nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' |
	    sed 's/@.*//' | sort -u >"$tmp/exported"
	judge "exported = declared" same exported declared
fi
judge "declared = manual" same declared manual
finish
