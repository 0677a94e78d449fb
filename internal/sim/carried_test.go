//go:build synctests

package sim

import (
	"google.golang.org/protobuf/proto"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// carried is what the facts of one partition say of hongbao.control so far.
type carried struct {
	ids      map[string]int // command ids by how many facts name them; 0 once its record was met
	met      map[string]bool
	changes  map[int64]int64 // by campaign: number of the last change whose record was met
	offsets  map[int64]bool  // of the records that changed a campaign, until they are met
	versions map[int64]int64 // by campaign: the highest version
}

// checkControl is I1 for hongbao.control: below the position of the step that took it each record is a dead letter, or a fact of that step or of an
// earlier one says that it was carried out, by its command id (the second record with that id is a redelivery), its number or its version. And each
// such fact has its record.
func (s *sim) checkControl(l *logs, p int, dead map[int64]int) {
	c := &carried{ids: map[string]int{}, met: map[string]bool{}, changes: map[int64]int64{}, offsets: map[int64]bool{}, versions: map[int64]int64{}}
	rest := l.committed[schemas.TopicControl][p]
	for i := range l.facts[p] {
		c.add(&l.facts[p][i])
		end := l.facts[p][i].GetStepEnded()
		if end == nil {
			continue
		}
		next := position(end, schemas.TopicControl)
		for len(rest) > 0 && rest[0].Offset < next {
			r := rest[0]
			rest = rest[1:]
			if dead[r.Offset] > 0 {
				continue // letters() sees to it that it is one
			}
			if what := c.passedOver(r.Offset, r.Value); what != "" {
				s.fail("I1", "hongbao.control[%d] offset %d (%s) was passed over: neither carried out nor a dead letter by seq %d", p, r.Offset, what, l.facts[p][i].Seq)
			}
		}
		for id, n := range c.ids {
			if n > 0 && l.starts[schemas.TopicControl][p] == 0 {
				s.fail("I1", "facts[%d] carry out command %s at seq %d or before, %d times more than a record says so", p, id, l.facts[p][i].Seq, n)
				c.ids[id] = 0
			}
		}
		for o := range c.offsets {
			s.fail("I1", "facts[%d] change a campaign at seq %d or before for offset %d of hongbao.control, which holds no such change", p, l.facts[p][i].Seq, o)
			delete(c.offsets, o)
		}
	}
	for _, r := range rest {
		if dead[r.Offset] > 0 {
			s.fail("I1", "hongbao.control[%d] offset %d has a dead letter; no step has come to it", p, r.Offset)
		}
	}
}

func position(end *pb.StepEnded, t schemas.Topic) int64 {
	for _, at := range end.Positions {
		if at.Topic == t.String() {
			return at.NextOffset
		}
	}
	return 0
}

func (c *carried) add(f *fact) {
	switch b := f.Body.(type) {
	case *pb.Fact_VoucherMoved:
		if id := b.VoucherMoved.CommandId; id != "" {
			c.ids[id]++
		}
	case *pb.Fact_ReviewDecided:
		c.ids[b.ReviewDecided.CommandId]++
	case *pb.Fact_CampaignChanged:
		c.offsets[b.CampaignChanged.Offset] = true
	case *pb.Fact_CampaignActivated:
		c.versions[b.CampaignActivated.Campaign] = b.CampaignActivated.Version
	}
}

// passedOver names the command of a record for which nothing stands; empty where something does.
func (c *carried) passedOver(offset int64, value []byte) string {
	var cmd pb.ControlCommand
	if err := proto.Unmarshal(value, &cmd); err != nil {
		return "it does not decode"
	}
	switch b := cmd.Body.(type) {
	case *pb.ControlCommand_CampaignChange:
		if c.offsets[offset] {
			delete(c.offsets, offset)
			c.changes[b.CampaignChange.Campaign] = b.CampaignChange.Number
			return ""
		}
		if b.CampaignChange.Number <= c.changes[b.CampaignChange.Campaign] {
			return ""
		}
	case *pb.ControlCommand_CampaignApply:
		if v, ok := c.versions[b.CampaignApply.Campaign]; ok && b.CampaignApply.Version <= v {
			return ""
		}
	default:
		if c.met[cmd.CommandId] {
			return ""
		}
		if c.ids[cmd.CommandId] > 0 {
			c.ids[cmd.CommandId]--
			c.met[cmd.CommandId] = true
			return ""
		}
	}
	return cmd.CommandId
}
