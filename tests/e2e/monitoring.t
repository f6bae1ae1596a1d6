#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2317
#
# monitoring/: Prometheus takes the files, each alert fires when it should and
# has a test and a section of the runbook, and all of it asks for metrics that
# there are.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need promtool jq
cd "$srcdir/monitoring" || exit 99

ok "Prometheus takes the scrape" promtool check config prometheus.yml
ok "and the rules" promtool check rules alerts.yml
ok "each alert fires when it should, and not before" \
    promtool test rules alerts-test.yml
sed -n 's/^ *- alert: //p' alerts.yml | sort >"$tmp/alerts"
ok "there are alerts" test -s "$tmp/alerts"
is "each has its test" \
    "$(sed -nE 's/^ *name: ([^,]*).*/\1/p' alerts-test.yml | sort -u)" \
    "$(<"$tmp/alerts")"
is "and its section of the runbook" \
    "$(sed -n 's/^## //p' runbook.md | sort)" "$(<"$tmp/alerts")"
is "which says what it means, what to look at and what to do" \
    "$(grep -cE '^\*\*(Means|Look at|Do)\*\* ' runbook.md)" \
    $((3 * $(wc -l <"$tmp/alerts")))
is "and is what the alert links to" \
    "$(sed -n 's/^ *runbook: "runbook.md#\(.*\)"/\1/p' alerts.yml | sort)" \
    "$(tr '[:upper:]' '[:lower:]' <"$tmp/alerts" | sort)"

ok "the dashboard is JSON" jq -e .panels dashboard.json
jq -r '.. | .expr? // empty' dashboard.json |
    sed -e 's/\$__rate_interval/1m/g' -e 's/\$job/nds/g' |
    jq -R . | jq -s '{groups: [{name: "d", rules: (to_entries | map(
	{record: "d:\(.key)", expr: .value}))}]}' >"$tmp/dashboard.yml"
ok "whose queries Prometheus understands" \
    promtool check rules "$tmp/dashboard.yml"
is "and no panel lies on another" \
    "$(jq '[.panels[].gridPos | "\(.x) \(.y)"] | length - (unique | length)' \
    dashboard.json)" 0

# ---- what they ask for is there
grep -ohE 'nds_[a-z_]+' alerts.yml dashboard.json |
    sed 's/_bucket$//' | sort -u >"$tmp/asked"
export APP_WORKERS=2
ndsd_start
peer --path /metrics --timeout $((5000 * scale)) "$health" >"$tmp/metrics"
is "each metric that they name is there" \
    "$(sed -nE 's/^.*# TYPE (nds_[a-z_]+) .*/\1/p' "$tmp/metrics" | sort -u |
	comm -13 - "$tmp/asked" | grep -vx nds_check_up)" ""
stop_is 0 "it stops with status 0"
done_testing
