#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119,SC2317
#
# Pods of two containers, as k8s/deployment.yaml makes them, and what a kubelet
# does to them: podman runs neither probes nor preStop hooks nor sidecars, so
# the test plays the kubelet.  A rolling update of three pods under load, the
# same with a pod that is killed outright, and the odd ends.
. "${srcdir:-.}/tests/image/lib.sh" || exit 99
need python3
base_begin || skip_all "no base image"
image_build || skip_all "no image (see image.t)"
prove=$(program nds-prove)

# What k8s/pool.yaml sets, but for times that a test can wait for.
cat >"$tmp/settings" <<-END
	APP_WORKERS=4
	APP_REQUEST_TIMEOUT=5
	APP_DRAIN_MIN=3
	APP_DRAIN_QUIET=1
	APP_DRAIN_MAX=8
	APP_SHUTDOWN_TIMEOUT=20
	APP_DIAGNOSTIC_ROUTES=on
	APP_RATE_LIMIT=50000/s burst 10000
END
lag=1 # seconds in which a cluster learns of a change; within APP_DRAIN_MIN
grace=25

declare -A address
endpoints=$tmp/endpoints
: >"$endpoints"
list() { # POD...: the endpoints that exist, whole at once
	local pod
	for pod; do
		echo "${address[$pod]}"
	done >"$endpoints.new"
	mv "$endpoints.new" "$endpoints"
}
knows() { grep -qx "${address[$1]}" "$endpoints.ready"; }

# pod_begin NAME [OPTION...]: sidecar first; the front when the sidecar's startup
# probe has passed, as a kubelet does.  Pods have addresses of their own: who
# connects to a dead one reaches nobody, whatever runs beside.
pods=0
pod_begin() {
	local name=$1
	shift
	pods=$((pods + 1))
	address[$name]=127.$(($$ / 254 % 254 + 1)).$(($$ % 254 + 1)).$pods:$(free_port)
	mkdir -p "$tmp/$name"
	chown 10001:10001 "$tmp/$name"
	local shared=(-v "$tmp/$name:/run/nds" -v "$tmp/settings:/etc/nds/settings:ro"
		-e "APP_BIND_ADDRESS=${address[$name]}"
		-e NDS_FRONT_SETTINGS=/etc/nds/settings "$@")
	container "$name-pool" "${shared[@]}" -- ndsd -f /etc/nds/settings
	wait_until 10 inside "$name-pool" ndsctl probe startup || return 1
	container "$name-front" "${shared[@]}" -- \
	    lighttpd -D -f /etc/no-downtime-service/lighttpd.conf
}
pod_ready() { gets 200 "http://${address[$1]}/ready"; }

# pod_end NAME: preStop of the front, its stop signal, then the sidecar's;
# what is left of the grace period bounds each.  Sets $took.
pod_end() {
	local begun
	begun=$(now_ms)
	inside "$1-front" nds-shutdown -n -t 15s >>"$tmp/$1.shutdown" 2>&1
	end INT "$1-front" "$grace"
	end INT "$1-pool" "$grace"
	took=$(($(now_ms) - begun))
}

# One process namespace for the containers of a pod, as shareProcessNamespace
# makes it, with a first process that none of them has started.
pause_begin() {
	container "$1-pause" -- tail -f /dev/null
	shared_pids=(--pid "container:$1-pause-$$")
}

# A pod whose main container is nds-shutdown, and pool and front its sidecars:
# they are told in this order, the last one first.  No hook is needed.
watched_begin() {
	pause_begin "$1"
	pod_begin "$1" "${shared_pids[@]}"
	container "$1-shutdown" "${shared_pids[@]}" -v "$tmp/$1:/run/nds" -- \
	    nds-shutdown --sidecar -n -t 15s
}
watched_end() {
	local begun
	begun=$(now_ms)
	end INT "$1-shutdown" "$grace"
	said "$1-shutdown" >"$tmp/$1.shutdown"
	end INT "$1-front" "$grace"
	end INT "$1-pool" "$grace"
	took=$(($(now_ms) - begun))
}

# ---- three pods
declare -A begin=([c]=watched_begin)
for pod in a b c; do
	ok "pod $pod starts" "${begin[$pod]:-pod_begin}" "$pod"
	ok "pod $pod gets ready" wait_until 10 pod_ready "$pod"
