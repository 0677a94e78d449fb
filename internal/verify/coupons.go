package verify

import (
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// coupons are one partition's, from their command on.
type coupons struct {
	index    map[schemas.CouponID]int32
	all      []coupon
	reversed map[uint64]struct{} // orders
	kinds    []kind
}

// kind names a coupon kind of a campaign, for the stock check.
type kind struct {
	campaign int64
	name     string
}

// coupon is one coupon and its voucher. It holds no pointer.
type coupon struct {
	id          schemas.CouponID
	beneficiary int64
	campaign    int64
	chain       int64
	factSeq     int64 // that granted it; 0 of another service
	command     int64 // offset on coupon.commands
	sum         uint64
	order       uint64 // 0: of no purchase
	validForMS  int64
	dueMS       int64
	expiresMS   int64
	told, heard uint64 // digests of the transitions in facts and in results
	kind        int32

	transitions, results int32
	round, attempts      int32 // attempts: entries into ISSUING since the last redrive
	deaths               int32 // entries into DEAD
	letters, earlyDead   int32 // records of coupon.dead, and those of them that cannot be newer

	reason  schemas.Reason // of the last move
	state   pb.CouponState
	voucher pb.VoucherState
	flags   uint8
}

const (
	flagIssuing  = 1 << iota // was in ISSUING once
	flagUsedOnce             // the voucher was used: a refund leaves it
)

func (c *coupon) open() bool {
	switch c.state {
	case pb.CouponState_COUPON_STATE_PENDING, pb.CouponState_COUPON_STATE_VALIDATING,
		pb.CouponState_COUPON_STATE_ISSUING, pb.CouponState_COUPON_STATE_RETRYING:
		return true
	}
	return false
}

// find returns the coupon, nil if no command named it. It is good until the next add.
func (t *coupons) find(id schemas.CouponID) *coupon {
	i, ok := t.index[id]
	if !ok {
		return nil
	}
	return &t.all[i]
}

func (t *coupons) add(cmd *schemas.Command, offset int64) *coupon {
	t.index[cmd.CouponID] = int32(len(t.all)) //nolint:gosec // 2^31 coupons would need 400 GB
	t.all = append(t.all, coupon{
		id: cmd.CouponID, beneficiary: cmd.Beneficiary, campaign: cmd.Campaign, chain: cmd.Chain,
		command: offset, validForMS: cmd.ValidForMS, kind: t.kind(cmd),
	})
	return &t.all[len(t.all)-1]
}

func (t *coupons) kind(cmd *schemas.Command) int32 {
	for i := range t.kinds {
		if t.kinds[i].campaign == cmd.Campaign && t.kinds[i].name == string(cmd.Coupon) {
			return int32(i)
		}
	}
	t.kinds = append(t.kinds, kind{cmd.Campaign, string(cmd.Coupon)})
	return int32(len(t.kinds) - 1) //nolint:gosec // kinds are few
}

func (t *coupons) reverse(order uint64) {
	if t.reversed == nil {
		t.reversed = make(map[uint64]struct{})
	}
	t.reversed[order] = struct{}{}
}

// finishCoupons looks at every coupon at the end of all topics.
func (p *partition) finishCoupons() {
	p.at = 0
	taken := p.meta.Positions[schemas.TopicCommands]
	p.checkOwnAgain(taken)
	for i := range p.coupons.all {
		c := &p.coupons.all[i]
		if c.transitions == 0 && c.command < taken {
			p.checkBuried(c)
		}
		if c.transitions != c.results || c.told != c.heard {
			p.bad(CheckCoupons, "coupon %s has %d transitions in the facts and %d in coupon.results, or they do not say the same", hex(c.id[:]), c.transitions, c.results)
		}
		if c.deaths > c.letters || c.deaths < c.earlyDead {
			p.bad(CheckCoupons, "coupon %s entered DEAD %d times and has %d records in coupon.dead", hex(c.id[:]), c.deaths, c.letters)
		}
		if c.state == pb.CouponState_COUPON_STATE_COMPLETED && c.voucher == pb.VoucherState_VOUCHER_STATE_UNSPECIFIED {
			p.bad(CheckCoupons, "coupon %s is COMPLETED and has no voucher", hex(c.id[:]))
		}
		p.checkRefund(c)
	}
	for i := range p.intake.again {
		if a := &p.intake.again[i]; a.offset < taken {
			p.checkAgain(a)
		}
	}
	for _, b := range p.intake.bad {
		if b.offset < taken && b.letters != 1 {
			p.bad(CheckCoupons, "the command at offset %d of coupon.commands cannot be executed (%s) and has %d records in coupon.dead", b.offset, reasonNames(b.reasons), b.letters)
		}
	}
}

// checkBuried: a command that was read and made no coupon must lie in coupon.dead.
func (p *partition) checkBuried(c *coupon) {
	if c.letters != 1 {
		p.bad(CheckCoupons, "the command at offset %d of coupon.commands (coupon %s) was read; it made no coupon and has %d records in coupon.dead", c.command, hex(c.id[:]), c.letters)
		return
	}
	c.letters, c.earlyDead = 0, 0
}

// checkAgain: what came under one command id before the coupon was made lies in coupon.dead; what came after it does if no version of its campaign has
// such a coupon, or, of hongbao's own, if its key may have been dropped.
func (p *partition) checkAgain(a *againCommand) {
	c := p.coupons.find(a.id)
	least, most := int32(1), int32(1)
	if c.transitions > 0 && c.command < a.offset {
		least, most = p.lettersOfLate(a)
	}
	if a.letters < least || a.letters > most {
		p.bad(CheckCoupons, "the command at offset %d of coupon.commands (coupon %s) was read; it made no coupon and has %d records in coupon.dead", a.offset, hex(a.id[:]), a.letters)
	}
}

// lettersOfLate is how many letters a command may have that was read when its coupon was there.
func (p *partition) lettersOfLate(a *againCommand) (least, most int32) {
	k := p.coupons.kinds[a.kind]
	c := p.campaigns[k.campaign]
	switch {
	case a.own || c == nil:
		return 0, 1
	case c.had[k.name] == c.versions:
		return 0, 0
	case c.had[k.name] == 0:
		return 1, 1
	}
	return 0, 1
}

// checkOwnAgain: a reward has one command, and a second one only once a first lies in coupon.dead. What is newer than that is not judged (V2).
func (p *partition) checkOwnAgain(taken int64) {
	buried := map[schemas.CouponID]bool{}
	for i := range p.intake.bad { // a copy of it that somebody forged is what a person saw dead
		if b := &p.intake.bad[i]; b.letters > 0 {
			buried[b.id] = true
		}
	}
	for i := range p.intake.again {
		a := &p.intake.again[i]
		if !a.own || a.offset >= max(taken, p.v.early[schemas.TopicCommands][p.id]) {
			continue
		}
		c := p.coupons.find(a.id)
		buried[a.id] = buried[a.id] || a.letters > 0 || c.transitions == 0 && c.letters > 0
		if !buried[a.id] {
			p.ungranted(a.offset, a.id, c.factSeq)
		}
	}
}

// checkRefund: an order that was reversed leaves no coupon waiting and no voucher good, but those
// that were used before (domain.md section 6).
func (p *partition) checkRefund(c *coupon) {
	if _, reversed := p.coupons.reversed[c.order]; !reversed || c.order == 0 {
		return
	}
	if c.voucher == vUsed {
		p.usedReversed = append(p.usedReversed, c.id)
	}
	waits := c.state == pb.CouponState_COUPON_STATE_PENDING || c.state == pb.CouponState_COUPON_STATE_VALIDATING ||
		c.state == pb.CouponState_COUPON_STATE_HELD
	good := c.voucher == pb.VoucherState_VOUCHER_STATE_ISSUED && c.flags&flagUsedOnce == 0
	if waits || good {
		p.bad(CheckCoupons, "coupon %s is %s with voucher %s; its order was reversed", hex(c.id[:]), stateName(c.state), voucherName(c.voucher))
	}
}

// tell counts one transition of coupon or voucher into the digest of the facts.
func (c *coupon) tell(event, from, to string, ms int64, reason schemas.Reason) {
	c.transitions++
	c.told = transitionSum(c.told, c.transitions, event, from, to, ms, reason)
}

// transitionSum folds one transition into a digest, by FNV-1a; order matters.
func transitionSum(sum uint64, number int32, event, from, to string, ms int64, reason schemas.Reason) uint64 {
	const prime, separator = 0x100000001b3, 0xff
	for _, text := range [...]string{event, from, to} {
		for i := range len(text) {
			sum = (sum ^ uint64(text[i])) * prime
		}
		sum = (sum ^ separator) * prime
	}
	for _, word := range [...]uint64{uint64(number), uint64(ms), uint64(reason)} { //nolint:gosec // bits, not numbers
		for shift := 0; shift < 64; shift += 8 {
			sum = (sum ^ (word>>shift)&0xff) * prime
		}
	}
	return sum
}
