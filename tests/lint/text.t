#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Text as people meet it: no trailing blanks, KNF's indentation, 80 columns,
# a README that fits its 150 lines and names what there is, and no test that
# sleeps.  A line that must let the product's own time pass says so:
# `# the product's time`.

. "${srcdir:-.}/tests/lint/tap.sh" || exit 99

texts() {
	{
		c_files
		shell_files
		files man -- '*.[1-9]'
		files lighttpd nginx -- '*.conf'
		files tests -- '*.py' '*.awk'
		ls ./*.md docs/*.md Makefile.am configure.ac
	} | sort -u
}

blanks() {
	texts | xargs awk '/[[:blank:]]$/ { print FILENAME ":" FNR }'
}

last_newline() {
	for f in $(texts); do
		[ -z "$(tail -c 1 "$f")" ] || echo "$f: its last line has no end"
	done
}

# Tabs, then fewer than 8 blanks.  Without a tab: 4 blanks continue a line, 1
# stands before a comment's star.
indent() {
	c_files | xargs awk '
	    /^\t* +\t/ || /^\t*        / || (/^ / && !/^    [^ ]/ && !/^ \*/) {
		print FILENAME ":" FNR ": blanks for tabs" }'
}

# A tab goes to the next eighth column; UTF-8 counts by characters.
columns() {
	for f in $(c_files); do
		expand "$f" | LC_ALL=C.UTF-8 sed -n '/^.\{81,\}$/=' |
		    sed "s|.*|$f:&: more than 80 columns|"
	done
}

readme() {
	lines=$(wc -l <README.md)
	[ "$lines" -gt 0 ] && [ "$lines" -le 150 ] || echo "README.md: $lines lines"
}

documents() {
	ls README.md CONTRIBUTING.md docs/*.md k8s/README.md
}

# Paths of tests, sources and pages, and the targets of links.
named() {
	for doc in $(documents); do
		{
			grep -oE '(tests|src|man)/[a-z0-9_/-]+\.[a-z0-9]+' "$doc" |
			    grep -v '\.log$'
			grep -oE '\]\([^):#]+[):#]' "$doc" | grep -v ':$' |
			    tr -d ']()#' | sed "s|^|$(dirname "$doc")/|"
		} | sort -u | while read -r path; do
			[ -e "$path" ] || echo "$doc: $path does not exist"
		done
	done
}

# A link to a heading: in small letters, hyphens for blanks, no other signs.
headings() {
	for doc in $(documents); do
		grep -oE '\]\([^):]*#[^)]+\)' "$doc" | tr -d ']()' |
		    while IFS='#' read -r file heading; do
			sed -n 's/^##* //p' "$(dirname "$doc")/${file:-${doc##*/}}" |
			    tr '[:upper:] ' '[:lower:]-' | tr -cd '[:alnum:]_\n-' |
			    grep -qxF -- "$heading" ||
			    echo "$doc: no heading $heading in ${file:-$doc}"
		done
	done
}

# What the guides reckon, such as `200 × 0.050 = 10`, to half of a unit.
arithmetic() {
	number='[0-9]+(\.[0-9]+)?'
	sums=$(grep -ohE \
	    "\(?$number( (×|÷|\+|−) $number\)?)+ (=|is) $number" docs/*.md)
	[ "$(echo "$sums" | wc -l)" -ge 6 ] || echo "only: $sums"
	echo "$sums" | sed 's/×/*/g; s|÷|/|g; s/−/-/g; s/ is / = /' |
	    while IFS='=' read -r left right; do
		awk "BEGIN { off = ($left) - ($right); exit off^2 > 0.25 }" ||
		    echo "$left is not $right"
	done
}

# Settings, metrics and functions, verbs: `WORD file` where it must stand.
# CONTRIBUTING.md has stand-ins.
spoken() {
	sed 's/nds_[a-z]*[.(][0-9]//g' README.md docs/*.md >"$text"
	grep -oE 'APP_[A-Z_]*[A-Z]' "$text" | sed 's|$| man/nds-settings.5|'
	grep -oE 'nds_[a-z_]+[a-z]' "$text" |
	    sed -E 's/(_duration_seconds)_bucket$/\1/; s|$| src|'
	grep -oE 'ndsctl (-d [A-Za-z/_$"]+ )?[a-z]+' "$text" |
	    sed -E 's/.* /Cm /; s|$| man/ndsctl.1|'
}

spoken_exist() {
	text=$(mktemp) || return 1
	spoken | sort -u | while read -r words; do
		grep -rqwF -- "${words% *}" "${words##* }" ||
		    echo "${words% *} is not in ${words##* }"
	done
	rm "$text"
}

sleeps() {
	tests=$(files tests -- '*.t' '*.sh' '*.c' '*.py')
	[ -n "$tests" ] || return 1
	word='(^|[;&|({`]|then|do|else|time\.|exec)[[:blank:]]*sleep[[:blank:](]'
	call='(^|[^a-z_])(sleep|usleep|nanosleep|clock_nanosleep)[[:blank:]]*\('
	# shellcheck disable=SC2086
	! grep -nE "$word|$call" $tests /dev/null | grep -v "the product's time" |
	    grep -v '^tests/lint/text\.t:'
}

judge "no trailing blanks" blanks
judge "every file ends with a newline" last_newline
judge "C is indented by tabs" indent
judge "C lines have at most 80 columns" columns
judge "README.md has at most 150 lines" readme
judge "what the documents name exists" named
judge "and so do the headings that they lead to" headings
judge "what they reckon is right" arithmetic
judge "settings, metrics and verbs that they name exist" spoken_exist
judge "no test sleeps" sleeps
finish
