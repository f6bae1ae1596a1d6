#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# /status in a real browser: it loads without a word on the console, shows a
# reload, a killed worker and a drain as they happen, and nothing that comes
# from a client becomes markup.  NDS_TEST_KEEP keeps the pictures.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq lighttpd python3
chromium=$(command -v chromium || command -v chromium-browser ||
    command -v google-chrome) || skip_all "no chromium here"
use_front
export APP_WORKERS=4
ndsd_start --front=lighttpd
wait_until 10 gets 200 "$url/"

# ---- without a browser
page=$url/status
get "$page"
like "other clients get JSON" "$(header Content-Type)" '^application/json'
is "of the state" "$(jq -r .state <<<"$body")" running
get -H 'Accept: text/html,*/*;q=0.8' "$page"
is "a browser gets a page" "$code" 200
like "of HTML" "$(header Content-Type)" '^text/html; charset=utf-8'
policy=$(header Content-Security-Policy)
like "its policy forbids all" "$policy" "default-src 'none'"
unlike "without exceptions" "$policy" 'unsafe|http'
like "but its own script, by its hash" "$policy" "script-src 'sha256-[^']+='"
unlike "it loads nothing from elsewhere" "$body" \
    '(src|href) *= *"?(https?:|//)|@import|url\('
for doc in recent history requests; do
	get "$page/$doc.json"
	is "/status/$doc.json is there" "$code" 200
	ok "and is JSON" jq -e .requests "$tmp/body"
done
gets 404 "$page/nothing"
is "what is not there is 404" "$code" 404
like "by the health responder" "$body" '/live'

# ---- from outside: by default, whoever is not this host itself
outside() { # WHAT URL
	for path in /status /status/recent.json /status/history.json \
	    /status/requests.json /metrics; do
		get -H 'Accept: text/html' -H 'X-Forwarded-For: 127.0.0.1' \
		    -H 'Forwarded: for=127.0.0.1' "$2$path"
		is "$1: $path is closed to others" "$code" 403
	done
	for path in //status /./status /%73tatus /x/../metrics /metrics%00; do
		get --path-as-is "$2$path"
		unlike "$1: so is $path" "$code" '^2'
		unlike "$1: and tells nothing" "$body" 'generation|nds_'
	done
	get "$2/live"
	is "$1: /live is not" "$code" 200
}
# front NAME ADDRESS COMMAND...: sets $front_url; 1 when it does not serve
front() {
	local front_port
	front_port=$(free_port)
	front_url=http://$2:$front_port
	spawn "$1" env "APP_BIND_ADDRESS=$2:$front_port" "${@:3}"
	wait_until 5 gets 200 "$front_url/"
}
fronts() { # WHAT ADDRESS
	front closed "$2" lighttpd -D -f "$APP_FRONT_CONFIG"
	outside "lighttpd, $1" "$front_url"
	if command -v nginx >/dev/null; then
		front nginx "$2" "$srcdir/scripts/nds-nginx"
		outside "nginx, $1" "$front_url"
	else
		skip "nginx, $1: /status is closed to others" "no nginx"
	fi
}
read -r address _ < <(hostname -I)
if [[ ${address:-} == *.* ]]; then
	fronts "as shipped" "$address"
else
	skip "as shipped: /status is closed to others" "no network here"
fi
export APP_FRONT_ALLOW=192.0.2.1
fronts "with a list" 127.0.0.1
unset APP_FRONT_ALLOW

# ---- in the browser
mkdir "$tmp/home"
coproc BROWSER {
	python3 "$srcdir/tests/page/browser.py" "$chromium" "$tmp/home" \
	    2>"$tmp/browser.log"
}
pids+=("$BROWSER_PID")
browse() { # VERB...: sets $said
	echo "$*" >&"${BROWSER[1]}"
	read -r -t $((40 * scale)) -u "${BROWSER[0]}" said ||
	    said='"no answer"'
}
shows() { # SENTENCE EXPRESSION
	browse wait $((10000 * scale)) "$2"
	[ "$said" = true ] || browse eval \
	    'document.body.innerText.slice(0, 1500) + " ← " + String('"$2"')'
	is "$1" "$said" true
}
words() { echo "document.getElementById('$1').textContent"; }

browse open "$page"
is "the page loads" "$said" true
shows "it shows the state" "$(words state) === 'running'"
shows "and the generation" "$(words about).startsWith('generation 1 ')"
shows "and four idle workers" \
    "document.querySelectorAll('#workers li.idle').length === 4"

load_begin 2 "$url/_diag/work?ms=20"
curl -s -o /dev/null "$url/_diag/work?ms=30000&secret=1" &
held=$!
wait_until 5 field_is '[.workers[]|select(.request_ms>1000)]|length' 1
shows "it shows what runs" "$(words slow).includes('GET /_diag/work')"
browse eval "$(words slow)"
unlike "without its query" "$said" secret
shows "and how long, in the strip" \
    "document.querySelector('#workers li.long') !== null"
