# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: MIT
#
# What the end-to-end tests share: TAP, a directory of their own, ndsd and the
# fronts from the build tree, waiting without sleeping, and the end of every
# process that a test began.  Each test stands alone, runs beside the others,
# as root or not, and leaves nothing behind.  By hand:
#	srcdir=. builddir=/where/you/built bash tests/e2e/start.t

set -u
srcdir=$(cd "${srcdir:-.}" && pwd) || exit 99
builddir=$(cd "${builddir:-.}" && pwd) || exit 99
name=$(basename "$0" .t)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/nds-$name.XXXXXX") || exit 99
chmod 755 "$tmp"
run=$tmp/run
mkdir "$run"
PATH=$PATH:/usr/sbin:/sbin

# Settings of whoever runs the tests are not ours.
for key in $(compgen -e APP_) $(compgen -e NDS_); do
	case $key in
	NDS_TEST_*) ;;
	*) unset "$key" ;;
	esac
done

# The programs themselves where libtool has put a wrapper before them: a shell
# script is no child that a test of pids and descriptors wants.
program() {
	if [ -x "$builddir/.libs/$1" ]; then
		echo "$builddir/.libs/$1"
	else
		echo "$builddir/$1"
	fi
}
ndsd=$(program ndsd)
ndsctl=$(program ndsctl)
responder=$(program nds-responder)
peer() { "$(program tests/peer/fcgi-peer)" "$@"; }
export LD_LIBRARY_PATH=$builddir/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export APP_RUNTIME_DIR=$run APP_WORKERS=2 APP_DIAGNOSTIC_ROUTES=on
export APP_DRAIN_MIN=0 APP_DRAIN_QUIET=100ms APP_DRAIN_MAX=1
export APP_FRONT_CONFIG=$srcdir/lighttpd/lighttpd.conf
app=$run/app.sock
health=$run/health.sock

# Sanitizers and loaded machines are slow: every bound is so many times as long.
scale=${NDS_TEST_SCALE:-2}
sanitize=
if grep -qa __asan_init "$ndsd" 2>/dev/null; then
	sanitize=-fsanitize=address,undefined
	scale=$((scale * 3))
	mkdir -m 1777 "$tmp/sanitizers"
	export ASAN_OPTIONS=log_path=$tmp/sanitizers/found
	export UBSAN_OPTIONS=log_path=$tmp/sanitizers/found:print_stacktrace=1
fi

# ---- TAP -------------------------------------------------------------------
tests=0
failures=0

diag() {
	local line
	while IFS= read -r line; do
		echo "# $line"
	done < <(LC_ALL=C tr -c '[:print:]\t\n' '?' <<<"$*")
}

# What the logs have said since they were last shown.
declare -A shown
logs_show() {
	local log from
	for log in "$tmp"/*.log; do
		[ -s "$log" ] || continue
		from=${shown[$log]:-0}
		shown[$log]=$(stat -c %s "$log")
		[ "${shown[$log]}" -gt "$from" ] || continue
		diag "---- ${log##*/}"
		diag "$(tail -c +$((from + 1)) "$log" | tail -n 15 | cut -c1-300)"
	done
}

pass() {
	tests=$((tests + 1))
	echo "ok $tests - $1"
}

