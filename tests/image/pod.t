#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119,SC2317
#
# Pods of two containers, as k8s/deployment.yaml makes them, and what a kubelet
# does to them: podman runs neither probes nor preStop hooks nor sidecars, so
# the test plays the kubelet.  A rolling update of three pods under load, the
# same with a pod that is killed outright, and the odd ends.
. "${srcdir:-.}/tests/image/lib.sh"
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
END
lag=1 # seconds in which a cluster learns of a change; within APP_DRAIN_MIN
grace=25

declare -A address
endpoints=$tmp/endpoints
: >"$endpoints"
list() { # the endpoints that exist, whole at once
	printf '%s\n' "$@" >"$endpoints.new"
	mv "$endpoints.new" "$endpoints"
}

# pod_begin NAME: sidecar first; the front when the sidecar's startup probe
# has passed, as a kubelet does.
pod_begin() {
	local name=$1
	address[$name]=127.0.0.1:$(free_port)
	mkdir -p "$tmp/$name"
	chown 10001:10001 "$tmp/$name"
	local shared=(-v "$tmp/$name:/run/nds" -v "$tmp/settings:/etc/nds/settings:ro"
		-e "APP_BIND_ADDRESS=${address[$name]}"
		-e NDS_FRONT_SETTINGS=/etc/nds/settings)
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
	inside "$1-front" nds-shutdown -n -t 15s >>"$tmp/$1.prestop" 2>&1
	end INT "$1-front" "$grace"
	end INT "$1-pool" "$grace"
	took=$(($(now_ms) - begun))
}

# ---- three pods
for pod in a b c; do
	ok "pod $pod starts" pod_begin "$pod"
	ok "pod $pod gets ready" wait_until 10 pod_ready "$pod"
done
list "${address[@]}"
port=$(free_port)
url=http://127.0.0.1:$port
balance() { spawn balancer python3 "$srcdir/tests/image/balancer.py" "$@"; }
balance "$port" "$endpoints" "$lag"
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

# ---- a rolling update: one more, then one less, three times
prove_begin new --new -d 45s "$url/"
new=$pid
prove_begin kept -d 45s "$url/"
kept=$pid
live=(a b c)
for next in d e f; do
	old=${live[0]}
	live=("${live[@]:1}" "$next")
	pod_begin "$next"
	ok "pod $next gets ready" wait_until 10 pod_ready "$next"
	list "${address[$old]}" "${address[${live[0]}]}" "${address[${live[1]}]}" \
	    "${address[$next]}"
	# deletion: out of the endpoints and preStop at the same moment
	list "${address[${live[0]}]}" "${address[${live[1]}]}" "${address[$next]}"
	pod_end "$old"
	is "pod $old ends by itself (${took} ms)" "$rc" 0
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
inside "${live[2]}-front" kill -0 1
podman kill --signal KILL "${live[2]}-front-$$" "${live[2]}-pool-$$" \
    >>"$tmp/podman.log" 2>&1
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

# ---- a front that is missing, a supervisor that is killed
end KILL "${live[1]}-front" 5
ok "without its front the pool lives on" \
    inside "${live[1]}-pool" ndsctl probe ready
end INT "${live[1]}-pool" "$grace"
is "and ends by itself" "$rc" 0

done_testing
