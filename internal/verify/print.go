package verify

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "events    %d read, %d dead letters\n", r.Events, r.Dead)
	fmt.Fprintf(&b, "facts     %d in %d partitions\n", r.Facts, len(r.Partitions))
	fmt.Fprintf(&b, "verdicts  %s\n", counts(r.Verdicts))
	fmt.Fprintf(&b, "graph     %d shares and %d joins accepted", r.SharesAccepted, r.JoinsAccepted)
	if deepest := r.deepest(); deepest > 0 {
		fmt.Fprintf(&b, ", deepest %d (1: %d)", deepest, r.Depth["1"])
	}
	fmt.Fprintf(&b, "\ncoupons   %s\n", counts(r.Coupons))
	if r.CodesUnchecked > 0 {
		fmt.Fprintf(&b, "unchecked %d codes under keys that were not given; facts say whether they were genuine\n", r.CodesUnchecked)
	}
	if r.Others > 0 {
		fmt.Fprintf(&b, "others    %d commands of other services, without a fact behind them\n", r.Others)
	}
	if r.Unpaid > 0 {
		fmt.Fprintf(&b, "unpaid    %d rewards whose commands lie in coupon.dead (hongbao dead list --commands)\n", r.Unpaid)
	}
	if r.UsedReversedTotal > 0 {
		fmt.Fprintf(&b, "used      %d vouchers of reversed orders, which nobody takes back: %s", r.UsedReversedTotal, strings.Join(r.UsedReversed, ", "))
		if more := r.UsedReversedTotal - int64(len(r.UsedReversed)); more > 0 {
			fmt.Fprintf(&b, " and %d more", more)
		}
		b.WriteByte('\n')
	}
	if r.Gone > 0 {
		fmt.Fprintf(&b, "gone      %d verdicts could not be recomputed: retention has deleted their events\n", r.Gone)
	}
	if r.Lag > 0 {
		fmt.Fprintf(&b, "lag       %d records wait to be read\n", r.Lag)
	}
	if r.Open > 0 {
		fmt.Fprintf(&b, "open      %d coupons are on their way\n", r.Open)
	}
	for _, x := range r.Broken {
		fmt.Fprintf(&b, "BROKEN    %s\n", x)
	}
	if more := r.BrokenTotal - int64(len(r.Broken)); more > 0 {
		fmt.Fprintf(&b, "BROKEN    and %d more\n", more)
	}
	if r.OK {
		b.WriteString("ok\n")
	} else {
		b.WriteString("not ok\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// String is one line: check, place, sentence.
func (b Broken) String() string {
	at := string(b.Check)
	if b.Partition >= 0 {
		at += ", partition " + strconv.Itoa(int(b.Partition))
	}
	if b.Seq > 0 {
		at += ", seq " + itoa(b.Seq)
	}
	return at + ": " + b.Sentence
}

func (r *Report) deepest() int {
	deepest := 0
	for d := range r.Depth {
		if n, err := strconv.Atoi(d); err == nil {
			deepest = max(deepest, n)
		}
	}
	return deepest
}

func counts(m map[string]int64) string {
	if len(m) == 0 {
		return "none"
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(out, ", ")
}
