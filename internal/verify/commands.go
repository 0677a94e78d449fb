package verify

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/zeebo/xxh3"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// intake is the reading of coupon.commands: hongbao's own commands wait in it until the fact that
// granted them comes by.
type intake struct {
	command schemas.Command
	at      *topiclog.Record             // the own command that is next; nil: not read yet
	aside   map[int64][]*topiclog.Record // by the seq that they name: not known for hongbao's own, and what stands behind them was due before
	bad     []badCommand                 // for coupon.dead
	again   []againCommand               // by offset
}

// badCommand is a command that nobody can execute.
type badCommand struct {
	id      schemas.CouponID // that it names; zero: it does not decode
	offset  int64
	reasons uint64
	letters int
}

// againCommand is a command under an id that an earlier one had: of another service, or hongbao's own that a person sent again after its dead letter,
// in the same words. One of them made the coupon, or none; each before it has a letter.
type againCommand struct {
	own     bool
	offset  int64
	chain   int64
	id      schemas.CouponID
	kind    int32
	letters int32
}

// nextOwn shows the next command that hongbao wrote, taking in those of other services before it.
func (p *partition) nextOwn() *schemas.Command {
	if p.intake.at != nil {
		return &p.intake.command
	}
	for r := p.commands.peek(); r != nil; r = p.commands.peek() {
		p.commands.take()
		c := &p.intake.command
		if reasons := p.badCommand(c, r); reasons != 0 {
			p.intake.bad = append(p.intake.bad, badCommand{offset: r.Offset, reasons: reasons})
			continue
		}
		if c.FactSeq != 0 && p.forged(c, r) {
			p.bury(c, r)
			continue
		}
		if c.FactSeq != 0 && p.isOwnAgain(c) {
			p.addAgain(c, r.Offset)
			continue
		}
		if c.FactSeq != 0 {
			p.intake.at = r
			return c
		}
		p.tally.others++
		p.addForeign(c, r.Offset)
	}
	return nil
}

// badCommand has a bit for every reason to bury the command.
func (p *partition) badCommand(c *schemas.Command, r *topiclog.Record) (reasons uint64) {
	if err := c.Decode(r.Value); err != nil {
		reasons = bit(pb.Reason_REASON_UNDECODABLE)
		if said, ok := errors.AsType[*schemas.Poison](err); ok {
			reasons = bit(said.Reason)
		}
	} else if key := schemas.AppendKey(p.scratch[:0], c.Chain); !bytes.Equal(key, r.Key) {
		reasons |= bit(pb.Reason_REASON_MISROUTED)
	}
	switch {
	case len(r.Key) == 0:
		reasons |= bit(pb.Reason_REASON_NO_KEY)
	case schemas.Partition(r.Key, p.v.n) != p.id:
		reasons |= bit(pb.Reason_REASON_MISROUTED)
	}
	return reasons
}

// checkCommands takes the commands of the fact at hand and compares them with its rewards.
func (p *partition) checkCommands(c *campaign, v *schemas.Verdict) {
	if len(v.Rewards) == 0 {
		return
	}
	found := 0
	for _, r := range p.intake.aside[p.at] {
		var cmd schemas.Command
		if cmd.Decode(r.Value) == nil && p.checkCommand(c, v, &cmd, r) {
			found++
		} else {
			p.bury(&cmd, r)
		}
	}
	delete(p.intake.aside, p.at)
	for cmd := p.nextOwn(); cmd != nil; cmd = p.nextOwn() {
		r := p.intake.at
		if cmd.FactSeq > p.at {
			if found < len(v.Rewards) && p.setAside() {
				continue
			}
			break
		}
		p.intake.at = nil
		if cmd.FactSeq == p.at && p.checkCommand(c, v, cmd, r) {
			found++
		} else {
			p.orphan(cmd, r)
		}
	}
	if found < len(v.Rewards) && p.commands.err == nil {
		p.bad(CheckRewards, "the fact grants %d rewards, coupon.commands has %d commands for it", len(v.Rewards), found)
	}
}

