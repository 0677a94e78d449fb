package cascade

import (
	"iter"

	"hongbao/schemas"
)

// directPerCoupon is `every` of the built-in campaign's rule "ten", buyMinor the `min_minor`
// of its rule "buy" (domain.md section 5).
const (
	directPerCoupon = 10
	buyMinor        = 5000
)

// reasonLimit is above every number of schemas.Reason that an event can end in.
const reasonLimit = 64

// ByReason counts by reason code.
type ByReason [reasonLimit]int64

// Each yields the reasons that occurred, by number.
func (b *ByReason) Each() iter.Seq2[schemas.Reason, int64] {
	return func(yield func(schemas.Reason, int64) bool) {
		for i, n := range b {
			if n > 0 && !yield(schemas.Reason(i), n) {
				return
			}
		}
	}
}

// Total is the sum over all reasons.
func (b *ByReason) Total() (n int64) {
	for _, v := range b {
		n += v
	}
	return n
}

// Counts are what a correct hongbao answers to a stream sent once, whole and in order (K5).
type Counts struct {
	Records int64 // sent; the sum of accepted, refused, duplicates and dead

	Shares, Joins, Purchases, Reversals int64 // accepted
	Duplicates                          int64
	Refused                             ByReason // verdicts
	Dead                                ByReason // records in invite.dead

	Depth   []int64 // Depth[d] = joins accepted at depth d
	Coupons int64   // granted by the built-in campaign "demo"; each reversal took back one of them
}

// Accepted is the number of events accepted.
func (k *Counts) Accepted() int64 { return k.Shares + k.Joins + k.Purchases + k.Reversals }

// join counts a join at a depth and its coupons: welcome to the invitee, l1 to the inviter.
func (k *Counts) join(depth int) {
	k.Joins++
	k.Coupons += 2
	for len(k.Depth) <= depth {
		k.Depth = append(k.Depth, 0)
	}
	k.Depth[depth]++
}
