package verify

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/zeebo/xxh3"
	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// seenKeepMS is how long the id of a control command marks a second record as a redelivery, by the worker clock.
const seenKeepMS = 30 * 24 * 3600 * 1000

// orders is the reading of hongbao.control: what the facts say was carried out, until the record that asked for it comes by.
type orders struct {
	letters map[int64]int32              // in coupon.dead, by offset
	carried map[xxh3.Uint128]int         // facts of the open step, by the command id that they name
	met     map[xxh3.Uint128]int64       // worker clock at which a command id was carried out
	changed map[int64]*pb.CampaignChange // of the open step, by the offset that they name
	numbers map[int64]int64              // last change, by campaign
	applied map[[32]byte]bool            // campaign texts that came into force
}

func newOrders() orders {
	return orders{
		letters: map[int64]int32{}, carried: map[xxh3.Uint128]int{}, met: map[xxh3.Uint128]int64{},
		changed: map[int64]*pb.CampaignChange{}, numbers: map[int64]int64{}, applied: map[[32]byte]bool{},
	}
}

// readControlDead counts the letters of coupon.dead about control commands, before the walk meets those.
func (v *run) readControlDead(ctx context.Context) error {
	const t = schemas.TopicCouponDead
	for in := range v.n {
		err := v.each(ctx, t, in, 0, v.late[t][in], func(r *topiclog.Record) {
			var d pb.DeadLetter
			if proto.Unmarshal(r.Value, &d) != nil || len(d.CouponId) > 0 || d.OriginTopic != schemas.TopicControl.String() {
				return // readCouponDead looks at the others
			}
			if d.OriginPartition < 0 || d.OriginPartition >= v.n {
				v.badAt(CheckControl, r, in, "the dead letter at offset %d of coupon.dead names partition %d of hongbao.control", r.Offset, d.OriginPartition)
				return
			}
			v.parts[d.OriginPartition].orders.letters[d.OriginOffset]++
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// carriedOut notes that a fact names a command.
func (p *partition) carriedOut(commandID string) {
	if commandID != "" {
		p.orders.carried[xxh3.HashString128(commandID)]++
	}
}

// endControl takes the control records that the step has read: each lies in coupon.dead, or was carried out, by this step or, if it is a
// redelivery, before.
func (p *partition) endControl(next, clock int64) {
	o := &p.orders
	for r := p.control.peek(); r != nil && r.Offset < next; r = p.control.peek() {
		p.control.take()
		n := o.letters[r.Offset]
		delete(o.letters, r.Offset)
		if n > 1 {
			p.v.badAt(CheckControl, r, p.id, "the record at offset %d of hongbao.control has %d dead letters", r.Offset, n)
		}
		if n > 0 {
			continue
		}
		if what := p.passedOver(r, clock); what != "" {
			p.v.badAt(CheckControl, r, p.id, "the record at offset %d of hongbao.control (%s) was read; it was not carried out and is not in coupon.dead", r.Offset, what)
		}
	}
	p.unasked(clock)
}

// unasked looks at what the step carried out and no record has asked for. Retention may have taken the record: then the fact is believed.
func (p *partition) unasked(clock int64) {
	o := &p.orders
	whole := p.v.starts[schemas.TopicControl][p.id] == 0 && p.control.err == nil
	for id, n := range o.carried {
		if whole {
			p.bad(CheckControl, "facts of this step carry out %d commands more than hongbao.control asked for (command id's hash %s)", n, hex(idBytes(id)))
		}
		o.met[id] = clock
	}
	clear(o.carried)
	for at, c := range o.changed {
		if whole {
			p.bad(CheckControl, "a campaign is changed by offset %d of hongbao.control, which holds no such change or has been answered already", at)
		}
		o.numbers[c.GetCampaign()] = max(o.numbers[c.GetCampaign()], c.GetNumber())
	}
	clear(o.changed)
}

func idBytes(id xxh3.Uint128) []byte { b := id.Bytes(); return b[:] }

// passedOver names the command for which no fact stands; empty where one does.
func (p *partition) passedOver(r *topiclog.Record, clock int64) string {
	cmd, err := schemas.DecodeControl(r.Value)
	if err != nil {
		return "which nobody can execute"
	}
	o := &p.orders
	switch b := cmd.Body.(type) {
	case *pb.ControlCommand_CampaignChange:
		c := b.CampaignChange
		if o.changed[r.Offset] != nil {
			delete(o.changed, r.Offset)
			o.numbers[c.Campaign] = c.Number
			return ""
		}
		if c.Number <= o.numbers[c.Campaign] {
			return ""
		}
		return fmt.Sprintf("change %d of campaign %d", c.Number, c.Campaign)
	case *pb.ControlCommand_CampaignApply:
		if o.applied[sha256.Sum256([]byte(b.CampaignApply.Text))] {
			return ""
		}
		return fmt.Sprintf("version %d of campaign %d", b.CampaignApply.Version, b.CampaignApply.Campaign)
	}
	id := xxh3.HashString128(cmd.CommandId)
	at, met := o.met[id]
	if n := o.carried[id]; n > 0 && (!met || clock-at > seenKeepMS) {
		if n--; n == 0 {
			delete(o.carried, id)
		} else {
			o.carried[id] = n
		}
		o.met[id] = clock
		return ""
	}
	if met {
		return ""
	}
	return "command " + cmd.CommandId
}

// endOrders looks at letters about nothing.
func (p *partition) endOrders() {
	for at := range p.orders.letters {
		if at >= p.v.starts[schemas.TopicControl][p.id] && at < p.previous.Positions[schemas.TopicControl] {
			p.bad(CheckControl, "a dead letter in coupon.dead names offset %d of hongbao.control, where no committed record is", at)
		}
	}
}
