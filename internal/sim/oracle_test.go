//go:build synctests

package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/zeebo/xxh3"
	"google.golang.org/protobuf/proto"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// inputOf is the event that a fact answers; nil where it answers none.
func (f *fact) input() *pb.Input {
	switch b := f.Body.(type) {
	case *pb.Fact_Accepted:
		return b.Accepted.Input
	case *pb.Fact_Refused:
		return b.Refused.Input
	case *pb.Fact_Duplicate:
		return b.Duplicate.Input
	}
	return nil
}

// checkInputs is I1 and, because verdicts come in the order of the log, I5.
func (s *sim) checkInputs(l *logs) {
	dead := s.letters(l)
	for p := range partitions {
		if s.expected.excuses(p) {
			continue
		}
		answers := map[int64]int{}
		last := int64(-1)
		for i := range l.facts[p] {
			in := l.facts[p][i].input()
			if in == nil {
				continue
			}
			answers[in.Offset]++
			if in.Offset <= last {
				s.fail("I5", "facts[%d] seq %d answers offset %d after offset %d", p, l.facts[p][i].Seq, in.Offset, last)
			}
			last = in.Offset
		}
		for _, r := range l.committed[schemas.TopicEvents][p] {
			n := answers[r.Offset] + dead[schemas.TopicEvents][p][r.Offset]
			if done := r.Offset < l.commits[p].Offset; done && n != 1 || !done && n != 0 {
				s.fail("I1", "invite.events[%d] offset %d has %d verdicts and %d dead letters; the committed offset is %d", p, r.Offset, answers[r.Offset], n-answers[r.Offset], l.commits[p].Offset)
			}
			delete(answers, r.Offset)
		}
		for o := range answers {
			if o >= l.starts[schemas.TopicEvents][p] {
				s.fail("I1", "a verdict of partition %d answers offset %d, where no record is", p, o)
			}
		}
		s.checkCommands(l, p, dead[schemas.TopicCommands][p])
	}
}

// letters counts dead letters by the record that they bury.
func (s *sim) letters(l *logs) (out [schemas.Inputs][partitions]map[int64]int) {
	for t := range out {
		for p := range out[t] {
			out[t][p] = map[int64]int{}
		}
	}
	for _, t := range []schemas.Topic{schemas.TopicInviteDead, schemas.TopicCouponDead} {
		for p := range partitions {
			for _, r := range l.committed[t][p] {
				var d pb.DeadLetter
				if proto.Unmarshal(r.Value, &d) != nil {
					s.fail("I1", "%s[%d] offset %d does not decode", t, p, r.Offset)
					continue
				}
				if len(d.CouponId) > 0 {
					continue // a coupon that entered DEAD
				}
				for from := range schemas.Topic(schemas.Inputs) {
					if from.String() == d.OriginTopic {
						out[from][p][d.OriginOffset]++
					}
				}
				s.reach("dead letter " + d.Reason.String())
			}
		}
	}
	for t := range out {
		for p := range out[t] {
			for o, n := range out[t][p] {
				if n > 1 && !s.expected.excuses(p) {
					s.fail("I1", "%s[%d] offset %d has %d dead letters", schemas.Topic(t), p, o, n)
				}
			}
		}
	}
	return out
}

// checkCommands is I1 for coupon.commands: each taken command made a coupon, or one was there, or it is dead.
func (s *sim) checkCommands(l *logs, p int, dead map[int64]int) {
	created, ids := map[int64]int{}, map[string]bool{}
	next := int64(0)
	for i := range l.facts[p] {
		switch b := l.facts[p][i].Body.(type) {
		case *pb.Fact_CouponMoved:
			if b.CouponMoved.Transition == 1 {
				created[b.CouponMoved.Offset]++
				ids[string(b.CouponMoved.CouponId)] = true
			}
		case *pb.Fact_StepEnded:
			for _, at := range b.StepEnded.Positions {
				if at.Topic == schemas.TopicCommands.String() {
					next = at.NextOffset
				}
			}
		}
	}
	for _, r := range l.committed[schemas.TopicCommands][p] {
		if r.Offset >= next {
			break
		}
		var c pb.CouponCommand
		known := proto.Unmarshal(r.Value, &c) == nil && ids[commandID(&c)]
		if n := created[r.Offset] + dead[r.Offset]; n > 1 || n == 0 && !known {
			s.fail("I1", "coupon.commands[%d] offset %d made %d coupons and %d dead letters", p, r.Offset, created[r.Offset], dead[r.Offset])
		}
	}
}

// commandID is the coupon that a command is about.
func commandID(c *pb.CouponCommand) string {
	if c.FactSeq > 0 {
		return string(c.CouponId)
	}
	return couponID(c.Campaign, c.RuleId, c.Beneficiary, "C:"+c.CommandId)
}

