# SPDX-License-Identifier: MIT
# The points of bench/overload as a table for people.
function row(a, b, c, d, e, f, g, h, i) {
	printf "| %-23s | %8s | %8s | %8s | %9s | %-20s | %15s | %14s | %8s |\n", \
		a, b, c, d, e, f, g, h, i
}
BEGIN {
	FS = "\t"
	row("lighttpd to", "capacity", "offered", "good/s", "refused/s", \
		"other", "p50, p99 good", "p50, p99 503", "again ms")
	row("---", "---", "---", "---", "---", "---", "---", "---", "---")
}
{
	row($1, $3, $2 " x", $5, $6, $13, $8 ", " $9, $10 ", " $11, $12)
}
END {
	print ""
	print "Rates and milliseconds are those of the second half of each load."
	print "other: lost in all of it, by status; slow: the client gave up."
	print "again: milliseconds from the end of the load to the last lost request."
}