done
list a b c
port=$(free_port)
url=http://127.0.0.1:$port
balance() { spawn balancer python3 "$srcdir/tests/image/balancer.py" "$@"; }
balance "$port" "$endpoints" "$lag"
for pod in a b c; do
	wait_until 5 knows "$pod"
done
ok "the service answers" wait_until 5 gets 200 "$url/"

# prove_begin NAME OPTION...: at 200 requests a second for that long.
prove_begin() {
	local name=$1
	shift
	spawn "prove-$name" "$prove" --rate 200 -c 16 --ids --json "$@"
}
# answered NAME PID: nothing was lost, and it was a load.
answered() {
	wait_end "$2" 60
	lost=$(jq -r '.whole.lost' "$tmp/prove-$1.log")
	asked=$(jq -r '.whole.requests' "$tmp/prove-$1.log")
	[ "$lost" = 0 ] || diag "$(jq -c '.whole.fates' "$tmp/prove-$1.log")"
}

# ---- a rolling update: one more, then one less, three times; one of the pods
# has nds-shutdown as a container of its own
declare -A finish=([c]=watched_end)
prove_begin new --new -d 300s "$url/"
new=$pid
prove_begin kept -d 300s "$url/"
kept=$pid
live=(a b c)
for next in d e f; do
	old=${live[0]}
	live=("${live[@]:1}" "$next")
	pod_begin "$next"
	list "$old" "${live[@]}"
	ok "pod $next gets ready" wait_until 30 knows "$next"
	# as a Deployment, which goes no further with a pod that does not
	knows "$next" || break
	# deletion: out of the endpoints and preStop at the same moment
	list "${live[@]}"
	"${finish[$old]:-pod_end}" "$old"
	is "pod $old ends by itself (${took} ms)" "$rc" 0
	like "and nds-shutdown has told what it did" "$(<"$tmp/$old.shutdown")" \
	    '"event":"shutdown","time":"2[0-9T:-]+Z".*"result":"drained"'
done
kill -INT "$new" "$kept" 2>/dev/null
answered new "$new"
is "of $asked requests on new connections none was lost" "$lost" 0
ok "and there were some" test "$asked" -gt 1000
answered kept "$kept"
is "of $asked requests on kept connections none was lost" "$lost" 0
ok "and there were some too" test "$asked" -gt 1000

# ---- a pod that is gone at once, as with its node
port=$(free_port)
balance "$port" "$endpoints" "$lag" retry
wait_until 5 gets 200 "http://127.0.0.1:$port/"
prove_begin killed --new -d 6s "http://127.0.0.1:$port/"
killed=$pid
wait_until 5 pod_ready "${live[2]}"
# the front first: a pool that dies under it would have it answer 503
for part in front pool; do
	podman kill --signal KILL "${live[2]}-$part-$$" >>"$tmp/podman.log" 2>&1
done
answered killed "$killed"
is "a balancer that tries again loses none of $asked requests" "$lost" 0
ok "as there were some" test "$asked" -gt 800

# ---- a pod without traffic ends soon
pod_begin g
wait_until 10 pod_ready g
pod_end g
ok "a pod without traffic ends within APP_DRAIN_MIN + 2 s (${took} ms)" \
    test "$took" -le $(((3000 + 2000) * scale / 2 + 1000))

# ---- changed settings without a new pod
echo APP_WORKERS=6 >>"$tmp/settings"
pod=${live[0]}
ok "a changed ConfigMap is taken by ndsctl reload" inside "$pod-pool" ndsctl reload
is "and is in force" "$(inside "$pod-pool" ndsctl status --json |
    jq '[.workers[]|select(.state!="starting")]|length')" 6
body_of() { # KB: the status of a POST of that size
	head -c $(($1 * 1024)) /dev/zero | curl -s -o /dev/null -w '%{http_code}' \
	    --data-binary @- "http://${address[$pod]}/_diag/echo"
}
is "a body beyond the default limit is refused" "$(body_of 1500)" 413
echo APP_MAX_BODY=2m >>"$tmp/settings"
inside "$pod-pool" ndsctl reload >>"$tmp/podman.log" 2>&1
inside "$pod-front" sh -c 'kill -USR1 1'
body_passes() { [ "$(body_of 1500)" = 200 ]; }
ok "until both containers have read another one" wait_until 5 body_passes
echo APP_WORKERS=lots >>"$tmp/settings"
ok "a wrong one is refused" not inside "$pod-pool" ndsctl reload
ok "and the pod stays ready" pod_ready "$pod"
is "with the settings of before" "$(body_of 1500)" 200
container wrong-pool -v "$tmp/settings:/etc/nds/settings:ro" -- \
    ndsd -f /etc/nds/settings
