#compdef ndsctl ndsd nds-prove nds-shutdown
# SPDX-License-Identifier: MIT
# Completion of the programs of no-downtime-service for zsh.

_nds_verbs() {
	local -a verbs=(
		'status:show workers, queue and counters'
		'reload:read the settings again, start the program anew'
		'upgrade:let a new ndsd binary take over'
		'drain:turn unready, so that traffic goes elsewhere'
		'undrain:end a drain'
		'stop:drain and stop'
		'scale:have so many workers'
		'top:watch workers, requests and events'
		'requests:show the requests under way'
		'logs:show the last lines of the log'
		'probe:ask a probe on the health socket'
		'version:print the versions of ndsctl and ndsd'
		'help:print the help'
	)
	_describe verb verbs
}

_nds_argument() {
	case $words[1] in
	status | requests) _arguments '--json[as JSON]' '(-h --help)'{-h,--help}'[help]' ;;
	top) _arguments '--once[in plain lines]' \
	    '(-h --help)'{-h,--help}'[help]' ;;
	logs) _arguments '-f[go on with what comes]' \
	    '--level[from that level on]:level:(debug info warn error)' \
	    '--request[of that request]:id:' '--trace[of that trace]:id:' \
	    '(-h --help)'{-h,--help}'[help]' ;;
	drain) _arguments '--wait[until it is done]' \
	    '(-h --help)'{-h,--help}'[help]' ;;
	probe) _arguments '1:probe:(live ready startup)' \
	    '(-h --help)'{-h,--help}'[help]' ;;
	help) _nds_verbs ;;
	scale) _message 'number of workers' ;;
	*) _arguments '(-h --help)'{-h,--help}'[help]' ;;
	esac
}

case $service in
ndsctl)
	_arguments '-d[runtime directory]:directory:_files -/' \
	    '(-h --help)'{-h,--help}'[help]' '--version[print the version]' \
	    '1:verb:_nds_verbs' '*::argument:_nds_argument'
	;;
ndsd)
	_arguments '-f[settings]:file:_files' '-t[check the settings]' \
	    '-T[check the settings and print them]' \
	    '--front=[run a front too]:front:(lighttpd none)' \
	    '(-h --help)'{-h,--help}'[help]' \
	    '(-V --version)'{-V,--version}'[print the version]' \
	    '--:program:_command_names -e' '*::argument:_normal'
	;;
nds-prove)
	_arguments '(-c --clients)'{-c,--clients}'[clients at once]:number:' \
	    '--new[a new connection for each request]' \
	    '--rate[requests a second]:number:' \
	    '(-d --duration)'{-d,--duration}'[how long]:time:' \
	    '(-n --count)'{-n,--count}'[how many requests]:number:' \
	    '(-X --request)'{-X,--request}'[method]:method:(GET HEAD POST PUT DELETE OPTIONS PATCH)' \
	    '*'{-H,--header}'[header]:header:' '--data[body]:text:' \
	    '--data-file[body]:file:_files' \
	    '(-k --insecure)'{-k,--insecure}'[take any certificate]' \
	    '--timeout[no whole answer within]:time:' \
	    '--ok-status[good statuses]:list:' \
	    '--hash[SHA-256 of each body]:hash:' \
	    '--expect-hash-of-first[each body as the first]' \
	    '--ids[each answer carries the id of its request]' \
	    '--during[command under the load]:command:' \
	    '--every[run it again and again]:time:' \
	    '--lead[the quiet before it]:time:' '--json[summary as JSON]' \
	    '--html[page with the timeline]:file:_files' \
	    '--each[a line for each request]:file:_files' \
	    '(-h --help)'{-h,--help}'[help]' '--version[print the version]' \
	    '1:URL:_urls'
	;;
nds-shutdown)
	_arguments '-d[runtime directory]:directory:_files -/' \
	    '-t[give up after]:time:' '-n[drain only]' \
	    '--after-front[wait until the front is gone]' \
	    '--sidecar[wait for SIGTERM first]' '-h[help]' '-V[version]'
	;;
esac
