#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2317
#
# The manifests are what Kubernetes takes, and fit together: held against its
# OpenAPI schema without a cluster, and against each other.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need node npm python3
python3 -c 'import yaml' 2>/dev/null || skip_all "no yaml module for python3"
cd "$tmp" || exit 99
echo '{"private":true,"type":"module"}' >package.json
npm install --silent --no-audit --no-fund kubernetes-models@5 js-yaml@4 \
    typescript@5 >npm.log 2>&1 || skip_all "npm cannot install the schema"
cd "$srcdir" || exit 99
manifests=(k8s/pool.yaml k8s/deployment.yaml k8s/legacy/deployment.yaml)
checked() { node tests/k8s/check.mjs "$tmp/node_modules" "$@"; }

ok "the manifests are valid" checked "${manifests[@]}"
is "all of them were looked at" "$(tail -n 1 "$tmp/said")" "8 objects"
sed 's/maxSurge:/maxSurges:/' k8s/deployment.yaml >"$tmp/typo.yaml"
ok "a field that does not exist would be found" not checked "$tmp/typo.yaml"
sed 's/replicas: 3/replicas: many/' k8s/deployment.yaml >"$tmp/type.yaml"
ok "a value of the wrong type would be found" not checked "$tmp/type.yaml"

# ---- what must fit together
get_yaml() { # FILE PYTHON-EXPRESSION over the documents d
	python3 -c 'import sys, yaml
d = {x["kind"]: x for x in yaml.safe_load_all(open(sys.argv[1]))}
print(eval(sys.argv[2]))' "$1" "$2"
}
get_yaml k8s/pool.yaml 'd["ConfigMap"]["data"]["settings"]' >"$tmp/settings"
ok "ndsd takes the settings of the ConfigMap" "$ndsd" -t -f "$tmp/settings"
while IFS='| ' read -r _ key value _; do
	is "the README has its $key" "$value" \
	    "$(sed -n "s/^$key=//p" "$tmp/settings")"
done < <(grep -E '^. `APP_[A-Z_]+` \| [0-9]+ s ' k8s/README.md | tr -d '`')
whole=$(sed -n 's/^APP_SHUTDOWN_TIMEOUT=//p' "$tmp/settings")
for file in k8s/deployment.yaml k8s/legacy/deployment.yaml; do
	pod='d["Deployment"]["spec"]["template"]["spec"]'
	is "$file: the grace period is APP_SHUTDOWN_TIMEOUT + 5" \
	    "$(get_yaml "$file" "${pod}['terminationGracePeriodSeconds']")" \
	    $((whole + 5))
	is "$file: each container is hardened" "$(get_yaml "$file" "
all(c['securityContext'] == {'allowPrivilegeEscalation': False,
    'readOnlyRootFilesystem': True, 'capabilities': {'drop': ['ALL']}}
    for c in ${pod}['containers'] + ${pod}.get('initContainers', []))")" True
	is "$file: each volume that is mounted exists" "$(get_yaml "$file" "
{m['name'] for c in ${pod}['containers'] + ${pod}.get('initContainers', [])
    for m in c['volumeMounts']} == {v['name'] for v in ${pod}['volumes']}")" True
	for selector in 'd["Service"]["spec"]["selector"]' \
	    'd["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]' \
	    'd["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]'; do
		is "$file: ${selector:3:7}… selects its pods" \
		    "$(get_yaml k8s/pool.yaml "$selector")" \
		    "$(get_yaml "$file" 'd["Deployment"]["spec"]["template"]["metadata"]["labels"]')"
	done
done
for kustomization in k8s k8s/legacy; do
	while read -r file; do
		ok "$kustomization/Kustomization names what exists: $file" \
		    test -e "$kustomization/$file"
	done < <(sed -n 's/^  - \([a-z.]*yaml\)$/\1/p' "$kustomization/Kustomization")
done
done_testing
