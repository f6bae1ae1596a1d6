#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Which directory may include which: base <- proto <- {ndsd, ndsctl, observer,
# helper <- lib}; the stock application and the examples stand on nds.h alone,
# as any user's program would; libfcgi is known to one file.

. "${srcdir:-.}/tests/lint/tap.sh" || exit 99

# includes DIR: "file:line:header" of each #include under DIR.
includes() {
	c=$(files "$1" -- '*.c' '*.h')
	[ -n "$c" ] || { echo "no sources under $1" && return 1; }
	# shellcheck disable=SC2086
	grep -nE '^[[:blank:]]*#[[:blank:]]*include' $c /dev/null |
	    sed -E 's/^([^:]*:[0-9]+:).*include[[:blank:]]*(.*)$/\1\2/'
}

# Quoted headers, and ours in angle brackets.
ours() {
	includes "$1" | grep -E ':("|<(base|proto|helper|lib|ndsd|ndsctl|responder|nds)[/.])'
}

# only DIR PREFIX...: DIR includes nothing of ours but from these directories.
only() {
	from=$1
	shift
	may=$(echo "$*" | tr ' ' '|')
	[ -n "$(includes "$from")" ] || return 1
	ours "$from" | grep -vE ":\"($may)/[a-z_]+\.(h|inc)\"" | sed 's/$/ points the wrong way/'
}

# public DIR: nothing of ours but nds.h and headers beside the file.
public() {
	[ -n "$(includes "$1")" ] || return 1
	ours "$1" | while IFS=: read -r file line header; do
		name=$(echo "$header" | tr -d '"<>')
		[ "$name" = nds.h ] && continue
		case $name in
		*/*) ;;
		*) [ -f "$(dirname "$file")/$name" ] && continue ;;
		esac
		echo "$file:$line: $header is not nds.h"
	done
}

libfcgi() {
	includes src | grep -E 'fcgi(app|_stdio|os|_config)?\.h|fastcgi\.h' |
	    grep -v '^src/lib/serve\.c:'
	grep -q 'fcgiapp\.h' src/lib/serve.c || echo "serve.c has no fcgiapp.h"
}

unknown() {
	for dir in src/*/; do
		case $dir in
		src/base/ | src/proto/ | src/helper/ | src/lib/ | src/ndsd/) ;;
		src/ndsctl/ | src/prove/ | src/responder/ | src/observer/) ;;
		*) echo "$dir is not in $0" ;;
		esac
	done
}

judge "base uses base alone" only src/base base
judge "proto uses base and proto" only src/proto base proto
judge "helper uses base, proto and helper" only src/helper base proto helper
judge "lib uses base, proto, helper and lib" only src/lib base proto helper lib
judge "ndsd uses base, proto and ndsd" only src/ndsd base proto ndsd
judge "ndsctl uses base, proto and ndsctl" only src/ndsctl base proto ndsctl
judge "observer uses base, proto and observer" only src/observer base proto observer
judge "prove uses base and prove" only src/prove base prove
judge "the responder uses nds.h" public src/responder
judge "the examples use nds.h" public examples
judge "libfcgi is included by serve.c alone" libfcgi
judge "every directory of src has its arrows" unknown
finish
