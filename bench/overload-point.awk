# SPDX-License-Identifier: MIT
# One load of bench/overload, from the lines of nds-prove --each: the load, and
# the little load that ran beside it and went on behind it.  Prints one point:
# pool, factor, capacity, offered, goodput, refused, other, then milliseconds:
# p50 and p99 of the admitted and of the refused, and until the last refusal
# after the end of the load.  All but "other" are of the second half of the load,
# when it stands: at first the queue takes it for a burst.
function percentile(list, n, p,    at) {
	if (n == 0)
		return "-"
	at = int(n * p / 100 + 0.999999)
	return sprintf("%.0f", list[at < 1 ? 1 : at] * 1000)
}
# heap sort, for lists of ten thousand
function sift(list, from, n,    child, t) {
	for (; (child = 2 * from) <= n; from = child) {
		if (child < n && list[child + 1] > list[child])
			child++
		if (list[from] >= list[child])
			return
		t = list[from]; list[from] = list[child]; list[child] = t
	}
}
function order(list, n,    i, t) {
	for (i = int(n / 2); i >= 1; i--)
		sift(list, i, n)
	for (i = n; i > 1; i--) {
		t = list[1]; list[1] = list[i]; list[i] = t
		sift(list, 1, i - 1)
	}
}
BEGIN { OFS = "\t"; sick = 0 }
FNR == 1 { file++ }
file == 2 {
	if ($4 != "answered" && $1 > seconds && $1 - seconds > sick)
		sick = $1 - seconds
	next
}
{ stands = $1 >= seconds / 2 }
$4 == "answered" {
	if (stands)
		good[++goods] = $2
	inside += $1 + $2 > seconds / 2 && $1 + $2 <= seconds
	next
}
$3 == 503 {
	if (stands)
		refused[++refusals] = $2
	next
}
{ other++; kinds[$4 == "too_slow" ? "slow" : $3 > 0 ? $3 : $4]++ }
END {
	order(good, goods)
	order(refused, refusals)
	for (kind in kinds)
		names = names (names == "" ? "" : ", ") kinds[kind] " " kind
	print pool, factor, capacity, rate, sprintf("%.1f", inside / seconds * 2), \
		sprintf("%.1f", refusals / seconds * 2), other + 0, \
		percentile(good, goods, 50), percentile(good, goods, 99), \
		percentile(refused, refusals, 50), \
		percentile(refused, refusals, 99), \
		sprintf(sick > 2.9 ? "> 2900" : "%.0f", sick * 1000), \
		names == "" ? "-" : names
}
