#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The shells complete what the programs have: every verb and option of their
# help and no other, in each of the three files; the shells can read them, and
# those that can be asked without a terminal offer the right words.

. "${srcdir:-.}/tests/lint/tap.sh" || exit 99

# help PROGRAM
help() {
	case $1 in
	nds-shutdown) sh scripts/nds-shutdown --help ;;
	*) "$builddir/$1" --help ;;
	esac 2>&1 | grep -v '  APP_'
}

has() { # PROGRAM: its options and verbs, with their dashes, one a line
	help "$1" | grep -vE '^  [a-z]' |
	    grep -oE '(^|[[ ,|	])--?[a-zA-Z][a-z-]*' | tr -d '[ ,|	'
	[ "$1" != ndsctl ] || {
		help ndsctl | sed -nE 's/^  ([a-z]+)( .*)?$/\1/p'
		printf '%s\n' --json --wait --once -f --level --request --trace
	}
}

# Of the lines that are a program's.
in_bash() {
	case $1 in
	ndsctl) function=_nds_ctl ;;
	ndsd) function=_nds_d ;;
	nds-prove) function=_nds_prove ;;
	*) sed -n 's/.*nds-shutdown:\*) _nds_words//p' completion/nds.bash |
	    words && return ;;
	esac
	sed -n "/^$function()/,/^}/p" completion/nds.bash | grep -v compgen |
	    words
}

words() {
	tr -s " ')\t;" '\n' | sed 's/=.*//' |
	    grep -xE -e '--?[a-zA-Z][a-z-]*|status|reload|upgrade|(un)?drain|stop|scale|top|requests|logs|probe|version|help'
}

in_zsh() {
	{
		sed -n "/^$1)\$/,/;;/p" completion/nds.zsh
		[ "$1" != ndsctl ] ||
		    sed -n '/^_nds_verbs/,/^case .service/p' completion/nds.zsh
	} | grep -oE "(['{,])--?[a-zA-Z][a-z-]*|'[a-z]+:[a-z]" |
	    sed -E "s/^['{,]//; s/:.\$//"
}

in_fish() {
	grep -A 1 "^complete -c $1 " completion/nds.fish | grep -v '^--$' |
	    sed -nE -e "s/.* -s ([a-zA-Z])( .*)?\$/-\1/p"
	grep "^complete -c $1 " completion/nds.fish |
	    sed -nE -e 's/.* -l ([a-z-]+).*/--\1/p' \
		-e 's/.* .first -a ([a-z]+) .*/\1/p'
}

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

compare() { # SHELL PROGRAM
	has "$2" | sort -u >"$tmp/has"
	"in_$1" "$2" | sort -u >"$tmp/knows"
	[ -s "$tmp/has" ] || echo "$2 has nothing"
	diff "$tmp/has" "$tmp/knows" | sed -n \
	    -e 's/^< \(.*\)/\1: not completed/p' \
	    -e 's/^> \(.*\)/\1: completed, but not there/p'
}

# offers LINE: what bash offers behind it, in one line.
offers() {
	bash -c '. completion/nds.bash
		read -ra COMP_WORDS <<<"$1"
		[ "${1% }" = "$1" ] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_nds "${COMP_WORDS[0]}"
		echo "${COMPREPLY[*]}"' - "$1"
}

expect() { # GOT WANT
	[ "$1" = "$2" ] || echo "got '$1', want '$2'"
}

for program in ndsctl ndsd nds-prove nds-shutdown; do
	[ "$program" = nds-shutdown ] || [ -x "$builddir/$program" ] || {
		skip "completion of $program" "it was not built here"
		continue
	}
	for shell in bash zsh fish; do
		judge "$shell knows all of $program" compare "$shell" "$program"
	done
done
judge "bash completes a verb" expect "$(offers 'ndsctl -d /run rel')" reload
judge "and what is behind it" expect "$(offers 'ndsctl probe ')" \
    'live ready startup -h --help'
judge "and an option" expect "$(offers 'ndsd --fr')" \
    '--front=lighttpd --front=none'
if have zsh; then
	judge "zsh reads its file" zsh -n completion/nds.zsh
else
	skip "zsh reads its file" "not installed"
fi
if have fish; then
	judge "fish completes" expect "$(HOME=$tmp fish --no-config -c \
	    'source completion/nds.fish; complete -C "ndsctl probe r"' \
	    2>/dev/null)" ready
else
	skip "fish completes" "not installed"
fi
finish
