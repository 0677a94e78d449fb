package verify

import (
	"context"
	"errors"

	"github.com/zeebo/xxh3"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// partition is one partition in the course of its walk: what was read, the state folded from
// it, and what it counted.
type partition struct {
	v         *run
	id        int32
	committed int64 // offset on invite.events; 0 when the group never committed
	meta      schemas.Metadata

	facts, events, commands, control stream

	fact     schemas.Fact
	seq      int64 // of the last fact
	at       int64 // seq that findings name; 0 outside a fact
	hash     schemas.Hash
	previous schemas.StepEnded
	step     step
	hasher   *xxh3.Hasher

	event    schemas.Event
	decoder  schemas.Decoder
	verifier *schemas.CodeVerifier
	signed   *schemas.CommandVerifier
	letters  []letter
	answered int64 // offset of the last verdict

	campaigns map[int64]*campaign
	graph     graph
	coupons   coupons

	usedReversed []schemas.CouponID // vouchers in USED whose order is reversed
	intake       intake
	orders       orders
	tally        tally

	scratch []byte
	rewards []reward
	unmade  map[int64]int32 // coupons without a transition, by the offset of their command
}

// partition prepares one; metadata that cannot be read is the first finding.
func (v *run) partition(id int32, c topiclog.Commit) *partition {
	p := &partition{
		v: v, id: id, hasher: xxh3.New(), answered: -1,
		campaigns: make(map[int64]*campaign),
		coupons:   coupons{index: make(map[schemas.CouponID]int32)},
		orders:    newOrders(),
	}
	p.verifier, p.signed = schemas.NewCodeVerifier(v.cfg.Keys), schemas.NewCommandVerifier(v.cfg.Keys)
	p.sum(p.hash[:])
	if c.Offset < 0 {
		return p
	}
	p.committed = c.Offset
	meta, err := schemas.ParseMetadata(c.Metadata)
	if err != nil {
		p.bad(CheckFacts, "the metadata of committed offset %d does not read: %v", c.Offset, err)
		return p
	}
	p.meta = meta
	return p
}

// walk reads the facts up to the committed seq, merges events and commands into them, and then
// looks at what is left over in each.
func (p *partition) walk(ctx context.Context) error {
	v := p.v
	if v.letters != nil {
		p.letters = v.letters[p.id]
	}
	p.facts = v.open(ctx, schemas.TopicFacts, p.id, 0, v.late[schemas.TopicFacts][p.id])
	defer p.facts.close()
	p.events = v.open(ctx, schemas.TopicEvents, p.id, 0, p.committed)
	defer p.events.close()
	p.commands = v.open(ctx, schemas.TopicCommands, p.id, 0, v.late[schemas.TopicCommands][p.id])
	defer p.commands.close()
	p.control = v.open(ctx, schemas.TopicControl, p.id, 0, v.late[schemas.TopicControl][p.id])
	defer p.control.close()

	p.readFacts()
	p.at = 0
	p.endFacts()
	p.endInputs()
	p.endCommands()
	p.endOrders()
	return errors.Join(p.facts.err, p.events.err, p.commands.err, p.control.err)
}

const progressFacts = 1 << 14

func (p *partition) readFacts() {
	for r := p.facts.peek(); r != nil && p.seq < p.meta.Seq; r = p.facts.peek() {
		p.facts.take()
		if !p.read(r) {
			return
		}
		if p.tally.facts%progressFacts == 0 {
			p.v.progress(progressFacts)
		}
	}
	p.v.progress(p.tally.facts % progressFacts)
}

// read takes one fact; false when nothing after it can be understood.
func (p *partition) read(r *topiclog.Record) bool {
	f := &p.fact
	if err := f.Decode(r.Value); err != nil {
		p.at = p.seq + 1
		p.bad(CheckFacts, "the record at offset %d of hongbao.facts is no fact: %v; nothing after it was checked", r.Offset, err)
		return false
	}
	p.tally.facts++
	p.at = f.Seq
	if f.Seq != p.seq+1 {
		p.bad(CheckFacts, "seq %d follows seq %d; they count without gaps", f.Seq, p.seq)
	}
	// Seen numbers are believed upwards only, so that one lost fact is one finding (V3).
	p.seq = max(p.seq+1, f.Seq)
	p.addToStep(r)
	switch f.Kind {
	case schemas.FactAccepted, schemas.FactRefused, schemas.FactDuplicate:
		p.verdict(r)
	case schemas.FactStepEnded:
		p.endStep()
	default:
		p.rare()
	}
	return true
}

func (p *partition) rare() {
	f := p.fact.Rare
	switch p.fact.Kind {
	case schemas.FactCampaignActivated:
		p.activate(f.GetCampaignActivated())
	case schemas.FactCampaignChanged:
		p.change(f.GetCampaignChanged())
	case schemas.FactCouponMoved:
		p.couponMoved(f.GetCouponMoved())
	case schemas.FactVoucherMoved:
		p.voucherMoved(f.GetVoucherMoved())
	case schemas.FactReviewDecided:
		p.carriedOut(f.GetReviewDecided().GetCommandId())
	}
}

// endFacts compares the end of the facts with what the group committed.
func (p *partition) endFacts() {
	if r := p.facts.peek(); r != nil && r.Offset < p.v.early[schemas.TopicFacts][p.id] {
		p.v.badAt(CheckFacts, r, p.id, "the record at offset %d of hongbao.facts lies beyond seq %d, where the committed metadata ends", r.Offset, p.meta.Seq)
	}
	if p.facts.err != nil {
		return
	}
	if p.seq < p.meta.Seq {
		p.bad(CheckFacts, "the facts end at seq %d, the committed metadata says %d", p.seq, p.meta.Seq)
		return
	}
	if p.step.facts > 0 {
		p.bad(CheckFacts, "the last step, up to seq %d, has no StepEnded", p.seq)
	}
	if p.meta.Seq == 0 {
		return
	}
	if p.hash != p.meta.Hash {
		p.bad(CheckFacts, "the running hash at seq %d is %s, the committed metadata says %s", p.seq, hex(p.hash[:]), hex(p.meta.Hash[:]))
	}
	if p.previous.Positions != p.meta.Positions {
		p.bad(CheckFacts, "the last StepEnded has positions %v, the committed metadata %v", p.previous.Positions, p.meta.Positions)
	}
	if p.previous.WorkerClockMS != p.meta.ClockMS {
		p.bad(CheckFacts, "the last StepEnded has clock %d, the committed metadata %d", p.previous.WorkerClockMS, p.meta.ClockMS)
	}
	if at := p.meta.Positions[schemas.TopicEvents]; at != p.committed {
		p.bad(CheckFacts, "the committed offset is %d, its metadata says %d", p.committed, at)
	}
}