fail() {
	tests=$((tests + 1))
	failures=$((failures + 1))
	echo "not ok $tests - $1"
	shift
	[ $# -eq 0 ] || diag "$*"
	logs_show
}

skip() {
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

# The tap-driver takes the plan for the word; a status of 77 it calls an error.
skip_all() {
	echo "1..0 # SKIP $1"
	skipped=1
	exit 0
}

# ok SENTENCE COMMAND...
ok() {
	local sentence=$1
	shift
	if "$@" >"$tmp/said" 2>&1; then
		pass "$sentence"
	else
		fail "$sentence" "failed: $*"$'\n'"$(head -n 5 "$tmp/said")"
	fi
}

# is SENTENCE GOT WANT
is() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "got '$2', want '$3'"
	fi
}

# like SENTENCE TEXT EXTENDED-REGEX;  unlike: the reverse
like() {
	if grep -Eqi -e "$3" <<<"$2"; then
		pass "$1"
	else
		fail "$1" "got '$2', want /$3/"
	fi
}

unlike() {
	if grep -Eqi -e "$3" <<<"$2"; then
		fail "$1" "got '$2', did not want /$3/"
	else
		pass "$1"
	fi
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip_all "no $tool here"
	done
}

# ---- waiting ---------------------------------------------------------------
# A read from a fifo that nobody writes: a bounded wait that starts no process.
mkfifo "$tmp/never"
exec {nap_fd}<>"$tmp/never"

now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# wait_until SECONDS COMMAND...: try until it succeeds. 1 at the deadline.
wait_until() {
	local end=$(($(now_ms) + $1 * scale * 1000)) word
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		read -r -t 0.02 -u "$nap_fd" word
	done
	return 0
}

not() { ! "$@"; }
gone() { ! kill -0 "$1" 2>/dev/null; }

# wait_end PID SECONDS: reap it; sets $rc (-1: still there).
wait_end() {
	rc=-1
	wait_until "$2" gone "$1" || return 1
	wait "$1" 2>/dev/null
	rc=$?
}

# ---- processes -------------------------------------------------------------
pids=()

# spawn LOG COMMAND...: in the background with none of our descriptors;
# sets $pid.
spawn() {
	local log=$1
	shift
	"$@" >>"$tmp/$log.log" 2>&1 </dev/null {nap_fd}>&- &
	pid=$!
	pids+=("$pid")
}

# Whoever carries our directory in the environment is ours, orphans included.
ours() {
	local p found=()
	while IFS=/ read -r _ _ p _; do
		[ "$p" = $$ ] || grep -qs "^State:.Z" "/proc/$p/status" ||
		    found+=("$p")
	done < <(env -i grep -lzs "^APP_RUNTIME_DIR=$run" /proc/[0-9]*/environ)
	[ "$EUID" = 0 ] || for p in $(ours_hidden); do
		[[ " ${found[*]} " = *" $p "* ]] || found+=("$p")
	done
	[ "${#found[@]}" = 0 ] || printf '%s\n' "${found[@]}"
}

# An ndsd shows its environment to root alone: those below what we started.
ours_hidden() {
	awk -v started="${pids[*]}" '
	    /^Name:/ { ndsd = $2 ~ /^ndsd/ } /^State:/ { dead = $2 == "Z" }
	    /^Pid:/ { pid = $2 } /^PPid:/ && ndsd && !dead { above[pid] = $2 }
	    END {
		for (n = split(started, s); n > 0; n--)
			found[s[n]]
		do {
			grown = 0
			for (p in above)
				if (!(p in mine) && (p in found || above[p] in found)) {
					mine[p]
					found[p]
					grown = 1
				}
		} while (grown)
		for (p in mine)
			print p
	    }' /proc/[0-9]*/status 2>/dev/null
}

none_of_ours() { [ -z "$(ours)" ]; }

clean_up() {
	local p
	trap - EXIT
	[ "${skipped:-}" ] || [ "${finished:-}" ] || fail "the test ran to its end"
	[ "${finished:-}" ] || [ "${skipped:-}" ] || echo "1..$tests"
	for p in "${pids[@]}"; do
		kill "$p" 2>/dev/null
	done
	wait_until 3 none_of_ours || for p in $(ours); do
		kill -KILL "$p" 2>/dev/null
	done
	for p in "${pids[@]}"; do
		gone "$p" || kill -KILL "$p" 2>/dev/null
	done
	wait 2>/dev/null
	[ -n "${NDS_TEST_KEEP:-}" ] || rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

done_testing() {
	[ -z "$sanitize" ] || is "the sanitizers found nothing" \
	    "$(cat "$tmp"/sanitizers/found* 2>/dev/null | head -n 40)" ""
	finished=1
	echo "1..$tests"
	[ "$failures" -eq 0 ]
	exit
}

# ---- ndsd ------------------------------------------------------------------
free_port() { "$(program tests/peer/freeport)"; }

# The port is chosen once a test; `url` is what a client uses.
use_front() {
	need lighttpd curl
	port=$(free_port)
	url=http://127.0.0.1:$port
	export APP_BIND_ADDRESS=127.0.0.1:$port
}

ctl() { "$ndsctl" "$@"; }
ready() { ctl probe ready >/dev/null 2>&1; }
ready_or_dead() { ready || gone "$ndsd_pid"; }
status() { ctl status --json; }
# field JQ-EXPRESSION: of the status
field() { status | jq -r "$1"; }
field_is() { [ "$(field "$1")" = "$2" ]; }
# Every process of the ndsd that runs, but for the main one and the supervisor.
left() {
	field '[.workers[]|.pid,.guardian_pid]|map(select(.>0))|unique|map(tostring)|join(" ")'
}
# An orphan's corpse may wait a moment for whoever reaps here.
is_corpse() { grep -qs "^State:.Z" "/proc/$1/status"; }
all_gone() { # PID...
	local p
	for p; do
		gone "$p" || is_corpse "$p" || return 1
	done
}
# Listening sockets at a path: each inode of the file system has one.
inode() { stat -c %i "$1"; }
workers() { field '[.workers[]|select(.pid)|.pid]|sort|map(tostring)|join(" ")'; }

# ndsd_begin ARGS...: start it, wait for nothing. ndsd_start: until it is ready.
ndsd_begin() {
	spawn ndsd "$ndsd" "$@"
	ndsd_pid=$pid
}

ndsd_start() {
	ndsd_begin "$@"
	wait_until 10 ready_or_dead
	if gone "$ndsd_pid"; then
		diag "ndsd ended at once"
		return 1
	fi
	ready
}

# ndsd_piped: begin it with a standard output that nobody reads; the reading end
# is descriptor $reader.
ndsd_piped() {
	mkfifo "$tmp/pipe"
	"$ndsd" >"$tmp/pipe" 2>"$tmp/piped.log" </dev/null {nap_fd}>&- &
	ndsd_pid=$!
	pids+=("$ndsd_pid")
	exec {reader}<"$tmp/pipe"
}

# stop_is STATUS SENTENCE: TERM and the exit status.
stop_is() {
	kill -TERM "$ndsd_pid" 2>/dev/null
	wait_end "$ndsd_pid" 15
	is "$2" "$rc" "$1"
}

# refused SENTENCE STATUS REGEX COMMAND...: it ends by itself and says why in
# one line; a usage error may add the usage.
refused() {
	local sentence=$1 want=$2 words=$3 refused_pid
	shift 3
	: >"$tmp/refused.log"
	shown[$tmp/refused.log]=0
	spawn refused "$@"
	refused_pid=$pid
	if ! wait_end "$refused_pid" 10; then
		kill -TERM "$refused_pid"
		wait_until 10 gone "$refused_pid"
	fi
	is "$sentence: exit status" "$rc" "$want"
	like "$sentence: says why" "$(head -n 1 "$tmp/refused.log")" "$words"
	[ "$want" = 2 ] ||
		is "$sentence: in one line" "$(wc -l <"$tmp/refused.log")" 1
}

# The first mirror that this machine's own packages come from.
mirror() {
	local uri
	uri=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[.*\] \)\?\([^ ]*\).*/\2/p' \
	    /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources \
	    2>/dev/null | head -n 1)
	case $uri in
	mirror+file:*) head -n 1 "${uri#mirror+file:}" | cut -f 1 ;;
	*) echo "$uri" ;;
	esac
}