// couponID is the formula of the documentation, said once more.
func couponID(campaign int64, rule string, beneficiary int64, trigger string) string {
	var b []byte
	for _, part := range []string{strconv.FormatInt(campaign, 10), rule, strconv.FormatInt(beneficiary, 10), trigger} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(b)
	return string(sum[:16])
}

// checkCoupons is I2: ids are what their reason says, each once, and each reward has its command and coupon.
func (s *sim) checkCoupons(l *logs) {
	reasons, made := map[string]string{}, map[string]string{}
	for p := range partitions {
		var granted []string
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			switch b := f.Body.(type) {
			case *pb.Fact_Accepted:
				for _, r := range b.Accepted.Rewards {
					where := fmt.Sprintf("facts[%d] seq %d", p, f.Seq)
					id := couponID(b.Accepted.Campaign, r.RuleId, r.Beneficiary, trigger(b.Accepted, r))
					if id != string(r.CouponId) {
						s.fail("I2", "%s grants %s coupon %x, its reason makes %x", where, r.RuleId, r.CouponId, id)
					}
					if before, ok := reasons[id]; ok {
						s.fail("I2", "%s grants %s coupon %x again, after %s", where, r.RuleId, r.CouponId, before)
					}
					reasons[id] = where
					granted = append(granted, fmt.Sprintf("%d %x", f.Seq, r.CouponId))
					s.reach("reward " + r.RuleId)
				}
			case *pb.Fact_CouponMoved:
				if m := b.CouponMoved; m.Transition == 1 {
					where := fmt.Sprintf("facts[%d] seq %d", p, f.Seq)
					if before, ok := made[string(m.CouponId)]; ok {
						s.fail("I2", "%s makes coupon %x again, after %s", where, m.CouponId, before)
					}
					made[string(m.CouponId)] = where
				}
			}
		}
		if !s.expected.excuses(p) {
			s.checkGranted(l, p, granted)
		}
	}
}

// checkGranted compares rewards with the commands of the same partition, in order (I7).
func (s *sim) checkGranted(l *logs, p int, granted []string) {
	n := 0
	for _, r := range l.committed[schemas.TopicCommands][p] {
		var c pb.CouponCommand
		if !r.Attrs.IsTransactional() || proto.Unmarshal(r.Value, &c) != nil {
			continue
		}
		got := fmt.Sprintf("%d %x", c.FactSeq, c.CouponId)
		if n >= len(granted) || granted[n] != got {
			s.fail("I7", "coupon.commands[%d] offset %d is %s, which is not the next reward granted", p, r.Offset, got)
			return
		}
		n++
	}
	if n != len(granted) {
		s.fail("I7", "facts[%d] grant %d rewards, %d commands say so", p, len(granted), n)
	}
}

func trigger(a *pb.Accepted, r *pb.Reward) string {
	switch {
	case a.OrderId != "":
		return "P:" + a.OrderId
	case r.RuleId == "two" || r.RuleId == "one":
		return fmt.Sprintf("D:%d:%d", r.Beneficiary, r.Ordinal)
	default:
		return fmt.Sprintf("J:%d", a.User)
	}
}

// checkSeqs is I7 for facts, and the running hash of I6.
func (s *sim) checkSeqs(l *logs) {
	for p := range partitions {
		if s.expected.excuses(p) {
			continue
		}
		var previous [16]byte
		h := xxh3.New()
		_, _ = h.Write(previous[:])
		facts := 0
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			if f.Seq != int64(i+1) {
				s.fail("I7", "facts[%d] offset %d has seq %d after %d", p, f.rec.Offset, f.Seq, i)
				break
			}
			value := f.rec.Value
			facts++
			if f.Hash != nil {
				value = value[:len(value)-18]
			}
			_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(value))))
			_, _ = h.Write(value)
			step := f.GetStepEnded()
			if step == nil {
				continue
			}
			sum := h.Sum128().Bytes()
			if string(sum[:]) != string(f.Hash) {
				s.fail("I6", "facts[%d] seq %d carries hash %x, its facts make %x", p, f.Seq, f.Hash, sum)
			}
			if int(step.Facts) != facts {
				s.fail("I7", "facts[%d] seq %d closes a step of %d facts, there are %d", p, f.Seq, step.Facts, facts)
			}
			previous, facts = sum, 0
			h.Reset()
			_, _ = h.Write(previous[:])
		}
		if facts > 0 {
			s.fail("I7", "facts[%d] end inside a step (torn)", p)
		}
	}
}

// producer is who wrote a record, in which transaction.
type producer struct {
	id    int64
	epoch int16
}

func writer(r *kgo.Record) producer { return producer{r.ProducerID, r.ProducerEpoch} }
