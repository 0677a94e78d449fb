package cascade

import "hongbao/schemas"

// share lets the inviter of a rung share, which must not be over the limit.
func (r *run) share(c *chain, depth int32) {
	rung := &c.rungs[depth]
	r.sharesLeft(rung)
	rung.shares++
	r.shareBy(c, rung.inviter)
}

func (r *run) shareBy(c *chain, member uint32) {
	r.counts.Shares++
	e := r.shareEvent(c, member)
	r.accepted(c, &e, actShare)
}

func (r *run) shareEvent(c *chain, member uint32) schemas.Event {
	return schemas.Event{Kind: schemas.EventShare, User: r.ids.of(member), CodeText: r.code(c, member)}
}

// sharesLeft is how often a rung's inviter may share within this hour.
func (r *run) sharesLeft(rung *rung) int32 {
	if hour := int32(r.nowMS / 3_600_000); rung.hour != hour { //nolint:gosec // hours fit until the year 246,953
		rung.hour, rung.shares = hour, 0
	}
	return shareLimit - rung.shares
}

// reshare makes a share that no join asks for: by a member who waits, most of whom will
// never have an invitee, or again by an inviter who may. False: nobody can.
func (r *run) reshare(c *chain) bool {
	deepest := c.height() - 1
	depth := min(r.cfg.Shape.Depth.draw(r.dice.unit(), r.cfg.Shape.DepthMax), deepest)
	for d := depth; d > 0; d-- {
		if c.rungs[d].waits == 0 {
			continue
		}
		if !c.ready(d) {
			c.promote(d, &r.cfg.Shape, r.dice)
			r.share(c, d)
			return true
		}
		r.shareBy(c, c.rungs[d].take(r.dice))
		return true
	}
	if rung := &c.rungs[depth]; rung.inviter == 0 || r.sharesLeft(rung) <= 0 {
		return false
	}
	r.share(c, depth)
	return true
}

// invite makes the next join of a chain, or first the share that it needs.
func (r *run) invite(c *chain) {
	depth := c.next(&r.cfg.Shape, r.dice)
	if c.ready(depth - 1) {
		r.join(c, depth)
		return
	}
	c.promote(depth-1, &r.cfg.Shape, r.dice)
	c.pending = depth
	r.share(c, depth-1)
}

func (r *run) join(c *chain, depth int32) {
	member := r.ids.number()
	inviter := c.rungs[depth-1].inviter
	c.ladder.join(depth, member)
	r.counts.join(int(depth))
	if c.rungs[depth-1].direct%directPerCoupon == 0 {
		r.counts.Coupons++
	}
	e := r.joinEvent(c, inviter, r.ids.of(member))
	r.accepted(c, &e, actJoin)
}

func (r *run) joinEvent(c *chain, inviter uint32, invitee int64) schemas.Event {
	return schemas.Event{Kind: schemas.EventJoin, User: invitee, CodeText: r.code(c, inviter)}
}

// code is an inviter's code, not to be changed and valid until the next mint.
func (r *run) code(c *chain, inviter uint32) []byte {
	if inviter == c.seed {
		return c.code[:c.codeLen]
	}
	return r.maker.mint(r.ids.of(c.seed), r.ids.of(inviter))
}

var currency = []byte("CNY")

// purchase lets a member buy for 1 to 200 yuan. From buyMinor on its inviter gets a coupon; the
// seed has none.
func (r *run) purchase(c *chain) {
	buyer := r.buyer(c)
	amount := 100 + int64(r.dice.below(19_901))
	order := r.ids.number()
	r.counts.Purchases++
	if amount >= buyMinor && buyer != c.seed {
		r.counts.Coupons++
		c.order = order
	}
	e := r.purchaseEvent(r.ids.of(buyer), order, amount)
	r.accepted(c, &e, actPurchase)
}

func (r *run) purchaseEvent(buyer int64, order uint32, amount int64) schemas.Event {
	return schemas.Event{Kind: schemas.EventPurchase, User: buyer, OrderID: r.orderID(order), AmountMinor: amount, Currency: currency}
}

func (r *run) orderID(order uint32) []byte { return r.maker.id('o', r.ids.of(order)) }

// buyer is somebody on a random rung.
func (r *run) buyer(c *chain) uint32 {
	rung := &c.rungs[r.dice.below(len(c.rungs))]
	if rung.waits > 0 {
		return rung.waiting[r.dice.below(int(rung.waits))]
	}
	if rung.inviter != 0 {
		return rung.inviter
	}
	return c.seed
}

// reverse takes the chain's last purchase back, for which a coupon was granted.
func (r *run) reverse(c *chain) {
	r.back.done++
	r.counts.Reversals++
	e := schemas.Event{Kind: schemas.EventReversal, OrderID: r.orderID(c.order)}
	c.order = 0
	r.accepted(c, &e, actPurchase)
}