# ---- clients ---------------------------------------------------------------
# get [CURL-OPTION...] URL: sets $code, $head, $body.
get() {
	code=$(curl -sS -m $((10 * scale)) -o "$tmp/body" -D "$tmp/head" \
	    -w '%{http_code}' "$@" 2>"$tmp/curl.err")
	head=$(tr -d '\r' <"$tmp/head")
	body=$(tr -d '\0' <"$tmp/body")
}
gets() { # CODE [CURL-OPTION...] URL
	local want=$1
	shift
	get "$@"
	[ "$code" = "$want" ]
}
header() { sed -n "s/^$1: //Ip" "$tmp/head" | tr -d '\r'; }

# ask [PEER-OPTION...] SOCKET: sets $answer and $status_code.
ask() {
	answer=$(peer --timeout $((5000 * scale)) "$@" 2>&1)
	status_code=$(sed -n 's/^status //p' <<<"$answer")
}
asks() { # CODE [PEER-OPTION...] SOCKET
	local want=$1
	shift
	ask "$@"
	[ "$status_code" = "$want" ]
}

# load_begin N URL: N clients, a new connection a request, until load_end,
# which sets $asked and $lost (anything but a 200), $lost_how.
load_begin() {
	local i
	load_pids=()
	: >"$tmp/loading"
	for ((i = 0; i < $1; i++)); do
		load_one "$tmp/load.$i" "$2" &
		load_pids+=($!)
	done
}

load_one() {
	while [ -e "$tmp/loading" ]; do
		curl -s -m 20 -o /dev/null -w '%{http_code} %{size_download} %{errormsg}\n' \
		    "$2" >>"$1"
	done
}

load_end() {
	local p
	rm -f "$tmp/loading"
	for p in "${load_pids[@]}"; do
		wait "$p"
	done
	asked=$(cat "$tmp"/load.[0-9]* | wc -l)
	lost=$(cat "$tmp"/load.[0-9]* | grep -vc "^200 ")
	lost_how=$(cat "$tmp"/load.[0-9]* | grep -v "^200 " | sort | uniq -c)
}
load_reached() { [ "$(cat "$tmp"/load.[0-9]* | wc -l)" -ge "$1" ]; }

# nginx beside whatever else runs, as nds-nginx starts it; sets $nginx_url,
# $nginx_pid.
nginx_start() {
	local nginx_port
	command -v nginx >/dev/null || return 1
	nginx_port=$(free_port)
	nginx_url=http://127.0.0.1:$nginx_port
	spawn nginx env "APP_BIND_ADDRESS=127.0.0.1:$nginx_port" \
	    "$srcdir/scripts/nds-nginx"
	nginx_pid=$pid
	wait_until 5 gets 200 "$nginx_url/"
}
