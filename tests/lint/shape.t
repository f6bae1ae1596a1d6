#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The tail of the distribution stays short: functions of at most 60 lines and
# 5 parameters, nested at most 3 deep, in files of at most 500 lines.  KNF
# makes C simple to read: a function's name, its `{` and its `}` stand at
# column 0, and a block statement is as deep as its tabs.

. "${srcdir:-.}/tests/lint/tap.sh" || exit 99

# measure: a line "kind file:line name value" for each thing that has a size.
measure() {
	# shellcheck disable=SC2016
	c_files | xargs awk '
	function parameters(text,    i, c, depth, commas) {
		sub(/^[^(]*\(/, "", text)
		for (i = 1; i <= length(text); i++) {
			c = substr(text, i, 1)
			depth += (c == "(") - (c == ")")
			if (depth < 0)
				break
			commas += c == "," && depth == 0
		}
		return commas + 1
	}
	FNR == 1 { name = ""; body = 0 }
	{ at = FILENAME ":" FNR; last[FILENAME] = FNR }
	!body && /^[A-Za-z_][A-Za-z0-9_]*\(/ {
		name = $0
		sub(/\(.*/, "", name)
		head = ""
	}
	!body && name != "" { head = head $0 }
	!body && name != "" && /;[[:blank:]]*$/ { name = "" }
	/^{/ {
		body = FNR
		if (name == "")
			print "stray", at, "?", 1
		else
			print "parameters", at, name, parameters(head)
	}
	body && /^\t+(} )?(if|for|while|switch|do|else)([ (]|$)/ {
		match($0, /^\t+/)
		print "nesting", at, name == "" ? "?" : name, RLENGTH
	}
	/^}/ && body {
		print "lines", FILENAME ":" body, name == "" ? "?" : name,
		    FNR - body + 1
		body = 0
		name = ""
	}
	END { for (f in last) print "file", f ":1", "-", last[f] }'
}

# over KIND LIMIT: what is larger.
over() {
	[ -n "$sizes" ] || return 1
	echo "$sizes" | awk -v kind="$1" -v limit="$2" '
	    $1 == kind && $4 > limit {
		print $2 ": " $3 ": " $1 " " $4 ", at most " limit }'
}

scripts_over() {
	for f in $(shell_files | sort -u); do
		lines=$(wc -l <"$f")
		[ "$lines" -le "$1" ] || echo "$f: $lines lines"
	done
}

sizes=$(measure)
judge "functions have at most 60 lines" over lines 60
judge "functions have at most 5 parameters" over parameters 5
judge "statements nest at most 3 deep" over nesting 3
judge "function names stand at column 0" over stray 0
judge "C files have at most 500 lines" over file 500
judge "scripts have at most 500 lines" scripts_over 500
echo "$sizes" | awk '$1 == "lines" { print $4 }' | sort -n | awk '
    { n[NR] = $1 }
    END { if (NR) printf "# %d functions, lines: median %d, p90 %d, max %d\n",
	NR, n[int((NR + 1) / 2)], n[int(NR * 0.9 + 0.5)], n[NR] }'
finish
