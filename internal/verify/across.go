package verify

import (
	"hongbao/schemas"
)

// acrossBuckets bounds the memory of the comparison: one bucket's share of all keys at a time.
const acrossBuckets = 16

// checkAcross looks for what each partition must have alone: a user of a campaign, a coupon.
func (v *run) checkAcross() {
	type place struct {
		partition int32
		chain     int64
	}
	type key struct{ campaign, user int64 }
	users := make(map[key]place)
	coupons := make(map[schemas.CouponID]int32)
	for bucket := range uint64(acrossBuckets) {
		clear(users)
		clear(coupons)
		for _, p := range v.parts {
			for id, c := range p.campaigns {
				for user, i := range c.members {
					if spread(user) != bucket {
						continue
					}
					k, here := key{id, user}, place{p.id, p.graph.chainOf(&p.graph.members[i])}
					if first, ok := users[k]; ok {
						v.broken.add(Broken{CheckAcross, p.id, p.graph.members[i].seq, -1, sentence(
							"user %d of campaign %d is in chain %d of partition %d and in chain %d of partition %d",
							user, id, first.chain, first.partition, here.chain, here.partition)})
						continue
					}
					users[k] = here
				}
			}
			for id := range p.coupons.index {
				if uint64(id[0])%acrossBuckets != bucket {
					continue
				}
				if first, ok := coupons[id]; ok {
					v.broken.add(Broken{CheckAcross, p.id, 0, -1, sentence("coupon %s is in partition %d and in partition %d", hex(id[:]), first, p.id)})
					continue
				}
				coupons[id] = p.id
			}
		}
	}
}

// spread puts a user into a bucket; ids of one producer may be multiples of anything.
func spread(user int64) uint64 {
	return uint64(user) * 0x9e3779b97f4a7c15 >> 60 //nolint:gosec // bits, not a number
}
