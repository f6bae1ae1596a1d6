# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: MIT
#
# What the benches share: the build, a directory of their own, processes that
# are ended whatever happens, the peers, and medians.  Read with $1 = BUILDDIR.
set -eu
bench=bench/$(basename "$0")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "${1:-$root/build}" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/nds-bench.XXXXXX")
pids=()
PATH=$PATH:/usr/sbin:/sbin
export LD_LIBRARY_PATH=$build/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export NDS_BENCH=$dir APP_DRAIN_MIN=0 APP_DRAIN_QUIET=0
ulimit -c 0

die() {
	echo "$bench: $*" >&2
	exit 1
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || {
			echo "$bench: $tool is missing" >&2
			exit 77
		}
	done
}

# A line that is written over, on a terminal alone.
progress() { [ ! -t 2 ] || printf '\r%-72s\r' "$*" >&2; }

# program NAME: itself, not libtool's wrapper
program() {
	if [ -x "$build/.libs/$1" ]; then
		echo "$build/.libs/$1"
	else
		echo "$build/$1"
	fi
}

# ---- processes -------------------------------------------------------------
# begin LOG COMMAND...: as a process group of its own; sets $pid
begin() {
	setsid "${@:2}" >>"$dir/$1.log" 2>&1 </dev/null &
	pid=$!
	pids+=("$pid")
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# wait_for TENTHS COMMAND...: until it succeeds; 1 when it never does
wait_for() {
	local left=$1
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 0.1
	done
}

# finish PID SIGNAL: ask it to end; who does not is killed with its group
finish() {
	local one rest=()
	kill "-$2" "$1" || :
	wait_for 50 gone "$1" || :
	kill -KILL -- "-$1" || :
	wait "$1" || :
	for one in "${pids[@]}"; do
		[ "$one" = "$1" ] || rest+=("$one")
	done
	pids=("${rest[@]}")
} 2>/dev/null

# Who is left: ndsd's children are in groups of their own.
ours() {
	env -u NDS_BENCH grep -lzsx "NDS_BENCH=$dir" /proc/[0-9]*/environ |
		cut -d / -f 3 | grep -vx $$ || :
}

cleanup() {
	local one
	trap - EXIT
	for one in "${pids[@]}"; do
		finish "$one" TERM
	done
	for one in $(ours); do
		kill -KILL "$one" || :
	done
	if [ -n "${KEEP:-}" ]; then
		mkdir -p "$KEEP"
		cp "$dir"/*.log "$dir"/*.json "$KEEP" || :
	fi
	rm -rf "$dir" "${shm:-$dir}"
} 2>/dev/null
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# ---- the pools that others have --------------------------------------------
# multiwatch_begin SOCKET PROGRAM; sets $pid
multiwatch_begin() {
	begin multiwatch spawn-fcgi -n -s "$1" -- \
		"$(command -v multiwatch)" -f "$WORKERS" -- "$2"
}

fpm=$(command -v php-fpm8.2 || command -v php-fpm || :)

# fpm_begin SOCKET [LINE]: with a line of its [global] section; sets $pid
fpm_begin() {
	cat >"$dir/fpm-pool.conf" <<-CONF
		[global]
		error_log = $dir/fpm.log
		${2:-}
		[www]
		user = $(id -un)
		group = $(id -gn)
		listen = $1
		pm = static
		pm.max_children = $WORKERS
	CONF
	begin fpm "$fpm" -F -R -y "$dir/fpm-pool.conf"
}

# ---- wrk against lighttpd, in turns ----------------------------------------
port=${PORT:-3900}
declare -A url

# Nobody else may answer for what is measured.
port_free() {
	! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null ||
		die "port $1 is taken; choose others with PORT"
}

# lighttpd_begin NAME SOCKET [SCRIPT]: before one socket, on a port of its own
lighttpd_begin() {
	local script=${3:-}

	port=$((port + 1))
	port_free "$port"
	url[$1]=http://127.0.0.1:$port/$script
	mkdir -p "$dir/www"
	cat >"$dir/$1.conf" <<-CONF
		server.document-root = "$dir/www"
		server.bind = "127.0.0.1"
		server.port = $port
		server.modules = ("mod_fastcgi")
		server.max-keep-alive-requests = 1000000
		fastcgi.server = ("/$script" => ((
		  "socket" => "$2", "check-local" => "disable")))
	CONF
	begin "$1" lighttpd -D -f "$dir/$1.conf"
}

says() { [ "$(curl -s -m 5 "$1")" = "$2" ]; }

# answers NAME...: all say hello, or the bench ends
answers() {
	local name
	for name; do
		wait_for 100 says "${url[$name]}" "Hello, Zero-Downtime World!" ||
			die "$name does not answer: $(tail -n 5 "$dir/$name.log")"
	done
}

# rate NAME SECONDS: prints requests a second; ends the bench on another
# answer than a good one
rate() {
	wrk -t1 -c"$CLIENTS" -d"${2}s" "${url[$1]}" >"$dir/wrk"
	! grep -E "Non-2xx|Socket errors" "$dir/wrk" >&2 ||
		die "$1: not all was answered well"
	awk '/^Requests\/sec/ { print $2 }' "$dir/wrk"
}

# For awk: sorts list[1..n] and returns its middle.
# shellcheck disable=SC2016
median='function median(list, n,    i, j, t) {
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && list[j] < list[j - 1]; j--) {
			t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
		}
	return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}'
