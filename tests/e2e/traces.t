#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119
#
# Traces: spans of requests and of handlers arrive at a collector as OTLP wants
# them, a replay shows, the caller decides, and a collector that is away costs
# spans and no request.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq python3

port=$(free_port)
spans=$tmp/spans
: >"$spans"
collector_start() {
	spawn collector python3 "$srcdir/tests/peer/collector.py" "$port" "$spans"
	collector_pid=$pid
}
collector_start
export APP_TRACE=100% APP_TRACE_ENDPOINT=http://127.0.0.1:$port/v1/traces
export APP_TRACE_FILE=$tmp/traces.jsonl APP_WORKERS=2
ndsd_start -- "$(program tests/peer/traced)"

trace=4bf92f3577b34da6a3ce929d0e0e4736
caller=00f067aa0ba902b7
# of TRACE JQ: the spans of a trace, then what of them is asked
of() { jq -sr --arg t "$1" "[.[]|select(.traceId==\$t)]|$2" "$spans"; }
arrived() { [ "$(of "$1" length)" -ge "$2" ]; }
server='map(select(.kind==2))[0]'

# ---- a request with spans of its handler
ask --path /orders/7 --param "HTTP_TRACEPARENT=00-$trace-$caller-01" \
    --param 'HTTP_TRACESTATE=a=1,b=2' --param 'HTTP_USER_AGENT=x"\y' \
    --param REMOTE_ADDR=192.0.2.7 --param SERVER_PROTOCOL=HTTP/1.1 \
    --param SERVER_NAME=shop.example --param SERVER_PORT=8443 \
    --param HTTPS=on --query secret=1 "$app"
is "the request is answered" "$status_code" 200
like "tracestate is handed on" "$answer" '^body a=1,b=2'
ok "its spans arrive" wait_until 10 arrived $trace 3
is "three of them" "$(of $trace length)" 3
is "as the protocol wants them" "$(jq -s 'map(.wrong)|add' "$spans")" "[]"
is "of the service" "$(of $trace '.[0].service')" traced
is "the caller is the parent" "$(of $trace "$server.parentSpanId")" "$caller"
is "tracestate is told" "$(of $trace "$server.traceState")" "a=1,b=2"
is "the span has the route's name" "$(of $trace "$server.name")" "GET /orders/{id}"
is "the attributes are those of HTTP servers" "$(of $trace "$server.attributes|
    [.\"http.request.method\",.\"http.route\",.\"url.path\",.\"url.scheme\",
    .\"server.address\",.\"server.port\",
    .\"http.response.status_code\",.\"client.address\",
    .\"network.protocol.version\",.\"user_agent.original\",.\"order.id\"]|
    map(tostring)|join(\" \")")" \
    'GET /orders/{id} /orders/7 https shop.example 8443 200 192.0.2.7 1.1 x"\y 7'
unlike "but for the query" "$(grep "$trace" "$spans")" secret
is "the handler's span is its child" \
    "$(of $trace 'map(select(.name=="find order"))[0].parentSpanId')" \
    "$(of $trace "$server.spanId")"
is "and has one within it" \
    "$(of $trace 'map(select(.name=="SELECT \"orders\""))[0].parentSpanId')" \
    "$(of $trace 'map(select(.name=="find order"))[0].spanId')"
is "with its attributes and its failure" \
    "$(of $trace 'map(select(.name=="SELECT \"orders\""))[0]|
    [.attributes."db.system",.attributes."db.rows",.status.code,.status.message]|
    map(tostring)|join(" ")')" "test 3 2 no such table"
like "what it sends on names the innermost span" "$answer" \
    "00-$trace-$(of $trace 'map(select(.name=="SELECT \"orders\""))[0].spanId')-01"
like "a log line of the request has the ids" \
    "$(grep "\"$trace\"" "$tmp/ndsd.log")" \
    "\"span_id\":\"$(of $trace "$server.spanId")\""
in_file() { grep -q "$trace" "$tmp/traces.jsonl"; }
ok "the file has them too" wait_until 5 in_file
is "a line a batch" "$(jq -r '.resourceSpans|length' "$tmp/traces.jsonl" | sort -u)" 1

