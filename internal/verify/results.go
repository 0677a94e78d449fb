package verify

import (
	"bytes"
	"context"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// readResults compares coupon.results with the transitions: in order, once. They are keyed by
// user, so this follows the walk of all partitions.
func (v *run) readResults(ctx context.Context) error {
	const t = schemas.TopicResults
	for in := range v.n {
		if err := v.each(ctx, t, in, 0, v.late[t][in], func(r *topiclog.Record) { v.result(r, in) }); err != nil {
			return err
		}
	}
	return nil
}

func (v *run) result(r *topiclog.Record, in int32) {
	var m pb.CouponResult
	if err := proto.Unmarshal(r.Value, &m); err != nil {
		v.badAt(CheckCoupons, r, in, "the record at offset %d of coupon.results is no result: %v", r.Offset, err)
		return
	}
	from, seq, ok := parseResultID(m.Id)
	if !ok || from >= int64(v.n) {
		v.badAt(CheckCoupons, r, in, "the result at offset %d of coupon.results has id %q; it should be partition-seq-index", r.Offset, m.Id)
		return
	}
	p := v.parts[from]
	if seq > p.seq {
		if r.Offset < v.early[schemas.TopicResults][in] {
			v.badAt(CheckCoupons, r, in, "the result at offset %d of coupon.results names seq %d of partition %d, whose facts end at %d", r.Offset, seq, from, p.seq)
		}
		return // newer than what is judged (V2)
	}
	id, ok := parseCouponID(m.VoucherId)
	c := p.coupons.find(id)
	if !ok || c == nil {
		v.badAt(CheckCoupons, r, in, "the result at offset %d of coupon.results is about coupon %q, which partition %d does not know", r.Offset, m.VoucherId, from)
		return
	}
	if m.UserId != c.beneficiary || m.ChainId != c.chain || m.Campaign != c.campaign {
		v.badAt(CheckCoupons, r, in, "the result at offset %d of coupon.results names user %d, chain %d, campaign %d; coupon %s is user %d's, chain %d, campaign %d",
			r.Offset, m.UserId, m.ChainId, m.Campaign, hex(c.id[:]), c.beneficiary, c.chain, c.campaign)
	}
	if key := schemas.AppendKey(nil, m.UserId); !bytes.Equal(r.Key, key) || schemas.Partition(key, v.n) != in {
		v.badAt(CheckCoupons, r, in, "the result at offset %d of coupon.results has key %q; it belongs to user %d", r.Offset, r.Key, m.UserId)
	}
	for _, t := range m.Transitions {
		if t.Transition != c.results+1 {
			v.badAt(CheckCoupons, r, in, "the result at offset %d of coupon.results tells transition %d of coupon %s after %d", r.Offset, t.Transition, hex(c.id[:]), c.results)
		}
		c.results++
		c.heard = transitionSum(c.heard, t.Transition, t.EventType, t.FromState, t.ToState, t.TimeMs, t.Reason)
	}
}

// parseResultID reads partition-seq-index.
func parseResultID(id string) (partition, seq int64, ok bool) {
	first, rest, ok1 := strings.Cut(id, "-")
	second, _, ok2 := strings.Cut(rest, "-")
	partition, err1 := strconv.ParseInt(first, 10, 32)
	seq, err2 := strconv.ParseInt(second, 10, 64)
	return partition, seq, ok1 && ok2 && err1 == nil && err2 == nil && partition >= 0
}

func parseCouponID(text string) (id schemas.CouponID, ok bool) {
	if len(text) != 2*len(id) {
		return id, false
	}
	_, ok = unhex(id[:], text)
	return id, ok
}

// readCouponDead matches coupon.dead with entries into DEAD, and with commands that nobody could
// execute.
func (v *run) readCouponDead(ctx context.Context) error {
	const t = schemas.TopicCouponDead
	for _, p := range v.parts {
		p.indexUnmade()
	}
	for in := range v.n {
		if err := v.each(ctx, t, in, 0, v.late[t][in], func(r *topiclog.Record) { v.couponDead(r, in) }); err != nil {
			return err
		}
	}
	return nil
}

func (v *run) couponDead(r *topiclog.Record, in int32) {
	var d pb.DeadLetter
	if err := proto.Unmarshal(r.Value, &d); err != nil {
		v.badAt(CheckCoupons, r, in, "the record at offset %d of coupon.dead is no dead letter: %v", r.Offset, err)
		return
	}
	early := r.Offset < v.early[schemas.TopicCouponDead][in]
	if len(d.CouponId) > 0 {
		var id schemas.CouponID
		copy(id[:], d.CouponId)
		c := v.parts[schemas.Partition(schemas.AppendKey(nil, d.ChainId), v.n)].coupons.find(id)
		if c == nil {
			v.badAt(CheckCoupons, r, in, "the dead letter at offset %d of coupon.dead is about coupon %s, which no command named", r.Offset, hex(d.CouponId))
			return
		}
		c.letters++
		if early {
			c.earlyDead++
		}
		return
	}
	if d.OriginTopic != schemas.TopicCommands.String() {
		return // readControlDead has those of control; of retries none changed anything
	}
	if d.OriginPartition < 0 || d.OriginPartition >= v.n {
		v.badAt(CheckCoupons, r, in, "the dead letter at offset %d of coupon.dead names partition %d of coupon.commands", r.Offset, d.OriginPartition)
		return
	}
	if !v.parts[d.OriginPartition].buryCommand(d.OriginOffset) && early {
		v.badAt(CheckCoupons, r, in, "the dead letter at offset %d of coupon.dead names the command at offset %d of partition %d, which was executed or is sound",
			r.Offset, d.OriginOffset, d.OriginPartition)
	}
}

// indexUnmade lists the coupons whose command has made none, by the command's offset.
func (p *partition) indexUnmade() {
	p.unmade = make(map[int64]int32)
	for i := range p.coupons.all {
		if c := &p.coupons.all[i]; c.transitions == 0 {
			p.unmade[c.command] = int32(i)
		}
	}
}

// buryCommand counts a dead letter about a command; false when the command needed none.
func (p *partition) buryCommand(offset int64) bool {
	if i, ok := p.unmade[offset]; ok {
		p.coupons.all[i].letters++
		return true
	}
	if at, found := p.sentAgain(offset); found {
		p.intake.again[at].letters++
		return true
	}
	for i := range p.intake.bad {
		if b := &p.intake.bad[i]; b.offset == offset {
			b.letters++
			return true
		}
	}
	return false
}
