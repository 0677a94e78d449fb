package verify

import (
	"fmt"
	"slices"
	"strings"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// wcoupon walks one coupon through its machine, writing facts and results.
type wcoupon struct {
	p       *wpart
	cmd     *wcommand
	id      schemas.CouponID
	state   pb.CouponState
	voucher pb.VoucherState
	n       int32 // transitions
	round   int32
	tries   int32
	facts   []*wfact
	results []*wresult
}

const hour = 3600_000

func (p *wpart) coupon(cmd *wcommand) *wcoupon {
	p.taken = cmd.offset + 1
	c := &wcoupon{p: p, cmd: cmd, id: cmd.c.CouponID}
	f := c.move(pb.CouponEvent_COUPON_EVENT_CREATE, sPending, 0)
	f.command = cmd
	f.f.Rare.GetCouponMoved().Offset = cmd.offset
	return c
}

func (c *wcoupon) move(ev pb.CouponEvent, to pb.CouponState, reason schemas.Reason) *wfact {
	c.n++
	m := &pb.CouponMoved{
		CouponId: c.id[:], From: c.state, Event: ev, To: to, Transition: c.n, Reason: reason,
		Attempts: c.tries, Round: c.round, TimeMs: c.p.clock,
	}
	if to == sRetrying {
		c.tries++
		m.DueMs = c.p.clock + []int64{1000, 4500, 33_000}[c.tries-1]
	}
	f := c.p.rare(&pb.Fact{Body: &pb.Fact_CouponMoved{CouponMoved: m}}, schemas.FactCouponMoved)
	from := ""
	if c.state != sNone {
		from = strings.TrimPrefix(c.state.String(), "COUPON_STATE_")
	}
	name := strings.TrimPrefix(to.String(), "COUPON_STATE_")
	c.result(f, &pb.Transition{EventType: "coupon_" + strings.ToLower(name), FromState: from, ToState: name, Transition: c.n, TimeMs: m.TimeMs, Reason: reason})
	c.state = to
	return f
}

func (c *wcoupon) result(f *wfact, t *pb.Transition) {
	c.facts = append(c.facts, f)
	r := &wresult{of: f, in: c.p.id, m: &pb.CouponResult{
		VoucherId: c.id.String(), UserId: c.cmd.c.Beneficiary, Campaign: c.cmd.c.Campaign, ChainId: c.cmd.c.Chain,
		Transitions: []*pb.Transition{t},
	}}
	c.results = append(c.results, r)
	c.p.w.results = append(c.p.w.results, r)
}

func (c *wcoupon) vmove(ev pb.VoucherEvent, to pb.VoucherState, result string, reason schemas.Reason) *wfact {
	c.n++
	m := &pb.VoucherMoved{VoucherId: c.id[:], From: c.voucher, Event: ev, To: to, Transition: c.n, Reason: reason, TimeMs: c.p.clock}
	if ev == pb.VoucherEvent_VOUCHER_EVENT_ISSUE {
		m.ExpiresMs = c.p.clock + 720*hour
	}
	f := c.p.rare(&pb.Fact{Body: &pb.Fact_VoucherMoved{VoucherMoved: m}}, schemas.FactVoucherMoved)
	from := ""
	if c.voucher != vNone {
		from = strings.TrimPrefix(c.voucher.String(), "VOUCHER_STATE_")
	}
	c.result(f, &pb.Transition{EventType: result, FromState: from, ToState: strings.TrimPrefix(to.String(), "VOUCHER_STATE_"), Transition: c.n, TimeMs: m.TimeMs, Reason: reason})
	c.voucher = to
	return f
}

func (c *wcoupon) asked() {
	c.move(pb.CouponEvent_COUPON_EVENT_VALIDATE, sValidating, 0)
	c.move(pb.CouponEvent_COUPON_EVENT_ALLOW, sIssuing, 0)
}

func (c *wcoupon) done() {
	c.move(pb.CouponEvent_COUPON_EVENT_DONE, sCompleted, 0)
	c.vmove(pb.VoucherEvent_VOUCHER_EVENT_ISSUE, vIssued, "voucher_issued", 0)
}

func (c *wcoupon) issue() { c.asked(); c.done() }

// retry fails an attempt and comes back when due, in a later step.
func (c *wcoupon) retry() {
	c.move(pb.CouponEvent_COUPON_EVENT_TRANSIENT, sRetrying, pb.Reason_REASON_ISSUER_TRANSIENT)
	c.p.end()
	c.p.clock += 40_000
	c.move(pb.CouponEvent_COUPON_EVENT_DUE, sIssuing, 0)
}

func (c *wcoupon) die(ev pb.CouponEvent, reason schemas.Reason) {
	c.move(ev, sDead, reason)
	c.p.w.couponDead = append(c.p.w.couponDead, &pb.DeadLetter{
		OriginTopic: "coupon.commands", Key: schemas.AppendKey(nil, c.cmd.c.Chain), Reason: reason,
		CouponId: c.id[:], ChainId: c.cmd.c.Chain, Round: c.round,
	})
}

// pay takes the commands of partition p in order, each another way.
func (sc *scenario) pay() {
	p := sc.p
	ways := map[string]func(c *wcoupon){
		"welcome": sc.payUsed, "l1": sc.payRetried, "two": sc.payExhausted, "buy": sc.payReversed,
	}
	seen := map[string]int{}
	for _, cmd := range p.commands {
		if cmd == sc.ahead {
			continue
		}
		rule := string(cmd.c.Rule)
		seen[rule]++
		name := fmt.Sprint(rule, seen[rule])
		if name == "welcome4" {
			sc.lost = append(sc.lost, cmd)
			continue
		}
		c := p.coupon(cmd)
		sc.coupons[name] = c
		switch {
		case name == "welcome2":
			sc.payRefused(c)
		case name == "l12":
			sc.payRejected(c)
		case seen[rule] == 1:
			ways[rule](c)
		default:
			c.issue()
		}
	}
	sc.payLost("welcome4")
	p.end()
}

// stranger is a signature under a key that is not live.
var stranger = append([]byte{77}, make([]byte, 10)...)

// payLost: the key of a command is dropped before it is read, that of the one sent again too, the next makes the coupon; and it comes once more.
func (sc *scenario) payLost(name string) {
	p := sc.p
	for range 2 {
		sc.lost = append(sc.lost, p.command(sc.lost[0].of, sc.lost[0].c))
	}
	for _, cmd := range sc.lost[:2] {
		cmd.mac = stranger
		sc.bury(cmd, pb.Reason_REASON_INVALID_FIELD)
	}
	sc.coupons[name] = p.coupon(sc.lost[2])
	sc.coupons[name].issue()
	p.command(sc.lost[0].of, sc.lost[0].c)
	p.taken = p.next
}

func (sc *scenario) payUsed(c *wcoupon) {
	c.issue()
	c.p.end()
	v := &pb.VoucherCommand{VoucherId: c.id[:], Chain: sc.s}
	used := &pb.ControlCommand{CommandId: "use", Body: &pb.ControlCommand_Redeem{Redeem: v}}
	back := &pb.ControlCommand{CommandId: "back", Body: &pb.ControlCommand_RollBack{RollBack: v}}
	c.p.ask(used)
	c.vmove(pb.VoucherEvent_VOUCHER_EVENT_REDEEM, vUsed, "voucher_used", 0).f.Rare.GetVoucherMoved().CommandId = used.CommandId
	c.p.ask(used) // a redelivery
	c.p.ask(back)
	c.vmove(pb.VoucherEvent_VOUCHER_EVENT_ROLL_BACK, vIssued, "voucher_rolled_back", 0).f.Rare.GetVoucherMoved().CommandId = back.CommandId
	c.p.end()
	c.p.clock += 720 * hour
	c.vmove(pb.VoucherEvent_VOUCHER_EVENT_EXPIRE, vExpired, "voucher_expired", pb.Reason_REASON_VALIDITY_ENDED)
}

func (sc *scenario) payRetried(c *wcoupon) {
	c.asked()
	c.retry()
	c.done()
}

func (sc *scenario) payExhausted(c *wcoupon) {
	c.asked()
	c.retry()
	c.retry()
	c.retry()
	c.die(pb.CouponEvent_COUPON_EVENT_EXHAUST, pb.Reason_REASON_EXHAUSTED)
	c.tries = 0
	c.move(pb.CouponEvent_COUPON_EVENT_REDRIVE, sIssuing, 0)
	c.done()
}

// payRefused: out of stock, a top-up, again under another round.
func (sc *scenario) payRefused(c *wcoupon) {
	c.asked()
	c.move(pb.CouponEvent_COUPON_EVENT_OUT_OF_STOCK, sFailed, pb.Reason_REASON_OUT_OF_STOCK)
	c.round++
	c.move(pb.CouponEvent_COUPON_EVENT_REDRIVE, sIssuing, 0)
	c.done()
}

// payRejected: held, rejected by a person, discarded.
func (sc *scenario) payRejected(c *wcoupon) {
	c.move(pb.CouponEvent_COUPON_EVENT_VALIDATE, sValidating, 0)
	c.move(pb.CouponEvent_COUPON_EVENT_HOLD, sHeld, 0)
	c.die(pb.CouponEvent_COUPON_EVENT_REJECT, pb.Reason_REASON_REVIEW_REJECTED)
	c.move(pb.CouponEvent_COUPON_EVENT_DISCARD, sFailed, pb.Reason_REASON_DISCARDED)
}

// payReversed: the order is refunded after the voucher is out.
func (sc *scenario) payReversed(c *wcoupon) {
	c.issue()
	back := c.p.send(&wevent{kind: schemas.EventReversal, ms: sc.at(50), chain: sc.s, order: "o1"})
	first := c.p.accept(back, 0)
	c.vmove(pb.VoucherEvent_VOUCHER_EVENT_REVOKE, vRevoked, "voucher_revoked", pb.Reason_REASON_ORDER_REVERSED)
	again := c.p.send(&wevent{kind: schemas.EventReversal, ms: sc.at(51), chain: sc.s, order: "o1"})
	c.p.duplicate(again, first)
}

// forgeries: commands that name a fact and are not hongbao's; each is buried.
func (sc *scenario) forgeries() {
	p := sc.p
	for _, f := range []struct {
		of  *wfact
		mac []byte
		id  byte
	}{
		{sc.joinA, []byte{}, 1},
		{sc.joinA, make([]byte, 11), 1},
		{sc.joinA, stranger, 1},
		{sc.joinA, []byte{}, 0},                             // in a genuine one's words
		{&wfact{f: schemas.Fact{Seq: 99_999}}, stranger, 1}, // of a fact that never was
	} {
		c := p.commands[0].c
		c.CouponID[0] ^= f.id
		cmd := p.command(f.of, c)
		cmd.mac = f.mac
		sc.bury(cmd, pb.Reason_REASON_INVALID_FIELD)
	}
	p.command(sc.joinA, p.commands[0].c) // sent again by somebody who saw the letter of the copy
}

// unbury takes back the letter of a command.
func (sc *scenario) unbury(cmd *wcommand) {
	sc.couponDead = slices.DeleteFunc(sc.couponDead, func(d *pb.DeadLetter) bool { return d.OriginOffset == cmd.offset && len(d.CouponId) == 0 })
}

func (sc *scenario) bury(cmd *wcommand, reason schemas.Reason) {
	sc.couponDead = append(sc.couponDead, &pb.DeadLetter{
		OriginTopic: "coupon.commands", OriginPartition: sc.p.id, OriginOffset: cmd.offset, Key: []byte(cmd.key), Reason: reason,
	})
}

// redelivered: a service sends what cannot be executed a second time; each record has its letter.
func (sc *scenario) redelivered(c schemas.Command) {
	c.Coupon = []byte("no_such")
	for range 2 {
		sc.bury(sc.p.command(nil, c), pb.Reason_REASON_UNKNOWN_COUPON)
	}
}

// corrected: a service sends under the same id what cannot be executed and then what can; and both once more.
func (sc *scenario) corrected(c schemas.Command) *wcommand {
	c.Coupon = []byte("no_such")
	sc.bury(sc.p.command(nil, c), pb.Reason_REASON_UNKNOWN_COUPON)
	c.Coupon = sc.campaign.Coupons[0].Name
	cmd := sc.p.command(nil, c)
	sc.sound = sc.p.command(nil, c)
	c.Coupon = []byte("no_such")
	sc.unsound = sc.p.command(nil, c)
	sc.bury(sc.unsound, pb.Reason_REASON_UNKNOWN_COUPON)
	return cmd
}

// others: what other services send on coupon.commands.
func (sc *scenario) others() {
	p := sc.p
	sc.bury(sc.ahead, pb.Reason_REASON_INVALID_FIELD)
	kind := sc.campaign.Coupons[0]
	foreign := p.command(nil, schemas.Command{Campaign: 1, Chain: sc.s, Beneficiary: sc.a, Coupon: kind.Name, CommandID: []byte("c-1")})
	sent := foreign.c
	executed := func(cmd *wcommand) *wcoupon {
		full := cmd.c
		schemas.MakeCouponID(&full.CouponID, 1, nil, sc.a, schemas.AppendTriggerCommand(nil, full.CommandID))
		full.HasCouponID, full.ValidForMS = true, kind.ValidForMS
		return p.coupon(&wcommand{offset: cmd.offset, c: full})
	}
	executed(foreign).issue()
	p.command(nil, sent) // redelivered
	sc.redelivered(schemas.Command{Campaign: 1, Chain: sc.s, Beneficiary: sc.a, CommandID: []byte("c-3")})
	executed(sc.corrected(schemas.Command{Campaign: 1, Chain: sc.s, Beneficiary: sc.a, CommandID: []byte("c-4")})).issue()
	sc.forgeries()
	unknown := p.command(nil, schemas.Command{Campaign: 1, Chain: sc.s, Beneficiary: sc.a, Coupon: []byte("no_such"), CommandID: []byte("c-2")})
	garbage := p.command(nil, schemas.Command{Chain: sc.s})
	garbage.raw = []byte("\xff garbage")
	sc.bury(unknown, pb.Reason_REASON_UNKNOWN_COUPON)
	sc.bury(garbage, pb.Reason_REASON_UNDECODABLE)
	p.taken = p.next
	p.end()
}