shows "requests a second" "parseFloat($(words tiles).slice(8)) > 0"
shows "as a picture" \
    "document.querySelector('#charts path.a-rate').getAttribute('d') !== ''"
shows "and latencies" \
    "document.querySelector('#charts path.l-mid').getAttribute('d') !== ''"

ctl reload >/dev/null 2>&1
shows "a reload" "$(words events).includes('reloaded')"
shows "with its generation" "$(words about).startsWith('generation 2 ')"
shows "marked on the time line" \
    "$(words charts).includes('R') && document.querySelector('.event') !== null"
read -r victim _ <<<"$(field '[.workers[]|select(.state!="retiring")][0].pid')"
kill -KILL "$victim"
shows "a killed worker, and how it died" \
    "$(words events).includes('a worker was killed')"
ctl drain >/dev/null
shows "a drain, as the state" "$(words state) === 'draining'"
shows "and as an event" "$(words events).includes('drain began')"
ctl undrain >/dev/null
shows "and its end" "$(words events).includes('drain ended')"

# ---- hostile: what a client says of itself
evil='<img src=x onerror=alert(1)>'
spawn evil "$(program tests/peer/fcgi-peer)" --timeout 60000 \
    --param "REMOTE_ADDR=$evil"$'\xe2\x80\xae' \
    --path /_diag/work --query ms=30000 "$app"
shows "a hostile client is shown" "$(words slow).includes('$evil')"
shows "harmlessly" "$(words slow).includes('\ufffd')"
browse eval 'document.images.length'
is "and is no markup" "$said" 0

# ---- the clock is set
shows "it knows more than what is new" "samples.size > 12"
browse eval '(() => { const n = samples.size; for (const hours of [1, -1]) take({...doc, time: new Date(doc.now + hours * 3600e3).toISOString()}); return samples.size === n && [...samples.values()].every((s) => s.at <= doc.now); })()'
is "a clock that is set loses nothing of it" "$said" true

# ---- trouble
browse eval '(() => { doc = {...doc, status: {...doc.status, trouble: [{kind: "not ready", for_ms: 61000, why: "check database: <img src=x> \u202e"}]}}; draw_head(); return document.getElementById("trouble").hidden + "|" + '"$(words state)"' + "|" + '"$(words trouble)"'; })()'
like "not ready stands in the head, with the reason, harmlessly" "$said" \
    '^"false\|not ready\|NOT READY since [0-9:]{8}: check database: <img src=x> .*"$'
unlike "and nothing that turns the writing" "$said" $'\xe2\x80\xae|u202e'
super=$(field .supervisor.pid)
kill -STOP "$super"
shows "a supervisor that does not move is told of" \
    "$(words state) === 'supervisor not seen'"
shows "with what goes on" "$(words trouble).includes('workers serve on')"
shows "and as an event" "$(words events).includes('supervisor not seen')"
browse shot "$tmp/status-trouble.png" 1120 light
kill -CONT "$super"
shows "until it moves" "$(words state) === 'running'"
browse eval 'document.getElementById("trouble").hidden'
is "and its line is gone" "$said" true

# ---- the supervisor dies; keys
kill -KILL "$super"
shows "the supervisor's restart" \
    "$(words events).includes('supervisor came back')"
shows "and still what was before" "$(words events).includes('reloaded')"
browse eval 'document.getElementById("charts").focus()'
browse eval 'document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowLeft", bubbles: true}))'
shows "keys move along the time line" "/p99/.test($(words at))"
browse eval '[...document.querySelectorAll("svg")].every((s) => s.getAttribute("aria-label"))'
is "each picture has words for those who do not see it" "$said" true
load_end
is "all the while nothing was lost" "$lost" 0

# ---- how it looks: written for people, measured for us
browse eval 'document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true})), document.activeElement.blur()'
shows "Escape lets go of the time line" "$(words at).startsWith('Point at')"
for look in "1120 light" "1120 dark" "390 light" "390 dark"; do
	browse shot "$tmp/status-${look// /-}.png" "${look% *}" "${look#* }"
	browse eval '[document.documentElement, ...document.querySelectorAll("section, .tiles div, #workers li")].every((e) => e.scrollWidth <= e.clientWidth) && document.documentElement.scrollWidth <= '"${look% *}"
	is "$look: nothing sticks out" "$said" true
done
browse errors
is "the console is empty" "$said" '[]'

kill "$held" 2>/dev/null
stop_is 0 "it stops with status 0"
shows "the page says that nobody answers" \
    "$(words state) === 'no answer' && !document.getElementById('away').hidden"
browse shot "$tmp/status-away.png" 1120 light
browse quit
done_testing
