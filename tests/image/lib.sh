# shellcheck shell=bash disable=SC2034,SC2317
# SPDX-License-Identifier: MIT
#
# What the tests of the container image share: an engine that works in a plain
# virtual machine, the image itself, containers that are surely removed.

. "${srcdir:-.}/tests/e2e/lib.sh"

need podman runc curl jq
[ "$(id -u)" = 0 ] || skip_all "podman is tried as root alone"

# Neither systemd nor the right to raise limits is expected.
cat >"$tmp/containers.conf" <<-END
	[containers]
	default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=32768:32768"]
	[engine]
	runtime = "runc"
	cgroup_manager = "cgroupfs"
	events_logger = "file"
END
export CONTAINERS_CONF=$tmp/containers.conf
base=docker.io/library/debian:bookworm-slim
image=localhost/no-downtime-service:test

# The base image, from wherever it is nearest: here, a registry, or made of
# this machine's packages.
base_begin() {
	podman image exists "$base" && return
	timeout 60 podman pull -q "$base" >/dev/null 2>&1 && return
	need debootstrap
	debootstrap --variant=minbase bookworm "$tmp/base" "$(mirror)" \
	    >"$tmp/debootstrap.log" 2>&1 &&
	    tar -C "$tmp/base" -c . | podman import -q - "$base" \
	    >"$tmp/import.log" 2>&1
	rm -rf "$tmp/base"
}

# image_build [OPTION...]: one build serves all tests of a run, as its layers are
# kept.
image_build() {
	podman build --format docker --network=host --pull=never \
	    --timestamp 1700000000 \
	    --build-arg VERSION=0.0.1 --build-arg REVISION=here \
	    -t "$image" "$@" "$srcdir" >"$tmp/build.log" 2>&1
}

containers=()
hardened=(--read-only --cap-drop=ALL --security-opt no-new-privileges
	--network=host --stop-timeout=45)

# container NAME OPTION... -- COMMAND...: run it, with the rights that a pod's
# containers have; sets nothing, is known as NAME-$$.
container() {
	local name=$1-$$ options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	containers+=("$name")
	podman run -d --name "$name" "${hardened[@]}" "${options[@]}" \
	    "$image" "$@" >>"$tmp/podman.log" 2>&1
}
inside() { # NAME COMMAND...
	local name=$1-$$
	shift
	podman exec "$name" "$@" 2>>"$tmp/podman.log"
}
# end SIGNAL NAME SECONDS: as the kubelet does it; sets $rc to its status.
end() {
	podman kill --signal "$1" "$2-$$" >>"$tmp/podman.log" 2>&1
	timeout "$3" podman wait "$2-$$" >>"$tmp/podman.log" 2>&1 ||
	    podman kill --signal KILL "$2-$$" >>"$tmp/podman.log" 2>&1
	rc=$(podman inspect "$2-$$" --format '{{.State.ExitCode}}')
}
said() { podman logs "$1-$$" 2>&1; }

image_clean_up() {
	[ ${#containers[@]} -eq 0 ] ||
		podman rm -f --depend -t 0 "${containers[@]}" >/dev/null 2>&1
	clean_up
}
trap image_clean_up EXIT
