package verify

import (
	"strings"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// attemptsMax is how often the issuer is asked in one series (domain.md section 6).
const attemptsMax = 4

// couponMoved takes one transition of a coupon.
func (p *partition) couponMoved(m *pb.CouponMoved) {
	c := p.movedCoupon(m)
	if c == nil {
		return
	}
	to, ok := couponTarget(couponMove{c.state, m.Event})
	if m.Event == pb.CouponEvent_COUPON_EVENT_REDRIVE && c.state == sFailed && !finalRefusal(c.reason) {
		ok = false // of FAILED, only what a top-up can cure
	}
	switch {
	case m.From != c.state:
		p.badCoupon(c, "moves from %s and was %s", stateName(m.From), stateName(c.state))
	case !ok:
		p.badCoupon(c, "cannot take %s while %s", eventName(m.Event), stateName(c.state))
	case m.To != to.to:
		p.badCoupon(c, "goes by %s from %s to %s; the table says %s", eventName(m.Event), stateName(m.From), stateName(m.To), stateName(to.to))
	case to.reason != anyReason && m.Reason != to.reason:
		p.badCoupon(c, "goes by %s with reason %s; it should be %s", eventName(m.Event), reasonName(m.Reason), reasonName(to.reason))
	}
	if m.Transition != c.transitions+1 {
		p.badCoupon(c, "makes transition %d after %d", m.Transition, c.transitions)
	}
	p.checkRound(c, m)
	p.checkAttempts(c, m)
	p.step.times.add(m.TimeMs)
	from := ""
	if m.From != sNone {
		from = stateName(m.From)
	}
	c.tell("coupon_"+strings.ToLower(stateName(m.To)), from, stateName(m.To), m.TimeMs, m.Reason)
	c.state, c.reason, c.round = m.To, m.Reason, m.Round
	if m.To == sDead {
		c.deaths++
	}
}

// movedCoupon finds the coupon of a transition; a creation must be that of its command.
func (p *partition) movedCoupon(m *pb.CouponMoved) *coupon {
	var id schemas.CouponID
	copy(id[:], m.CouponId)
	if m.Event != pb.CouponEvent_COUPON_EVENT_CREATE {
		c := p.coupons.find(id)
		if c == nil {
			p.bad(CheckCoupons, "coupon %s moves and no command named it", hex(m.CouponId))
		}
		return c
	}
	p.readForeign(m.Offset)
	p.step.lastCommand = max(p.step.lastCommand, m.Offset+1)
	c := p.coupons.find(id)
	if c == nil {
		p.bad(CheckCoupons, "coupon %s is created from offset %d of coupon.commands, where no command for it is", hex(m.CouponId), m.Offset)
		return nil
	}
	if m.Offset != c.command {
		p.executes(c, m.Offset)
	}
	if m.Offset != c.command {
		p.badCoupon(c, "is created from offset %d of coupon.commands; its command is at offset %d", m.Offset, c.command)
	}
	if m.Offset < p.previous.Positions[schemas.TopicCommands] {
		p.badCoupon(c, "is created from offset %d of coupon.commands, below the position %d", m.Offset, p.previous.Positions[schemas.TopicCommands])
	}
	if c.factSeq == 0 {
		c.validForMS = m.Command.GetValidForMs() // of another service's: the campaign says it
	} else if said := commandOf(m.Command); commandSum(&said) != c.sum {
		p.badCoupon(c, "is created from another command than the one at offset %d", c.command)
	}
	return c
}

// readForeign takes in commands of other services, and own ones that were sent again, up to an offset that a
// creation names: they may stand before the next command of our own.
func (p *partition) readForeign(offset int64) {
	for {
		if at := p.intake.at; at != nil && (at.Offset >= offset || !p.setAside()) {
			return
		}
		r := p.commands.peek()
		if r == nil || r.Offset > offset {
			return
		}
		p.nextOwn()
	}
}

func commandOf(m *pb.CouponCommand) schemas.Command {
	c := schemas.Command{
		HasCouponID: len(m.GetCouponId()) > 0,
		Campaign:    m.GetCampaign(), Chain: m.GetChain(), Beneficiary: m.GetBeneficiary(),
		Coupon: []byte(m.GetCoupon()), Rule: []byte(m.GetRuleId()), FactSeq: m.GetFactSeq(),
		ValueMinor: m.GetValueMinor(), Currency: []byte(m.GetCurrency()), ValidForMS: m.GetValidForMs(),
		OrderID: []byte(m.GetOrderId()), CommandID: []byte(m.GetCommandId()), Trace: []byte(m.GetTraceparent()),
	}
	copy(c.CouponID[:], m.GetCouponId())
	return c
}

// checkRound: only a redrive after the issuer's own refusal raises the round (X11).
func (p *partition) checkRound(c *coupon, m *pb.CouponMoved) {
	want := c.round
	if m.Event == pb.CouponEvent_COUPON_EVENT_REDRIVE && finalRefusal(c.reason) {
		want++
	}
	if m.Round != want {
		p.badCoupon(c, "is in round %d; it should be %d", m.Round, want)
	}
}

// checkAttempts counts entries into ISSUING since the last redrive: the 4th failed attempt is the
// last, and no retry comes early.
func (p *partition) checkAttempts(c *coupon, m *pb.CouponMoved) {
	switch {
	case m.Event == pb.CouponEvent_COUPON_EVENT_DUE && m.TimeMs < c.dueMS:
		p.badCoupon(c, "is tried again at %d, due at %d", m.TimeMs, c.dueMS)
	case m.To == sRetrying && c.attempts >= attemptsMax:
		p.badCoupon(c, "retries after %d attempts; %d are the last", c.attempts, attemptsMax)
	case m.Event == pb.CouponEvent_COUPON_EVENT_EXHAUST && c.attempts != attemptsMax:
		p.badCoupon(c, "is exhausted after %d attempts; it takes %d", c.attempts, attemptsMax)
	case m.To == sRetrying && !dueInTime(c.attempts, m.DueMs-m.TimeMs):
		p.badCoupon(c, "retries %d ms after attempt %d; after 1 s, 5 s and 30 s (20 %% either way)", m.DueMs-m.TimeMs, c.attempts)
	}
	c.dueMS = m.DueMs
	if m.Event == pb.CouponEvent_COUPON_EVENT_REDRIVE {
		c.attempts = 0
	}
	if m.To == sIssuing {
		c.attempts++
		c.flags |= flagIssuing
	}
}

func dueInTime(attempt int32, delayMS int64) bool {
	delays := [...]int64{1000, 5000, 30_000}
	if attempt < 1 || int(attempt) > len(delays) {
		return true // said already
	}
	want := delays[attempt-1]
	return delayMS >= want-want/5 && delayMS <= want+want/5
}

// voucherMoved takes one transition of a voucher.
func (p *partition) voucherMoved(m *pb.VoucherMoved) {
	p.carriedOut(m.CommandId)
	var id schemas.CouponID
	copy(id[:], m.VoucherId)
	c := p.coupons.find(id)
	if c == nil {
		p.bad(CheckCoupons, "voucher %s moves and no command named its coupon", hex(m.VoucherId))
		return
	}
	to, result, ok := voucherTarget(c.voucher, m.Event)
	switch {
	case m.From != c.voucher || !ok || m.To != to:
		p.badCoupon(c, "has a voucher that goes from %s to %s and was %s", voucherName(m.From), voucherName(m.To), voucherName(c.voucher))
	case m.Event == pb.VoucherEvent_VOUCHER_EVENT_ISSUE && (c.state != sCompleted || c.flags&flagIssuing == 0):
		p.badCoupon(c, "has its voucher issued while %s", stateName(c.state))
	case m.Event == pb.VoucherEvent_VOUCHER_EVENT_ISSUE && c.validForMS > 0 && m.ExpiresMs != m.TimeMs+c.validForMS:
		p.badCoupon(c, "has a voucher that expires at %d; issued at %d and valid for %d ms", m.ExpiresMs, m.TimeMs, c.validForMS)
	case m.Event == pb.VoucherEvent_VOUCHER_EVENT_EXPIRE && m.TimeMs < c.expiresMS:
		p.badCoupon(c, "has a voucher that expires at %d, early: it is good until %d", m.TimeMs, c.expiresMS)
	}
	if m.Transition != c.transitions+1 {
		p.badCoupon(c, "makes transition %d after %d", m.Transition, c.transitions)
	}
	p.step.times.add(m.TimeMs)
	from := ""
	if m.From != vNone {
		from = voucherName(m.From)
	}
	c.tell(result, from, voucherName(m.To), m.TimeMs, m.Reason)
	c.voucher = m.To
	if m.Event == pb.VoucherEvent_VOUCHER_EVENT_ISSUE {
		c.expiresMS = m.ExpiresMs
	}
	if m.To == vUsed {
		c.flags |= flagUsedOnce
	}
}

func (p *partition) badCoupon(c *coupon, format string, args ...any) {
	p.bad(CheckCoupons, "coupon "+hex(c.id[:])+" "+format, args...)
}

func eventName(e pb.CouponEvent) string { return strings.TrimPrefix(e.String(), "COUPON_EVENT_") }