# ---- what the handler leaves open
other=11111111111111111111111111111111
ask --path /left --param "HTTP_TRACEPARENT=00-$other-$caller-01" "$app"
ok "what a handler leaves open ends with it" wait_until 10 arrived $other 3

# ---- the caller decides
ask --path /orders/8 --param "HTTP_TRACEPARENT=00-${trace//4/5}-$caller-00" "$app"
like "a caller that does not sample is told so" "$answer" "00-${trace//4/5}-[0-9a-f]{16}-00"
ask --path /orders/9 --param "HTTP_TRACEPARENT=00-${trace//4/6}-$caller-01" "$app"
wait_until 10 arrived ${trace//4/6} 3
is "and gets no span" "$(of ${trace//4/5} length)" 0

# ---- nonsense comes out harmless
hostile=22222222222222222222222222222222
ask --path '/orders/%00"%0a<' --param "HTTP_TRACEPARENT=00-$hostile-$caller-01" \
    --param "HTTP_TRACESTATE=$(printf 'a=\001')" --method "M\"X" \
    --param "HTTP_USER_AGENT=$(printf '\377\033[2J')" "$app"
ok "a hostile request has a span" wait_until 10 arrived $hostile 1
is "of a known name" "$(of $hostile "$server.name")" HTTP
is "without a tracestate" "$(of $hostile "$server.traceState")" null

# ---- a replay
again=33333333333333333333333333333333
peer --path /slow --param "HTTP_TRACEPARENT=00-$again-$caller-01" --timeout 20000 \
    "$app" >"$tmp/flight" &
flight=$!
busy_worker() { field '[.workers[]|select(.state=="busy")|.pid]|first//empty'; }
has_busy() { [ -n "$(busy_worker)" ]; }
wait_until 5 has_busy
kill -KILL "$(busy_worker)"
wait "$flight"
like "a request whose worker was killed is answered" "$(<"$tmp/flight")" '^status 200'
ok "its span arrives" wait_until 10 arrived $again 1
is "once, with the replay" "$(of $again 'map([.kind,.events[].name])|tostring')" '[[2,"replay"]]'
like "the replay is in the log under the same span" \
    "$(grep 'is run again' "$tmp/ndsd.log")" "\"span_id\":\"$(of $again "$server.spanId")\""
twice=44444444444444444444444444444444
ask --path /null --method POST --param "HTTP_TRACEPARENT=00-$twice-$caller-01" \
    --param SERVER_NAME=shop.example --param SERVER_PORT=8443 "$app"
is "one that cannot be replayed is answered 502" "$status_code" 502
ok "and has a span" wait_until 10 arrived $twice 1
is "of its route" "$(of $twice "$server.name")" "POST /null"
is "and its server" "$(of $twice "$server.attributes|
    [.\"server.address\",.\"server.port\"]|join(\":\")")" shop.example:8443
is "of an error" "$(of $twice "$server|[.status.code,.attributes.\"error.type\"]|tostring")" '[2,"502"]'

# ---- the collector is away
metric() {
	peer --path /metrics "$health" |
	    sed -nE "s/^(body )?nds_spans_$1_total[{]to=\"$2\"[}] //p"
}
is "none was dropped so far" "$(metric dropped any) $(metric dropped collector)" "0 0"
is "each is counted where it went" "$(metric exported file)" "$(metric exported collector)"
is "and it went there" "$(metric exported collector)" "$(wc -l <"$spans")"
kill -KILL "$collector_pid"
wait_until 5 gone "$collector_pid"
drops() { [ "$(metric dropped collector)" -gt 0 ]; }
# The rings are too small for a quick crowd's spans: more than one may be needed
# to fill what waits for the collector.
crowds=0
until drops || [ "$crowds" = 10 ]; do
	peer --many 2 --repeat 15000 --path /left "$app" >>"$tmp/many" 2>&1
	crowds=$((crowds + 1))
done
is "no request is lost while the collector is away" \
    "$(awk '$1 == "whole" { n += $2 } END { print n }' "$tmp/many")" \
    $((30000 * crowds))
ok "spans are dropped and counted" drops
# each request has three; the rings are emptied within a second
counted() {
	[ $(($(metric exported file) + $(metric dropped any))) -eq "$1" ]
}
ok "each of them is in the file, or counted" wait_until 10 counted \
    $(($(wc -l <"$spans") + 90000 * crowds))
is "what the collector missed does not count against the file" \
    "$(metric dropped file)" 0
observer=$(pgrep -f "^$builddir/nds-observer" -P "$(field .supervisor.pid)")
most=65536
[ -z "$sanitize" ] || most=1048576 # it keeps what is freed
ok "memory is bounded" test "$(awk '/^VmRSS/ { print $2 }' \
    "/proc/$observer/status")" -lt "$most"
like "that is told once" "$(grep -c 'does not take traces' "$tmp/ndsd.log")" '^1$'
collector_start
back=55555555555555555555555555555555
ask --path /left --param "HTTP_TRACEPARENT=00-$back-$caller-01" "$app"
told_back() { grep -q 'takes traces again' "$tmp/ndsd.log"; }
ok "it takes traces again" wait_until 20 told_back

# ---- the observer dies, and is told to end
kill -KILL "$collector_pid"
wait_until 5 gone "$collector_pid"
waits=$(($(metric exported file) + 3))
ask --path /left --param "HTTP_TRACEPARENT=00-${back//5/a}-$caller-01" "$app"
in_hand() { [ "$(metric exported file)" -ge "$waits" ]; }
ok "what comes meanwhile waits for the collector" wait_until 5 in_hand
kill -KILL "$observer"
balanced() {
	[ $(($(metric exported collector) + $(metric dropped collector))) \
	    -eq "$(metric exported file)" ]
}
ok "what an observer had in hand when it died is counted" wait_until 5 balanced
collector_start
after=66666666666666666666666666666666
ask --path /left --param "HTTP_TRACEPARENT=00-$after-$caller-01" "$app"
ok "another observer takes what waits" wait_until 20 arrived $after 3
last=77777777777777777777777777777777
ask --path /left --param "HTTP_TRACEPARENT=00-$last-$caller-01" "$app"
stop_is 0 "it stops"
is "the last spans are out before it ends" "$(of $last length)" 3

# ---- what was refused, and what ran out of time
export APP_REQUEST_TIMEOUT=1 APP_RATE_LIMIT='1/m burst 1'
ndsd_start -- "$(program tests/peer/traced)"
late=88888888888888888888888888888888
shed=99999999999999999999999999999999
ask --path /slow --param "HTTP_TRACEPARENT=00-$late-$caller-01" \
    --param REMOTE_ADDR=192.0.2.8 "$app"
is "a request at its deadline is answered 504" "$status_code" 504
ask --path /left --param "HTTP_TRACEPARENT=00-$shed-$caller-01" \
    --param REMOTE_ADDR=192.0.2.8 "$app"
is "and another of that client, too soon, 429" "$status_code" 429
ok "both have a span" wait_until 10 arrived $late 1
is "with the deadline as an event" \
    "$(of $late "$server|[.events[].name,.status.code]|tostring")" '["deadline",2]'
ok "both have a span (the refused one)" wait_until 10 arrived $shed 1
is "with the refusal as an event" \
    "$(of $shed "$server|[.events[].name,.attributes.\"http.response.status_code\"]|tostring")" \
    '["shed","429"]'
stop_is 0 "it stops once more"
unset APP_REQUEST_TIMEOUT APP_RATE_LIMIT

# ---- what never came to a worker
export APP_WORKERS=1 APP_QUEUE_TIMEOUT=200ms APP_LOG_LEVEL=debug
# flight_begin: one that keeps the worker busy
flight_begin() {
	peer --path /slow --timeout 20000 "$app" >"$tmp/flight" &
	flight=$!
	wait_until 5 has_busy
}
full=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
ndsd_start -- "$(program tests/peer/traced)"
flight_begin
ask --path /left --param "HTTP_TRACEPARENT=00-$full-$caller-01" \
    --param HTTP_TRACESTATE=a=1 --param HTTPS=on --param REMOTE_ADDR=192.0.2.9 \
    --param SERVER_NAME=shop.example --param SERVER_PORT=8443 \
    --header 'X-Request-Id: refused' "$app"
is "a request that waits too long is refused" "$status_code" 503
ok "and has a span" wait_until 10 arrived $full 1
is "as the protocol wants it" "$(of $full "$server.wrong")" "[]"
is "of what is known of it" "$(of $full "$server|[.name,.parentSpanId,.traceState,
    .attributes.\"url.scheme\",.attributes.\"url.path\",
    .attributes.\"server.address\",.attributes.\"server.port\",
    .attributes.\"client.address\",.attributes.\"nds.request_id\",
    .attributes.\"error.type\",.status.code,.events[].name]|
    map(tostring)|join(\" \")")" \
    "GET $caller a=1 https /left shop.example 8443 192.0.2.9 refused 503 2 shed"
ok "it begins when it came into the queue" test "$(of $full \
    "$server|((.endTimeUnixNano|tonumber)-(.startTimeUnixNano|tonumber))/1e6|floor")" -ge 200
is "its log line has the same ids" \
    "$(grep '"request refused"' "$tmp/ndsd.log" | jq -r '[.request_id,.trace_id,.span_id]|join(" ")')" \
    "refused $full $(of $full "$server.spanId")"
ask --path /left --param "HTTP_TRACEPARENT=00-${full//b/c}-$caller-00" "$app"
is "a caller that does not sample decides there too" "$status_code" 503
wait "$flight"
stop_is 0 "it stops"
is "and gets no span" "$(of ${full//b/c} length)" 0
waiting() { [ "$(field .queue.length)" -ge 1 ]; }
export APP_QUEUE_TIMEOUT=1 APP_REQUEST_TIMEOUT=2 APP_SHUTDOWN_TIMEOUT=3 APP_DRAIN_MAX=0
ndsd_start
peer --many 6 --path /_diag/work --query ms=1500 --timeout 20000 \
    --param "HTTP_TRACEPARENT=00-${full//b/d}-$caller-01" "$app" >"$tmp/last" &
flight=$!
wait_until 5 waiting
kill -QUIT "$ndsd_pid"
wait "$flight"
wait_end "$ndsd_pid" 10
refused=$(sed -n 's/^status 503 //p' "$tmp/last")
ok "what a stop cannot serve any more is refused" test "$refused" -ge 2
is "the spans of those are out before ndsd ends" \
    "$(of ${full//b/d} 'map(select(.status.message=="the pool stops"))|length')" "$refused"
export APP_QUEUE_TIMEOUT=200ms
unset APP_SHUTDOWN_TIMEOUT APP_REQUEST_TIMEOUT APP_DRAIN_MAX
ndsd_start -- "$(program tests/peer/stock-responder)"
peer --many 2 --path /slow --query ms=1500 --timeout 20000 "$app" >"$tmp/flight" &
flight=$!
wait_until 5 waiting
ask --path / --param "HTTP_TRACEPARENT=00-${full//b/e}-$caller-01" "$app"
is "a program without libnds: one that waits too long is refused" "$status_code" 503
ok "and has a span" wait_until 10 arrived ${full//b/e} 1
wait "$flight"
stop_is 0 "it stops"
unset APP_QUEUE_TIMEOUT APP_LOG_LEVEL
export APP_WORKERS=2

# ---- settings
unset APP_TRACE_ENDPOINT APP_TRACE_FILE
refused "traces that nobody takes" 78 'APP_TRACE=100%: nobody' "$ndsd" -t
export APP_TRACE_FILE=$tmp/few.jsonl APP_TRACE=0%
ndsd_start -- "$(program tests/peer/traced)"
ask --path /left "$app"
like "of 0% none is sampled" "$answer" '-00$'
stop_is 0 "it stops again"
ok "and none is written" test ! -e "$tmp/few.jsonl"
done_testing
