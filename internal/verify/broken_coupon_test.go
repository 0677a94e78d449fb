package verify

import (
	"context"
	"slices"
	"testing"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

func moved(c *wcoupon, n int) *pb.CouponMoved { return c.facts[n].f.Rare.GetCouponMoved() }

func TestTransitionsBroken(t *testing.T) {
	t.Parallel()
	runDamages(t, []damage{
		{
			name: "transition dropped", check: CheckCoupons, says: "moves from VALIDATING and was PENDING",
			before: func(sc *scenario) { sc.p.drop(sc.coupons["welcome1"].facts[1]) },
		},
		{
			name: "transition doubled", check: CheckCoupons, says: "moves from PENDING and was VALIDATING",
			before: func(sc *scenario) { sc.p.double(sc.coupons["welcome1"].facts[1]) },
		},
		{
			name: "transitions swapped", check: CheckCoupons, says: "moves from VALIDATING and was PENDING",
			before: func(sc *scenario) { c := sc.coupons["welcome1"]; sc.p.swap(c.facts[1], c.facts[2]) },
		},
		{
			name: "transition elsewhere", check: CheckCoupons, says: "goes by DONE from ISSUING to FAILED; the table says COMPLETED",
			before: func(sc *scenario) { moved(sc.coupons["welcome1"], 3).To = sFailed },
		},
		{
			name: "COMPLETED without ISSUING", check: CheckCoupons, says: "cannot take DONE while VALIDATING",
			before: func(sc *scenario) {
				c := sc.coupons["welcome1"]
				sc.p.drop(c.facts[2])
				moved(c, 3).From = sValidating
			},
		},
		{
			name: "another reason", check: CheckCoupons, says: "goes by EXHAUST with reason DISCARDED; it should be EXHAUSTED",
			before: func(sc *scenario) { deadMove(sc.coupons["two1"]).Reason = pb.Reason_REASON_DISCARDED },
		},
		{
			name: "another number", check: CheckCoupons, says: "makes transition 9 after 1",
			before: func(sc *scenario) { moved(sc.coupons["welcome1"], 1).Transition = 9 },
		},
		{
			name: "another time than the worker clock", check: CheckCoupons, says: "its worker clock is",
			before: func(sc *scenario) { moved(sc.coupons["welcome1"], 1).TimeMs++ },
		},
		{
			name: "a round not raised", check: CheckCoupons, says: "is in round 0; it should be 1",
			before: func(sc *scenario) { moved(sc.coupons["welcome2"], 4).Round = 0 },
		},
		{
			name: "a round raised by a retry", check: CheckCoupons, says: "is in round 1; it should be 0",
			before: func(sc *scenario) { moved(sc.coupons["l11"], 4).Round = 1 },
		},
		{
			name: "exhausted early", check: CheckCoupons, says: "is exhausted after 3 attempts; it takes 4",
			before: func(sc *scenario) {
				c := sc.coupons["two1"]
				sc.p.drop(c.facts[7])
				sc.p.drop(c.facts[8])
			},
		},
		{
			name: "a fifth attempt", check: CheckCoupons, says: "retries after 4 attempts; 4 are the last",
			before: func(sc *scenario) {
				m := deadMove(sc.coupons["two1"])
				m.Event, m.To = pb.CouponEvent_COUPON_EVENT_TRANSIENT, sRetrying
			},
		},
		{
			name: "a retry too soon", check: CheckCoupons, says: "retries 100 ms after attempt 1",
			before: func(sc *scenario) { m := moved(sc.coupons["l11"], 3); m.DueMs = m.TimeMs + 100 },
		},
		{
			name: "due early", check: CheckCoupons, says: "is tried again at",
			before: func(sc *scenario) { moved(sc.coupons["l11"], 3).DueMs += 50_000 },
		},
		{
			name: "a redrive of what a person failed", check: CheckCoupons, says: "cannot take REDRIVE while FAILED",
			before: func(sc *scenario) {
				c := sc.coupons["l12"]
				c.move(pb.CouponEvent_COUPON_EVENT_REDRIVE, sIssuing, 0)
				c.done()
				sc.p.end()
			},
		},
		{
			name: "created without a command", check: CheckCoupons, says: "where no command for it is",
			before: func(sc *scenario) { moved(sc.coupons["welcome1"], 0).CouponId = make([]byte, 16) },
		},
		{
			name: "created from another offset", check: CheckCoupons, says: "its command is at offset",
			before: func(sc *scenario) { moved(sc.coupons["welcome2"], 0).Offset-- },
		},
		{
			name: "created from another command", check: CheckCoupons, says: "is created from another command than the one",
			before: func(sc *scenario) {
				f := sc.coupons["welcome1"].facts[0]
				f.command = nil
				f.f.Rare.GetCouponMoved().Command = &pb.CouponCommand{Campaign: 7}
			},
		},
		{
			name: "moved without a command", check: CheckCoupons, says: "moves and no command named it",
			before: func(sc *scenario) { moved(sc.coupons["welcome1"], 1).CouponId = make([]byte, 16) },
		},
		{
			name: "command taken above the position", check: CheckCoupons, says: "the position of coupon.commands is",
			before: func(sc *scenario) {
				for _, f := range sc.p.facts {
					f.f.Step.Positions[schemas.TopicCommands] = 0
				}
			},
		},
		{
			name: "command read and not answered", check: CheckCoupons, says: "it made no coupon and has 0 records in coupon.dead",
			before: func(sc *scenario) {
				sc.p.command(nil, schemas.Command{Campaign: 1, Chain: sc.s, Beneficiary: sc.a, Coupon: []byte("five_off"), CommandID: []byte("c-3")})
				sc.p.taken = sc.p.next
				sc.p.end()
			},
		},
	})
}

func deadMove(c *wcoupon) *pb.CouponMoved {
	for _, f := range c.facts {
		if m := f.f.Rare.GetCouponMoved(); m.GetTo() == sDead {
			return m
		}
	}
	panic("this coupon never died")
}

func TestVouchersBroken(t *testing.T) {
	t.Parallel()
	voucher := func(sc *scenario, name string, n int) *pb.VoucherMoved {
		return sc.coupons[name].facts[n].f.Rare.GetVoucherMoved()
	}
	runDamages(t, []damage{
		{
			name: "voucher before COMPLETED", check: CheckCoupons, says: "has its voucher issued while ISSUING",
			before: func(sc *scenario) { sc.p.drop(sc.coupons["welcome1"].facts[3]) },
		},
		{
			name: "COMPLETED without a voucher", check: CheckCoupons, says: "is COMPLETED and has no voucher",
			before: func(sc *scenario) { sc.p.drop(sc.coupons["welcome2"].facts[6]) },
		},
		{
			name: "used after it expired", check: CheckCoupons, says: "goes from ISSUED to USED and was EXPIRED",
			before: func(sc *scenario) {
				c := sc.coupons["welcome1"]
				c.voucher = vIssued
				c.vmove(pb.VoucherEvent_VOUCHER_EVENT_REDEEM, vUsed, "voucher_used", 0)
				sc.p.end()
			},
		},
		{
			name: "good for too long", check: CheckCoupons, says: "has a voucher that expires at",
			before: func(sc *scenario) { voucher(sc, "welcome1", 4).ExpiresMs++ },
		},
		{
			name: "expired early", check: CheckCoupons, says: "early: it is good until",
			before: func(sc *scenario) {
				c := sc.coupons["welcome2"]
				c.vmove(pb.VoucherEvent_VOUCHER_EVENT_EXPIRE, vExpired, "voucher_expired", pb.Reason_REASON_VALIDITY_ENDED)
				// 720 h have passed only if its clock says so.
				c.facts[len(c.facts)-1].f.Rare.GetVoucherMoved().TimeMs = 1
				sc.p.end()
			},
		},
		{
			name: "a voucher of nobody", check: CheckCoupons, says: "moves and no command named its coupon",
			before: func(sc *scenario) { voucher(sc, "welcome1", 4).VoucherId = make([]byte, 16) },
		},
		{
			name: "another number", check: CheckCoupons, says: "makes transition 9 after 4",
			before: func(sc *scenario) { voucher(sc, "welcome1", 4).Transition = 9 },
		},
		{
			name: "a refund that leaves the voucher", check: CheckCoupons, says: "its order was reversed",
			before: func(sc *scenario) {
				c := sc.coupons["buy1"]
				last := len(c.facts) - 1
				sc.p.drop(c.facts[last])
				sc.dropResult(c.results[last])
			},
		},
	})
}

func TestResultsBroken(t *testing.T) {
	t.Parallel()
	result := func(sc *scenario, n int) *pb.CouponResult { return sc.coupons["welcome1"].results[n].m }
	runDamages(t, []damage{
		{
			name: "result dropped", check: CheckCoupons, says: "tells transition 3 of coupon",
			before: func(sc *scenario) { sc.dropResult(sc.coupons["welcome1"].results[1]) },
		},
		{
			name: "last result dropped", check: CheckCoupons, says: "transitions in the facts and",
			before: func(sc *scenario) { r := sc.coupons["welcome1"].results; sc.dropResult(r[len(r)-1]) },
		},
		{
			name: "result doubled", check: CheckCoupons, says: "tells transition 2 of coupon",
			before: func(sc *scenario) {
				i := slices.Index(sc.results, sc.coupons["welcome1"].results[1])
				sc.results = slices.Insert(sc.results, i, sc.results[i])
			},
		},
		{
			name: "results swapped", check: CheckCoupons, says: "tells transition 3 of coupon",
			before: func(sc *scenario) {
				r := sc.coupons["welcome1"].results
				i, j := slices.Index(sc.results, r[1]), slices.Index(sc.results, r[2])
				sc.results[i], sc.results[j] = sc.results[j], sc.results[i]
			},
		},
		{
			name: "result says something else", check: CheckCoupons, says: "or they do not say the same",
			before: func(sc *scenario) { result(sc, 3).Transitions[0].ToState = "FAILED" },
		},
		{
			name: "result of another type", check: CheckCoupons, says: "or they do not say the same",
			before: func(sc *scenario) { result(sc, 3).Transitions[0].EventType = "coupon_done" },
		},
		{
			name: "result at another time", check: CheckCoupons, says: "or they do not say the same",
			before: func(sc *scenario) { result(sc, 3).Transitions[0].TimeMs++ },
		},
		{
			name: "result for another user", check: CheckCoupons, says: "names user 77",
			before: func(sc *scenario) { result(sc, 0).UserId = 77 },
		},
		{
			name: "result of no coupon", check: CheckCoupons, says: "does not know",
			before: func(sc *scenario) { result(sc, 0).VoucherId = "00000000000000000000000000000000" },
		},
		{
			name: "result of no fact", check: CheckCoupons, says: "whose facts end at",
			before: func(sc *scenario) {
				r := *sc.coupons["welcome1"].results[0]
				r.of = &wfact{f: schemas.Fact{Seq: 99999}}
				sc.results = append(sc.results, &r)
			},
		},
		{
			name: "result under another key", check: CheckCoupons, says: "has key",
			after: func(_ *scenario, l *memLog) { l.topics[schemas.TopicResults][0][0].Key = []byte("1") },
		},
		{
			name: "result without an id", check: CheckCoupons, says: "it should be partition-seq-index",
			after: func(sc *scenario, l *memLog) {
				fresh := &memLog{topics: l.topics}
				fresh.append(sc.tb, schemas.TopicResults, []byte("1"), &pb.CouponResult{Id: "nonsense"})
			},
		},
		{
			name: "garbage", check: CheckCoupons, says: "is no result",
			after: func(_ *scenario, l *memLog) { l.topics[schemas.TopicResults][0][0].Value = []byte{0xff} },
		},
	})
}

func TestCouponDeadBroken(t *testing.T) {
	t.Parallel()
	runDamages(t, []damage{
		{
			name: "dropped", check: CheckCoupons, says: "entered DEAD 1 times and has 0 records",
			before: func(sc *scenario) { sc.couponDead = sc.couponDead[1:] },
		},
		{
			name: "doubled", check: CheckCoupons, says: "entered DEAD 1 times and has 2 records",
			before: func(sc *scenario) { sc.couponDead = append(sc.couponDead, sc.couponDead[0]) },
		},
		{
			name: "of another coupon", check: CheckCoupons, says: "which no command named",
			before: func(sc *scenario) { sc.couponDead[0].CouponId = make([]byte, 16) },
		},
		{
			name: "of a coupon that lives", check: CheckCoupons, says: "entered DEAD 0 times and has 1 records",
			before: func(sc *scenario) { id := sc.coupons["welcome1"].id; sc.couponDead[0].CouponId = id[:] },
		},
		{
			name: "garbage command without one", check: CheckCoupons, says: "cannot be executed (UNDECODABLE) and has 0 records",
			before: func(sc *scenario) { sc.couponDead = sc.couponDead[:len(sc.couponDead)-1] },
		},
		{
			name: "garbage command with two", check: CheckCoupons, says: "cannot be executed (UNDECODABLE) and has 2 records",
			before: func(sc *scenario) { sc.couponDead = append(sc.couponDead, sc.couponDead[len(sc.couponDead)-1]) },
		},
		{
			name: "forged command without one", check: CheckCoupons, says: "cannot be executed (INVALID_FIELD) and has 0 records",
			before: func(sc *scenario) {
				sc.couponDead = slices.Delete(sc.couponDead, len(sc.couponDead)-3, len(sc.couponDead)-2)
			},
		},
		{
			name: "forged command executed", check: CheckCoupons, says: "where no command for it is",
			before: func(sc *scenario) {
				cmd := *sc.p.commands[len(sc.p.commands)-6] // of a fact that is, under an unknown key
				sc.p.coupon(&cmd).issue()
				sc.p.end()
			},
		},
		{
			name: "of a command that was executed", check: CheckCoupons, says: "which was executed or is sound",
			before: func(sc *scenario) { sc.couponDead[len(sc.couponDead)-1].OriginOffset = 0 },
		},
		{
			name: "command that cannot be executed, sent again, without one", check: CheckCoupons, says: "it made no coupon and has 0 records",
			before: func(sc *scenario) {
				sc.couponDead = slices.Delete(sc.couponDead, len(sc.couponDead)-10, len(sc.couponDead)-9)
			},
		},
		{
			name: "of the corrected command in place of the bad one", check: CheckCoupons, says: "which was executed or is sound",
			before: func(sc *scenario) { sc.couponDead[len(sc.couponDead)-9].OriginOffset++ },
		},
		{
			name: "of a sound command that came when its coupon was there", check: CheckCoupons, says: "it made no coupon and has 1 records",
			before: func(sc *scenario) { sc.bury(sc.sound, pb.Reason_REASON_UNKNOWN_COUPON) },
		},
		{
			name: "command that cannot be executed, when the coupon of its id was there, without one", check: CheckCoupons, says: "it made no coupon and has 0 records",
			before: func(sc *scenario) { sc.unbury(sc.unsound) },
		},
		{
			name: "command of a dropped key, sent again, without one", check: CheckCoupons, says: "it made no coupon and has 0 records",
			before: func(sc *scenario) { sc.unbury(sc.lost[0]) },
		},
		{
			name: "command of a dropped key, sent again and buried again, without the second", check: CheckCoupons, says: "it made no coupon and has 0 records",
			before: func(sc *scenario) { sc.unbury(sc.lost[1]) },
		},
		{
			name: "command of a dropped key, executed all the same", check: CheckCoupons, says: "which was executed or is sound",
			before: func(sc *scenario) { moved(sc.coupons["welcome4"], 0).Offset = sc.lost[0].offset },
		},
		{
			name: "of no partition", check: CheckCoupons, says: "names partition 12 of coupon.commands",
			before: func(sc *scenario) { sc.couponDead[len(sc.couponDead)-1].OriginPartition = 12 },
		},
		{
			name: "garbage", check: CheckCoupons, says: "is no dead letter",
			after: func(_ *scenario, l *memLog) { l.topics[schemas.TopicCouponDead][0][0].Value = []byte{0xff} },
		},
	})
}

// memStock is an issuer's memory that fits the good log until a test changes it.
type memStock struct {
	known  map[schemas.CouponID]bool
	levels []Level
}

func (s *memStock) Remembered(_ context.Context, campaign int64, fn func(schemas.CouponID, bool) error) error {
	if campaign != 1 {
		return nil
	}
	for id, done := range s.known {
		if err := fn(id, done); err != nil {
			return err
		}
	}
	return nil
}

func (s *memStock) Levels(_ context.Context, campaign int64) (of []Level, _ error) {
	for _, l := range s.levels {
		if l.Campaign == campaign {
			of = append(of, l)
		}
	}
	return of, nil
}

func stockOf(sc *scenario) *memStock {
	s := &memStock{known: map[schemas.CouponID]bool{}}
	done := int64(0)
	for _, p := range sc.parts {
		for _, f := range p.facts {
			m := f.f.Rare.GetCouponMoved()
			if m == nil {
				continue
			}
			id := schemas.CouponID(m.CouponId)
			switch m.Event {
			case pb.CouponEvent_COUPON_EVENT_DONE:
				s.known[id] = true
				done++
			case pb.CouponEvent_COUPON_EVENT_OUT_OF_STOCK:
				s.known[id] = false
			}
		}
	}
	s.levels = []Level{{Campaign: 1, Coupon: "five_off", Declared: 100, Left: 100 - done}}
	return s
}

func TestStockBroken(t *testing.T) {
	t.Parallel()
	for _, d := range []struct {
		name, says string
		change     func(*scenario, *memStock)
	}{
		{"good", "", func(*scenario, *memStock) {}},
		{"an id dropped", "Redis does not remember issuing it", func(sc *scenario, s *memStock) { delete(s.known, sc.coupons["welcome1"].id) }},
		{"an id not done", "Redis does not remember issuing it", func(sc *scenario, s *memStock) { s.known[sc.coupons["welcome1"].id] = false }},
		{"an id of nobody", "which no command named", func(_ *scenario, s *memStock) { s.known[schemas.CouponID{1}] = true }},
		{"an id never asked for", "which was never ISSUING", func(sc *scenario, s *memStock) { s.known[sc.coupons["l12"].id] = false }},
		{"a piece too few", "100 declared and", func(_ *scenario, s *memStock) { s.levels[0].Left-- }},
	} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			sc := newScenario(t)
			s := stockOf(sc)
			d.change(sc, s)
			c := config(sc.build())
			c.Stock = s
			r := mustRun(t, c)
			if d.says == "" && !r.OK || d.says != "" && !has(r, CheckStock, d.says) {
				t.Errorf("want check stock to say %q; report:\n%s", d.says, printed(t, r))
			}
		})
	}
}

var _ Log = (*memLog)(nil)
