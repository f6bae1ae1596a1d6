#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317
#
# What ndsctl shows while it waits: on a terminal a bar that moves and is taken
# away again, in a pipe plain lines on stderr and the outcome on stdout.
. "${srcdir:-.}/tests/e2e/lib.sh" || exit 99
need jq python3
mkdir "$tmp/bin"
cp "$ndsd" "$tmp/bin/ndsd"
ln -s "$responder" "$tmp/bin/nds-responder"
ln -s "$builddir/nds-observer" "$tmp/bin/nds-observer"
ndsd=$tmp/bin/ndsd
export APP_WORKERS=3 APP_DRAIN_MIN=2 APP_DRAIN_QUIET=1 APP_DRAIN_MAX=8

# terminal VERB...: sets $screen, what a terminal of 60 columns has got, and
# $rc. A frame a line, escapes as \e.
cat >"$tmp/terminal.py" <<'END'
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("4H", 24, 60, 0, 0))
    os.environ.setdefault("TERM", "xterm")
    os.execv(sys.argv[1], sys.argv[1:])
out = b""
while True:
    try:
        piece = os.read(fd, 65536)
    except OSError:
        break
    if not piece:
        break
    out += piece
text = out.decode().replace("\r\n", "\n").replace("\r", "\n")
print(text.replace("\033", "\\e"), end="")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
terminal() {
	screen=$(env -u NO_COLOR TERM="${term:-xterm}" \
	    python3 "$tmp/terminal.py" "$ndsctl" "$@")
	rc=$?
}
# piped VERB...: sets $out and $err, $rc.
piped() {
	out=$(ctl "$@" 2>"$tmp/err")
	rc=$?
	err=$(<"$tmp/err")
}
last() { tail -n 1 <<<"$screen"; }
bar='^\\e\[K\[#*-*\] '
ndsd_start

# waits VERB WORDS OUTCOME: it waits, and both ways are seen.
waits() {
	local verb=$1 words=$2 outcome=$3
	# shellcheck disable=SC2086
	terminal $verb
	is "$verb on a terminal is done" "$rc" 0
	ok "with a bar" grep -Eq "$bar.*$words" <<<"$screen"
	is "which is taken away for the outcome" "$(last)" "\\e[K$outcome"
	is "and is never wider than the screen" \
	    "$(grep -Ecx '(\\e\[K)?.{61,}' <<<"${screen//\\e\[K/}")" 0
	[ "$verb" != "drain --wait" ] || ctl undrain >/dev/null
	# shellcheck disable=SC2086
	piped $verb
	is "$verb in a pipe says the outcome alone" "$rc $out" "0 $outcome"
	like "and how it goes on stderr" "$err" "$words"
	unlike "without a bar or an escape" "$err" $'\033|#|\r'
}
waits reload 'generation [23]: [0-9] of 3 workers are new' reloaded
waits "drain --wait" 'draining: quiet for [0-9]+ms' drained
ctl undrain >/dev/null
waits upgrade 'the new binary (is tried|takes over)' upgraded

# ---- status
spawn long "$(program tests/peer/fcgi-peer)" --timeout 60000 \
    --path /_diag/work --query ms=30000 "$app"
one_busy() { field_is '[.workers[]|select(.state=="busy")]|length' 1; }
ok "one of three is busy" wait_until 5 one_busy
terminal status
like "status on a terminal has the bar" "$screen" \
    '^workers: \[######-*\] 1 of 3 busy, 3 wanted'
piped status
like "in a pipe it is a plain line" "$out" '^workers: 1 of 3 busy, 3 wanted'
unlike "without a bar or an escape" "$out" $'\033|#|\r'
term=dumb terminal status
unlike "nor has a terminal that cannot" "$screen" '#|\\e'

# ---- what fails, and what the operator breaks off
printf '#!/bin/sh\nexit 3\n' >"$tmp/bin/new" && chmod +x "$tmp/bin/new" &&
    mv "$tmp/bin/new" "$tmp/bin/ndsd"
terminal upgrade
is "a refused upgrade fails on a terminal, too" "$rc" 1
like "its bar is gone before the reason" "$(last)" \
    '^\\e\[Kndsctl: upgrade: .* goes on'
stop_is 0 "it stops with status 0"
done_testing
