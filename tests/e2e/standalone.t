#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# A libnds program serves without ndsd too: under spawn-fcgi and under
# lighttpd's bin-path, where the lifecycle is theirs.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need spawn-fcgi jq
use_front
mkdir -p "$run"

under_spawn_fcgi() { # PROGRAM: sets $pid
	rm -f "$run/own.sock"
	spawn-fcgi -n -s "$run/own.sock" -- "$1" >"$tmp/own.log" 2>&1 </dev/null &
	pid=$!
	pids+=("$pid")
	wait_until 5 asks 200 "$run/own.sock"
}

for program in "$responder" "$(program examples/hello)"; do
	[ -x "$program" ] || continue
	base=$(basename "$program")
	under_spawn_fcgi "$program"
	ask "$run/own.sock"
	is "$base answers under spawn-fcgi" "$status_code" 200
	kill -TERM "$pid"
	wait_end "$pid" 5
	is "$base ends with status 0 at SIGTERM" "$rc" 0
done

# ---- a stranger's connection where ndsd's was
stranger='import os, socket, subprocess, sys
ours, theirs = socket.socketpair()
os.environ["NDS_CONTROL_FD"] = str(theirs.fileno())
subprocess.run([sys.argv[1], "--version"], pass_fds=[theirs.fileno()])
theirs.close()
print(ours.recv(64))'
if command -v python3 >/dev/null; then
	like "a descriptor that is not ndsd's is left alone" \
	    "$(python3 -c "$stranger" "$responder" | tr '\n' ' ')" \
	    "^nds-responder .* b''"
else
	skip "a descriptor that is not ndsd's is left alone" "no python3 here"
fi

# ---- SIGTERM under load: whoever is being served is served to the end
under_spawn_fcgi "$responder"
peer --path /_diag/work --query ms=700 --timeout 20000 "$run/own.sock" \
    >"$tmp/flight" &
flight=$!
busy() { [ "$(grep -c . "/proc/$pid/net/unix")" -gt 0 ] && ! asks 200 --timeout 100 "$run/own.sock"; }
wait_until 3 busy
kill -TERM "$pid"
wait_end "$pid" 10
is "SIGTERM in a request: status" "$rc" 0
wait "$flight"
like "SIGTERM in a request: it is answered" "$(<"$tmp/flight")" '^status 200'
like "SIGTERM in a request: whole" "$(<"$tmp/flight")" '^end 0'

under_spawn_fcgi "$responder"
peer --many 4 --repeat 500 --path /_diag/bytes --query n=100000 \
    "$run/own.sock" >"$tmp/many" 2>&1 &
crowd=$!
wait_until 1 false
kill -TERM "$pid"
wait_end "$pid" 10
is "SIGTERM under load: status" "$rc" 0
rm -f "$run/own.sock"
wait "$crowd"
ok "SIGTERM under load: no answer was cut" \
    grep -qx 'status 200 [1-9][0-9]*' "$tmp/many"
is "SIGTERM under load: each that began is whole" \
    "$(sed -n 's/^whole //p' "$tmp/many")" \
    "$(sed -n 's/^status 200 //p' "$tmp/many")"

# ---- lighttpd starts it
cat >"$tmp/own.conf" <<END
server.document-root = "$tmp"
server.bind = "127.0.0.1"
server.port = $port
server.modules = ("mod_fastcgi")
fastcgi.server = ("/" => ((
	"bin-path" => "$responder",
	"socket" => "$run/bin.sock",
	"bin-environment" => ("LD_LIBRARY_PATH" => "$LD_LIBRARY_PATH",
		"APP_RUNTIME_DIR" => "$run"),
	"max-procs" => 2,
	"check-local" => "disable"
)))
END
spawn lighttpd lighttpd -D -f "$tmp/own.conf"
front=$pid
ok "under bin-path it answers" wait_until 10 gets 200 "$url/"
is "with its greeting" "$body" "Hello, Zero-Downtime World!"
get "$url/version"
is "in generation 0" "$(jq .generation <<<"$body")" 0
kill -INT "$front"
wait_end "$front" 10
is "lighttpd ends with status 0" "$rc" 0
ok "and its responders with it" wait_until 5 none_of_ours
done_testing