// setAside gives way to the commands behind the next one, if that is not known for hongbao's own: those come in the order of their facts, but anybody can
// write a record that names a later one, under a key that nobody has.
func (p *partition) setAside() bool {
	cmd, r := &p.intake.command, p.intake.at
	if p.signed.Verify(cmd) == schemas.CodeGood {
		return false
	}
	if p.intake.aside == nil {
		p.intake.aside = map[int64][]*topiclog.Record{}
	}
	p.intake.aside[cmd.FactSeq] = append(p.intake.aside[cmd.FactSeq], r)
	p.intake.at = nil
	return true
}

// forged says that a command with a fact_seq is surely not hongbao's: without a signature, with a wrong one, or
// naming a fact that did not exist when it was read. One under a key that is not live here may be of a key that was.
func (p *partition) forged(cmd *schemas.Command, r *topiclog.Record) bool {
	switch status := p.signed.Verify(cmd); {
	case status == schemas.CodeGood:
		return false
	case len(cmd.MAC) == 0, status == schemas.CodeForged:
		return true
	}
	return cmd.FactSeq > p.meta.Seq && r.Offset < p.meta.Positions[schemas.TopicCommands]
}

// bury expects a dead letter about a command that hongbao did not sign.
func (p *partition) bury(cmd *schemas.Command, r *topiclog.Record) {
	p.intake.bad = append(p.intake.bad, badCommand{offset: r.Offset, id: cmd.CouponID, reasons: bit(pb.Reason_REASON_INVALID_FIELD)})
}

// orphan is a command without a reward: hongbao's mistake, or under a signature that nobody here knows.
func (p *partition) orphan(cmd *schemas.Command, r *topiclog.Record) {
	if p.signed.Verify(cmd) != schemas.CodeGood {
		p.bury(cmd, r)
		return
	}
	p.ungranted(r.Offset, cmd.CouponID, cmd.FactSeq)
}

func (p *partition) ungranted(offset int64, id schemas.CouponID, seq int64) {
	p.v.broken.add(Broken{CheckRewards, p.id, 0, offset, sentence(
		"the command at offset %d of coupon.commands (coupon %s) has no reward of seq %d behind it, or is its second one", offset, hex(id[:]), seq)})
}

// checkCommand finds the command's reward and compares the two; false without one.
func (p *partition) checkCommand(c *campaign, v *schemas.Verdict, cmd *schemas.Command, r *topiclog.Record) bool {
	for i := range v.Rewards {
		g := &v.Rewards[i]
		if g.CouponID != cmd.CouponID {
			continue
		}
		sum := commandSum(cmd)
		if old := p.coupons.find(cmd.CouponID); old != nil {
			if old.factSeq == p.at {
				return false // the second command of one reward
			}
			return true // paid before under another version: the id is known, nothing is issued twice
		}
		if what := p.commandDiffers(c, v, g, cmd); what != "" {
			if p.signed.Verify(cmd) != schemas.CodeGood {
				return false // forged: the genuine one is there beside it, or missing
			}
			p.v.badAt(CheckRewards, r, p.id, "the command at offset %d of coupon.commands has another %s than the reward of seq %d", r.Offset, what, p.at)
		}
		co := p.coupons.add(cmd, r.Offset)
		co.factSeq, co.sum = p.at, sum
		if len(cmd.OrderID) > 0 {
			co.order = orderSum(p.orderKey(cmd.Campaign, cmd.OrderID))
		}
		return true
	}
	return false
}

