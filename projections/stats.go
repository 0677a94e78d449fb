package projections

import (
	"fmt"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// StatsDepths is the number of depths counted one by one; deeper joins share the last place.
const StatsDepths = 128

// Stats counts a campaign's facts in this partition. Arrays are indexed by the enums' numbers.
type Stats struct {
	Accepted   [5]int64  // by schemas.EventKind
	Refused    [16]int64 // by schemas.Reason
	Duplicates int64
	Rewards    int64
	Depth      [StatsDepths + 1]int64 // accepted joins by depth, from 1
	MaxDepth   int64
	Coupons    [9]int64 // by pb.CouponState: how many stand there now
	Vouchers   [5]int64 // by pb.VoucherState: how many stand there now
}

func (t *Stats) join(depth uint32) {
	t.Depth[min(depth, StatsDepths)]++
	t.MaxDepth = max(t.MaxDepth, int64(depth))
}

func (t *Stats) refused(r schemas.Reason) error {
	if r < 1 || int(r) >= len(t.Refused) {
		return fmt.Errorf("refused for reason %d, which is no verdict's", r)
	}
	t.Refused[r]++
	return nil
}

func (t *Stats) couponMoved(from, to pb.CouponState) {
	if from != 0 {
		t.Coupons[from]--
	}
	t.Coupons[to]++
}

func (t *Stats) voucherMoved(from, to pb.VoucherState) {
	if from != 0 {
		t.Vouchers[from]--
	}
	t.Vouchers[to]++
}

// Add sums the statistics of several partitions.
func (t *Stats) Add(o *Stats) {
	theirs := o.fields()
	for i, mine := range t.fields() {
		for k := range mine {
			mine[k] += theirs[i][k]
		}
	}
	t.Duplicates += o.Duplicates
	t.Rewards += o.Rewards
	t.MaxDepth = max(t.MaxDepth, o.MaxDepth)
}

func (t *Stats) fields() [5][]int64 {
	return [5][]int64{t.Accepted[:], t.Refused[:], t.Depth[:], t.Coupons[1:], t.Vouchers[1:]}
}

func (t *Stats) appendTo(dst []byte) []byte {
	dst = appendInt(appendInt(appendInt(dst, t.Duplicates), t.Rewards), t.MaxDepth)
	for _, field := range t.fields() {
		n := len(field)
		for n > 0 && field[n-1] == 0 {
			n--
		}
		dst = appendInt(dst, int64(n))
		for _, v := range field[:n] {
			dst = appendInt(dst, v)
		}
	}
	return dst
}

func (t *Stats) readFrom(r *recordReader) {
	*t = Stats{Duplicates: r.int(), Rewards: r.int(), MaxDepth: r.int()}
	for _, field := range t.fields() {
		n := r.small(int64(len(field)))
		for i := range n {
			field[i] = r.int()
			if i == n-1 && field[i] == 0 {
				r.bad = true // one content, one encoding
			}
		}
	}
}
