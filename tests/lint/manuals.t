#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The manual pages are well-formed and say what the programs say: each
# setting with its default, each verb, option, signal and exit status, in both
# directions where a program can be asked.

. "${srcdir:-.}/tests/lint/tap.sh" || exit 99

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

well_formed() {
	for page in man/*.[1-9]; do
		mandoc -Tlint -Wwarning "$page"
	done
	ls man/*.3 man/ndsd.8 >/dev/null
}

# section PAGE NAME: its lines.
section() {
	awk -v name="$2" '/^\.Sh/ { on = $0 == ".Sh " name; next } on' "$1"
}

# both WHAT: $tmp/program and $tmp/manual hold the same lines.
both() {
	[ -s "$tmp/program" ] || echo "the program names no $1"
	sort -u "$tmp/program" -o "$tmp/program"
	sort -u "$tmp/manual" -o "$tmp/manual"
	diff "$tmp/program" "$tmp/manual" | sed -n \
	    -e 's/^< \(.*\)/\1: of the program, not of the manual/p' \
	    -e 's/^> \(.*\)/\1: of the manual, not of the program/p'
}

# "KEY=default"; the help writes - for an empty one.
settings() {
	"$builddir/ndsd" --help 2>&1 | awk -F '  +' '$2 ~ /^APP_/ {
		print $2 "=" ($3 == "-" ? "" : $3) }' >"$tmp/program"
	sed -n 's/^\.It Ev \(APP_[A-Z_]*\) No =/\1=/p' man/nds-settings.5 |
	    sed 's/= Li "*\([^"]*\)"*$/=\1/' >"$tmp/manual"
	both settings
}

# options PAGE COMMAND...: those of its help and those of its list.
options() {
	page=$1
	shift
	"$@" 2>&1 | grep -vE '^  (APP_|[a-z])' |
	    grep -oE '(^|[[ ,|	])--?[a-zA-Z][a-z-]*' | tr -d '[ ,|	' \
	    >"$tmp/program"
	awk '$1 == ".It" && $2 == "Fl"' "$page" |
	    grep -oE 'Fl -?[a-zA-Z][a-z-]*' | sed 's/^Fl /-/' >"$tmp/manual"
	both options
}

verbs() {
	"$builddir/ndsctl" help 2>&1 |
	    sed -nE 's/^  ?(ndsctl )?([a-z]+)( .*)?$/\2/p' >"$tmp/program"
	sed -nE 's/^\.It Cm ([a-z]+).*/\1/p' man/ndsctl.1 >"$tmp/manual"
	both verbs
}

# What the main process passes on to the supervisor, as its table says.
signals() {
	sed -n '/forwarded\[\] = {/,/}/p' src/ndsd/keeper.c |
	    grep -oE 'SIG[A-Z0-9]+' | sed 's/SIG//' >"$tmp/program"
	section man/ndsd.8 SIGNALS | sed -n 's/^\.It Dv //p' | tr -d , |
	    tr -s ' ' '\n' >"$tmp/manual"
	both signals
}

statuses() {
	sed -nE 's/.*EXIT_[A-Z_]+ = ([0-9]+).*/\1/p' src/proto/exit.h \
	    >"$tmp/program"
	for page in man/ndsd.8 man/ndsctl.1; do
		section "$page" "EXIT STATUS" | sed -n 's/^\.It //p'
	done >"$tmp/manual"
	both statuses
}

pages() {
	names=$(sed -nE 's/^(dist_)?s?bin_(PROGRAMS|SCRIPTS) *\+?= *//p' Makefile.am)
	[ -n "$names" ] || return 1
	for name in $names; do
		name=$(basename "$name")
		ls "man/$name".[18] >/dev/null 2>&1 || echo "$name has no page"
	done
}

# asked NAME PROGRAM COMMAND...
asked() {
	asked=$1
	program=$2
	shift 2
	if [ -x "$builddir/$program" ]; then
		judge "$asked" "$@"
	else
		skip "$asked" "$program was not built here"
	fi
}

if have mandoc; then
	judge "mandoc finds nothing" well_formed
else
	skip "mandoc finds nothing" "no mandoc"
fi
asked "settings and defaults are those of ndsd" ndsd settings
asked "options are those of ndsd" ndsd \
    options man/ndsd.8 "$builddir/ndsd" --help
asked "options are those of ndsctl" ndsctl \
    options man/ndsctl.1 "$builddir/ndsctl" --help
asked "options are those of nds-prove" nds-prove \
    options man/nds-prove.1 "$builddir/nds-prove" --help
judge "options are those of nds-shutdown" \
    options man/nds-shutdown.8 sh scripts/nds-shutdown --help
asked "verbs are those of ndsctl" ndsctl verbs
judge "signals are those of ndsd" signals
judge "exit statuses are those of exit.h" statuses
judge "each program has its page" pages
finish
