# SPDX-License-Identifier: MIT
# The points of bench/overload as a picture: goodput over offered load, both in
# capacities of the peer itself.
function x(factor) { return left + width * log(factor / least) / log(most / least) }
function y(share) { return top + height * (1 - share / high) }
function text(at_x, at_y, anchor, words, extra) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>%s</text>\n", \
		at_x, at_y, anchor, extra, words
}
function line(x1, y1, x2, y2, style) {
	printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", \
		x1, y1, x2, y2, style
}
BEGIN {
	FS = "\t"
	left = 70; top = 70; width = 500; height = 300
	high = 1.1
	colour[1] = "#0a7d55"; colour[2] = "#c4561a"; colour[3] = "#5a6b8f"
}
{
	if (!($1 in seen)) {
		seen[$1] = ++peers
		name[peers] = $1
	}
	p = seen[$1]
	n = ++count[p]
	factor[p, n] = $2 + 0
	share[p, n] = $5 / $3
	if (share[p, n] * 1.05 > high) high = share[p, n] * 1.05
	said[p, n] = $1 ": " $5 " good answers/s of " $4 " offered"
	mark[$2 + 0] = 1
	if (least == "" || $2 + 0 < least) least = $2 + 0
	if ($2 + 0 > most) most = $2 + 0
}
function frame(    f, s) {
	for (s = 0; s <= 100; s += 25) {
		line(left, y(s / 100), left + width, y(s / 100), "stroke=\"#e6e8eb\"")
		text(left - 10, y(s / 100) + 4, "end", s " %", "fill=\"#555\"")
	}
	for (f in mark)
		text(x(f), top + height + 20, "middle", f, "fill=\"#555\"")
	text(left + width / 2, top + height + 44, "middle", \
		"offered load, in capacities of the pool (open loop)", "")
	printf "<text transform=\"translate(18 %d) rotate(-90)\" " \
		"text-anchor=\"middle\">good answers, of capacity</text>\n", \
		top + height / 2
}
function ideal(    f, at) {
	for (f = least; f < 1; f *= 1.02)
		at = at sprintf("%.1f,%.1f ", x(f), y(f))
	printf "<polyline points=\"%s%.1f,%.1f %.1f,%.1f\" fill=\"none\" " \
		"stroke=\"#999\" stroke-dasharray=\"4 4\"/>\n", \
		at, x(1), y(1), x(most), y(1)
	text(x(most) - 4, y(1) - 8, "end", "all that can be done", "fill=\"#777\"")
}
function curve(p,    i, at) {
	for (i = 1; i <= count[p]; i++)
		at = at sprintf("%.1f,%.1f ", x(factor[p, i]), y(share[p, i]))
	printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" " \
		"stroke-width=\"%s\"/>\n", at, colour[p], p == 1 ? 3 : 2
	for (i = 1; i <= count[p]; i++)
		printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\">" \
			"<title>%s</title></circle>\n", x(factor[p, i]), \
			y(share[p, i]), colour[p], said[p, i]
}
# Names stand where the curves end, apart from each other.
function names(    p, q, at, moved) {
	for (p = 1; p <= peers; p++)
		at[p] = y(share[p, count[p]]) + 5
	for (moved = 1; moved; ) {
		moved = 0
		for (p = 1; p <= peers; p++)
			for (q = 1; q <= peers; q++)
				if (p != q && at[p] <= at[q] && at[q] - at[p] < 17) {
					at[q] = at[p] + 18
					moved = 1
				}
	}
	for (p = 1; p <= peers; p++)
		text(left + width + 12, at[p], "start", name[p], \
			"font-weight=\"600\" fill=\"" colour[p] "\"")
}
END {
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 790 430\" " \
		"font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#222\" " \
		"role=\"img\" aria-label=\"Goodput over offered load\">\n" \
		"<rect width=\"790\" height=\"430\" fill=\"#fff\"/>\n"
	text(left, 28, "start", "More load than a pool can carry", \
		"font-size=\"17\" font-weight=\"600\"")
	text(left, 48, "start", "lighttpd, " workers " workers, " ms \
		" ms handlers; clients give up after " patience " s", "fill=\"#555\"")
	if (least < 1 && most > 1) {
		frame()
		ideal()
		for (p = peers; p >= 1; p--)
			curve(p)
		names()
	} else {
		text(left, top + 40, "start", "needs loads below and above 1", "")
	}
	print "</svg>"
}