is "a new pod with it does not start" \
    "$(timeout 20 podman wait "wrong-pool-$$")" 78
like "and says where it stands" "$(said wrong-pool)" \
    '/etc/nds/settings:11: APP_WORKERS=lots: not a whole number'
sed -i '/lots/d' "$tmp/settings"

# ---- without native sidecars: all are told at once (k8s/legacy)
pod_begin h
wait_until 10 pod_ready h
spawn prove-legacy "$prove" --rate 100 -c 8 --new --ids --json \
    -d 20s "http://${address[h]}/_diag/work?ms=20"
legacy=$pid
inside h-pool nds-shutdown -n --after-front -t 20s >"$tmp/h.pool" &
inside h-front nds-shutdown -n -t 15s >"$tmp/h.front"
end INT h-front "$grace"
wait $!
end INT h-pool "$grace"
is "the pool's hook has awaited the front's end" \
    "$(jq -r .result "$tmp/h.front") $(jq -r .result "$tmp/h.pool")" \
    "drained drained"
is "and the pool ends by itself" "$rc" 0
kill -INT "$legacy"
answered legacy "$legacy"
is "and no request that was taken is lost" \
    "$(jq '.whole.lost - .whole.fates.refused' "$tmp/prove-legacy.log")" 0

# ---- nds-shutdown that sees the processes alone, not the control socket
pause_begin j
pod_begin j "${shared_pids[@]}"
container j-shutdown "${shared_pids[@]}" -- nds-shutdown --sidecar
wait_until 10 pod_ready j
end TERM j-shutdown "$grace"
like "it ends the pool by a signal" "$(said j-shutdown)" \
    '"method":"signal","result":"stopped"'
is "the pool has ended by itself" \
    "$(podman wait "j-pool-$$")" 0

# ---- a front that is missing, and comes back
pod=${live[1]}
end KILL "$pod-front" 5
ok "without its front the pool lives on" inside "$pod-pool" ndsctl probe ready
again() { podman start "$pod-$1-$$" >>"$tmp/podman.log" 2>&1; }
again front
ok "with another one the pod serves again" wait_until 10 pod_ready "$pod"

# ---- each process of the pool is killed, one after the other
whole() { # as many workers as are wanted, and who answers for them
	pod_ready "$pod" && curl -s -m 5 "http://${address[$pod]}/status" |
	    jq -e '.state == "running" and .ready == .wanted' >/dev/null
}
processes() { # of the pool, but for the first: PID COMMAND
	local first space p
	first=$(podman inspect "$pod-pool-$$" --format '{{.State.Pid}}')
	space=$(readlink "/proc/$first/ns/pid")
	for p in /proc/[0-9]*; do
		[ "$(readlink "$p/ns/pid")" != "$space" ] ||
			[ "${p#/proc/}" = "$first" ] ||
			echo "${p#/proc/} $(<"$p/comm")"
	done 2>/dev/null
}
spawn prove-any "$prove" --rate 150 -c 8 --new --ids --json -d 300s \
    "http://${address[$pod]}/_diag/work?ms=10"
any=$pid
killed=
while read -r p what; do
	kill -KILL "$p" 2>/dev/null || continue
	killed="$killed $what"
	wait_until 10 whole || fail "whole again after the death of $what ($p)"
done < <(processes | sort -rn) # the workers before their guardians
like "killed were workers, guardians, all beside them and the supervisor" \
    "$killed" '^( nds-(responder|observer)){11} .*ndsd'
kill -INT "$any"
answered any "$any"
is "of $asked requests meanwhile none was lost" "$lost" 0
again_after_kill() { # PART: the kubelet starts its container again
	end KILL "$pod-$1" 5
	again "$1"
	wait_until 10 whole
}
for part in pool front; do
	ok "with the first process of the $part its container ends, and another \
takes over" again_after_kill "$part"
done

# ---- a grace period that is shorter than the drain
begun=$(now_ms)
inside "$pod-front" nds-shutdown -n -t 1s >"$tmp/short"
is "the hook keeps to its time" "$(jq -r .result "$tmp/short")" timeout
took=$(($(now_ms) - begun))
ok "which is shorter than a drain (${took} ms)" test "$took" -lt 2900
end INT "$pod-front" 1
end INT "$pod-pool" 1
is "the pool is killed at its end" "$rc" 137

done_testing
