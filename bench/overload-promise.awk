# SPDX-License-Identifier: MIT
# What is promised of ndsd under overload, against the points of
# bench/overload and its probes.  Exit status 1 if one figure does not hold.
function promise(what, is, limit, holds) {
	printf "%-4s %-52s %8s  %s\n", holds ? "yes" : "NO", what, is, limit
	missed += !holds
}
BEGIN { FS = "\t"; print "" }
$1 == "ndsd" && $2 == 5 {
	promise("5 x capacity: goodput, of capacity", \
		sprintf("%.2f", $5 / $3), ">= 0.95", $5 / $3 >= 0.95)
	promise("5 x capacity: p99 of the admitted, ms", $9, "<= 250", \
		$9 != "-" && $9 + 0 <= 250)
	promise("5 x capacity: p99 of the refused, ms", $11, "<= 250", \
		$11 == "-" || $11 + 0 <= 250)
	promise("5 x capacity: neither 200 nor 503", $7, "0", $7 == 0)
	promise("5 x capacity: no refusals after it, ms", $12, "<= 1000", \
		$12 !~ />/ && $12 <= 1000)
}
$1 == "live" || $1 == "ready" {
	promise("all workers stuck: p99 of /" $1 ", ms", $2, "<= 20 " $3, \
		$2 > 0 && $2 <= 20 && $3 !~ /[a-z]/)
}
END { exit missed > 0 }
