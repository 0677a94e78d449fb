package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"hongbao/schemas"
)

// reward is one that the rules grant for the fact at hand.
type reward struct {
	id          schemas.CouponID
	rule        int32 // index into the campaign's rules
	beneficiary int64
	ordinal     int32
	optional    bool // paid before under another version, or two readings of a rule
	found       bool
}

// checkRewards compares what the rules grant with what the fact grants, and that with the commands
// that follow it: both directions.
func (p *partition) checkRewards(c *campaign, v *schemas.Verdict) {
	switch v.Event {
	case schemas.EventJoin:
		p.expectJoin(c, v)
	case schemas.EventPurchase:
		p.expectPurchase(c, v)
	}
	for i := range v.Rewards {
		p.checkGranted(c, v, &v.Rewards[i])
	}
	for i := range p.rewards {
		if r := &p.rewards[i]; !r.found && !r.optional {
			p.bad(CheckRewards, "rule %s grants a coupon to user %d (%s); the fact does not", c.rules.Rules[r.rule].ID, r.beneficiary, hex(r.id[:]))
		}
	}
	p.checkCommands(c, v)
}

func (p *partition) checkGranted(c *campaign, v *schemas.Verdict, g *schemas.Reward) {
	for i := range p.rewards {
		r := &p.rewards[i]
		if r.found || r.id != g.CouponID {
			continue
		}
		r.found = true
		rule := &c.rules.Rules[r.rule]
		switch {
		case string(g.Rule) != string(rule.ID) || g.Beneficiary != r.beneficiary:
			p.bad(CheckRewards, "coupon %s is granted to user %d by rule %s; it is user %d's by rule %s", hex(g.CouponID[:]), g.Beneficiary, g.Rule, r.beneficiary, rule.ID)
		case string(g.Coupon) != string(c.rules.Coupons[rule.Coupon].Name):
			p.bad(CheckRewards, "rule %s grants kind %s; the campaign says %s", g.Rule, g.Coupon, c.rules.Coupons[rule.Coupon].Name)
		case g.Ordinal != r.ordinal:
			p.bad(CheckRewards, "rule %s grants for ordinal %d; recomputed: %d", g.Rule, g.Ordinal, r.ordinal)
		}
		return
	}
	p.bad(CheckRewards, "the fact grants coupon %s to user %d by rule %s for the %s of user %d; the rules do not, or not twice",
		hex(g.CouponID[:]), g.Beneficiary, g.Rule, kindName(v.Event), v.User)
}

func (p *partition) expectJoin(c *campaign, v *schemas.Verdict) {
	i, ok := c.members[v.User]
	if !ok || p.graph.members[i].seq != p.at {
		return // the join could not be folded and is broken already
	}
	for n := range c.rules.Rules {
		rule := &c.rules.Rules[n]
		switch rule.On {
		case schemas.OnJoin:
			p.expect(c, v, n, i, 'J', v.User, 0)
		case schemas.OnDirectJoins:
			direct := int64(p.graph.members[p.graph.members[i].inviter].direct)
			if rule.Every < 1 || direct%rule.Every != 0 || (!rule.Repeat && direct != rule.Every) {
				continue
			}
			p.expect(c, v, n, i, 'D', v.Inviter, direct/rule.Every)
		}
	}
}

func (p *partition) expectPurchase(c *campaign, v *schemas.Verdict) {
	i, ok := c.members[v.User]
	if !ok {
		return
	}
	for n := range c.rules.Rules {
		rule := &c.rules.Rules[n]
		if rule.On != schemas.OnPurchase {
			continue
		}
		// min_minor counts purchases in the coupon's currency only.
		if string(v.Currency) == string(c.rules.Coupons[rule.Coupon].Currency) && v.AmountMinor >= rule.MinMinor {
			p.expect(c, v, n, i, 'P', 0, 0)
		}
	}
}

// expect adds what rule n grants to whom it names, seen from member i, the joiner or buyer.
func (p *partition) expect(c *campaign, v *schemas.Verdict, n int, i int32, trigger byte, user, multiple int64) {
	rule := &c.rules.Rules[n]
	r := reward{rule: int32(n), ordinal: int32(multiple)} //nolint:gosec // rules are few, and members fewer than 2^31
	hops := int32(0)
	switch rule.To {
	case schemas.ToInviter:
		hops = 1
	case schemas.ToLevel:
		hops, r.ordinal = rule.Level, rule.Level
	}
	if hops > c.rules.MaxDepth {
		return // max_depth bounds every walk
	}
	for ; hops > 0 && i >= 0; hops-- {
		i = p.graph.members[i].inviter
	}
	if i < 0 {
		return // nobody that far up
	}
	r.beneficiary = p.graph.members[i].user
	b := p.scratch[:0]
	b = append(b, trigger, ':')
	switch trigger {
	case 'P':
		b = append(b, v.OrderID...)
	case 'D':
		b = strconv.AppendInt(b, user, 10)
		b = append(b, ':')
		b = strconv.AppendInt(b, multiple, 10)
	default:
		b = strconv.AppendInt(b, user, 10)
	}
	r.id = couponID(v.Campaign, rule.ID, r.beneficiary, b)
	p.scratch = b
	_, r.optional = p.coupons.index[r.id] // a new version never pays again
	p.rewards = append(p.rewards, r)
}

// couponID is domain.md section 5: the first 16 bytes of SHA-256 over the parts, each after its
// length.
func couponID(campaign int64, rule []byte, beneficiary int64, trigger []byte) (id schemas.CouponID) {
	var digits [20]byte
	b := make([]byte, 0, 256)
	part := func(text []byte) {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	part(strconv.AppendInt(digits[:0], campaign, 10))
	part(rule)
	part(strconv.AppendInt(digits[:0], beneficiary, 10))
	part(trigger)
	sum := sha256.Sum256(b)
	copy(id[:], sum[:])
	return id
}
