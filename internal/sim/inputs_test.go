//go:build synctests

package sim

import (
	"bytes"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
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
		if s.expected.unread[p] {
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
		s.checkControl(l, p, dead[schemas.TopicControl][p])
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
				if n > 1 {
					s.fail("I1", "%s[%d] offset %d has %d dead letters", schemas.Topic(t), p, o, n)
				}
			}
		}
	}
	return out
}

// checkCommands is I1 for coupon.commands: each taken command made a coupon, or is dead, or one was there and it is sound.
func (s *sim) checkCommands(l *logs, p int, dead map[int64]int) {
	created, made := map[int64]int{}, map[string]int64{} // made: by which offset
	next := int64(0)
	for i := range l.facts[p] {
		switch b := l.facts[p][i].Body.(type) {
		case *pb.Fact_CouponMoved:
			if b.CouponMoved.Transition == 1 {
				created[b.CouponMoved.Offset]++
				made[string(b.CouponMoved.CouponId)] = b.CouponMoved.Offset
			}
		case *pb.Fact_StepEnded:
			next = position(b.StepEnded, schemas.TopicCommands)
		}
	}
	for _, r := range l.committed[schemas.TopicCommands][p] {
		if r.Offset >= next {
			break
		}
		var c pb.CouponCommand
		want := 1
		if proto.Unmarshal(r.Value, &c) == nil && routed(r, &c, p) {
			if at, ok := made[commandID(&c)]; ok && at < r.Offset && sound(&c) {
				want = 0
			}
		}
		if n := created[r.Offset] + dead[r.Offset]; n != want {
			s.fail("I1", "coupon.commands[%d] offset %d made %d coupons and %d dead letters; wanted of both: %d", p, r.Offset, created[r.Offset], dead[r.Offset], want)
		}
	}
}

// sound says that every version of the plan's campaigns has the coupon that a command names.
func sound(c *pb.CouponCommand) bool {
	return c.Campaign >= 1 && c.Campaign <= 3 && (c.Coupon == "five" || c.Coupon == "brief")
}

// routed says that a command lies in the partition of its chain, under its key.
func routed(r *kgo.Record, c *pb.CouponCommand, p int) bool {
	key := strconv.AppendInt(nil, c.Chain, 10)
	return bytes.Equal(r.Key, key) && schemas.Partition(key, partitions) == int32(p)
}
