#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench/overload with short loads: it prints its table, draws its picture, says
# which promises hold, ends in time and leaves nothing behind.  Whether they
# hold is not asked here, where others use the machine too.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
use_front
mkdir "$tmp/bench"

from=$(now_ms)
TMPDIR=$tmp/bench PORT=$port POOLS=ours LOADS="0.5 5" TIME=2 \
    SVG=$tmp/picture.svg "$srcdir/bench/overload" "$builddir" \
    >"$tmp/table" 2>"$tmp/overload.log" </dev/null
status=$?
took=$(($(now_ms) - from))
ok "it ends by itself, and not for want of anything (status $status)" \
    test "$status" -le 1
ok "in time ($took ms)" test "$took" -lt $((60000 * scale))
is "a line for each load" "$(grep -c '^| ndsd ' "$tmp/table")" 2
is "each promise has its word" "$(grep -Ec '^(yes|NO) ' "$tmp/table")" 7
is "and the exit status says the same" "$status" \
    "$(grep -c -m 1 '^NO ' "$tmp/table")"
like "the picture is one" "$(head -n 1 "$tmp/picture.svg")" '^<svg '
is "and whole" "$(tail -n 1 "$tmp/picture.svg")" "</svg>"
is "nothing is left of it" "$(ls "$tmp/bench")" ""
is "not a process either" "$(env -i grep -ls "NDS_BENCH=$tmp" \
    /proc/[0-9]*/environ | wc -l)" 0
done_testing
