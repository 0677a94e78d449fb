package verify

import (
	"context"
	"maps"
	"slices"

	"hongbao/schemas"
)

// checkStock compares with what the issuer's Redis remembers: ids known there are within the ids
// with ISSUING, COMPLETED ones are known and done, and the stock that is gone is the ids done.
func (v *run) checkStock(ctx context.Context) error {
	if v.cfg.Stock == nil {
		return nil
	}
	known := make(map[schemas.CouponID]bool)
	var levels []Level
	for _, id := range v.campaigns() {
		err := v.cfg.Stock.Remembered(ctx, id, func(id schemas.CouponID, done bool) error {
			known[id] = known[id] || done
			return nil
		})
		if err != nil {
			return err
		}
		of, err := v.cfg.Stock.Levels(ctx, id)
		if err != nil {
			return err
		}
		levels = append(levels, of...)
	}
	issued := make(map[kind]int64)
	for _, p := range v.parts {
		for i := range p.coupons.all {
			c := &p.coupons.all[i]
			done, ok := known[c.id]
			delete(known, c.id)
			p.checkIssued(c, ok, done)
			if done {
				issued[p.coupons.kinds[c.kind]]++
			}
		}
	}
	for id := range known {
		v.broken.add(Broken{CheckStock, -1, 0, -1, sentence("Redis remembers coupon %s, which no command named", hex(id[:]))})
	}
	for _, l := range levels {
		if n := issued[kind{l.Campaign, l.Coupon}]; l.Declared-l.Left != n {
			v.broken.add(Broken{CheckStock, -1, 0, -1, sentence("campaign %d, kind %s: %d declared and %d left, but Redis remembers %d coupons as issued",
				l.Campaign, l.Coupon, l.Declared, l.Left, n)})
		}
	}
	return nil
}

// campaigns are those that the facts of some partition know, in order.
func (v *run) campaigns() []int64 {
	ids := make(map[int64]bool)
	for _, p := range v.parts {
		for id := range p.campaigns {
			ids[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

func (p *partition) checkIssued(c *coupon, known, done bool) {
	add := func(format string) {
		p.v.broken.add(Broken{CheckStock, p.id, c.factSeq, -1, sentence(format, hex(c.id[:]))})
	}
	switch {
	case known && c.flags&flagIssuing == 0:
		add("Redis remembers coupon %s, which was never ISSUING")
	case c.state == sCompleted && !done:
		add("coupon %s is COMPLETED and Redis does not remember issuing it")
	}
}