func (p *partition) commandDiffers(c *campaign, v *schemas.Verdict, g *schemas.Reward, cmd *schemas.Command) string {
	switch {
	case cmd.Campaign != v.Campaign:
		return "campaign"
	case cmd.Chain != v.Chain:
		return "chain"
	case cmd.Beneficiary != g.Beneficiary:
		return "beneficiary"
	case !bytes.Equal(cmd.Rule, g.Rule):
		return "rule"
	case !bytes.Equal(cmd.Coupon, g.Coupon):
		return "coupon"
	case v.Event == schemas.EventPurchase && !bytes.Equal(cmd.OrderID, v.OrderID):
		return "order_id"
	}
	for i := range c.rules.Coupons {
		k := &c.rules.Coupons[i]
		if !bytes.Equal(k.Name, cmd.Coupon) {
			continue
		}
		if cmd.ValueMinor != k.ValueMinor || !bytes.Equal(cmd.Currency, k.Currency) || cmd.ValidForMS != k.ValidForMS {
			return "value or validity (by the campaign)"
		}
	}
	return ""
}

// addForeign takes in a command of another service.
func (p *partition) addForeign(cmd *schemas.Command, offset int64) {
	trigger := append([]byte("C:"), cmd.CommandID...)
	cmd.CouponID = couponID(cmd.Campaign, cmd.Rule, cmd.Beneficiary, trigger)
	if p.coupons.find(cmd.CouponID) == nil {
		p.coupons.add(cmd, offset)
		return
	}
	p.addAgain(cmd, offset)
}

func (p *partition) addAgain(cmd *schemas.Command, offset int64) {
	p.intake.again = append(p.intake.again, againCommand{own: cmd.FactSeq != 0, offset: offset, chain: cmd.Chain, id: cmd.CouponID, kind: p.coupons.kind(cmd)})
}

// isOwnAgain says that a command is in the words of the one that its reward had: whether it may be there is for checkOwnAgain.
func (p *partition) isOwnAgain(cmd *schemas.Command) bool {
	c := p.coupons.find(cmd.CouponID)
	return c != nil && c.factSeq == cmd.FactSeq && c.sum == commandSum(cmd)
}

// sentAgain is where intake.again has the command at offset, or would have it.
func (p *partition) sentAgain(offset int64) (at int, found bool) {
	return slices.BinarySearchFunc(p.intake.again, offset, func(a againCommand, offset int64) int { return cmp.Compare(a.offset, offset) })
}

// executes says that the coupon is made by a later command under its id: the one before could not be executed.
func (p *partition) executes(c *coupon, offset int64) {
	at, found := p.sentAgain(offset)
	if !found || p.intake.again[at].id != c.id || c.transitions > 0 {
		return
	}
	by := p.intake.again[at]
	refused := againCommand{own: by.own, offset: c.command, chain: c.chain, id: c.id, kind: c.kind}
	c.command, c.chain, c.kind = by.offset, by.chain, by.kind
	p.intake.again = slices.Delete(p.intake.again, at, at+1)
	at, _ = p.sentAgain(refused.offset)
	p.intake.again = slices.Insert(p.intake.again, at, refused)
}

// endCommands reads the rest: an own command whose fact was not read is an orphan, unless it is
// newer than what is judged (V2).
func (p *partition) endCommands() {
	for cmd := p.nextOwn(); cmd != nil; cmd = p.nextOwn() {
		r := p.intake.at
		p.intake.at = nil
		if cmd.FactSeq <= p.seq || r.Offset < p.v.early[schemas.TopicCommands][p.id] {
			p.orphan(cmd, r)
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(p.intake.aside)) { // in one order, since the report is
		for _, r := range p.intake.aside[seq] {
			if seq <= p.seq || r.Offset < p.v.early[schemas.TopicCommands][p.id] {
				var cmd schemas.Command
				_ = cmd.Decode(r.Value) // it did before
				p.bury(&cmd, r)
			}
		}
	}
}

// commandSum is over what a command says, however it was encoded and signed.
func commandSum(cmd *schemas.Command) uint64 {
	said := *cmd
	said.MAC = nil
	return xxh3.Hash(schemas.AppendCommand(make([]byte, 0, 256), &said))
}
