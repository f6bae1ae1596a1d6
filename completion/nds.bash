# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Completion of the programs of no-downtime-service for bash.

_nds_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_nds_ctl() {
	local i verb=
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-d) i=$((i + 1)) ;;
		-*) ;;
		*) verb=${COMP_WORDS[i]} && break ;;
		esac
	done
	case $verb in
	'') _nds_words 'status reload upgrade drain undrain stop scale top
	    requests logs probe version help -d -h --help --version' ;;
	status | requests) _nds_words '--json -h --help' ;;
	top) _nds_words '--once -h --help' ;;
	logs) _nds_words '-f --level --request --trace -h --help' ;;
	drain) _nds_words '--wait -h --help' ;;
	probe) _nds_words 'live ready startup -h --help' ;;
	help) _nds_words 'status reload upgrade drain undrain stop scale top
	    requests logs probe version' ;;
	*) _nds_words '-h --help' ;;
	esac
}

_nds_d() {
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		[ "${COMP_WORDS[i]}" != -- ] || {
			mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
			return
		}
	done
	_nds_words '-t -T -f --front=lighttpd --front=none -h --help -V
	    --version --'
}

_nds_prove() {
	_nds_words '-c --clients --new --rate -d --duration -n --count
	    -X --request -H --header --data --data-file -k --insecure --timeout
	    --ok-status --hash --expect-hash-of-first --ids --during --every
	    --lead --json --html --each -h --help --version'
}

_nds() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	case ${1##*/}:$prev in
	ndsctl:-d | nds-shutdown:-d)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	ndsd:-f | nds-prove:--data-file | nds-prove:--html | nds-prove:--each)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	nds-prove:-X | nds-prove:--request)
		_nds_words 'GET HEAD POST PUT DELETE OPTIONS PATCH'
		;;
	ndsctl:*) _nds_ctl ;;
	ndsd:*) _nds_d ;;
	nds-prove:*) _nds_prove ;;
	nds-shutdown:*) _nds_words '-d -t -n --after-front --sidecar -h -V' ;;
	esac
}
complete -F _nds ndsctl ndsd nds-prove nds-shutdown
