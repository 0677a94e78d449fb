package projections

import (
	"errors"
	"math"
	"strings"
	"testing"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// begun is a state with campaign 1, chain 100 and its guest 200, who never shared.
func begun(t *testing.T, store Store) *State {
	t.Helper()
	s, err := Open(store, Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*schemas.Fact{
		activated(1, worldRules(1, 2, 5, "link")),
		accepted(2, schemas.Verdict{Event: schemas.EventShare, User: 100, ID: []byte("s")}),
		accepted(3, schemas.Verdict{Event: schemas.EventJoin, User: 200, Inviter: 100, Depth: 1}),
		accepted(4, schemas.Verdict{Event: schemas.EventPurchase, User: 200, OrderID: []byte("o")}),
		{Seq: 5, Kind: schemas.FactStepEnded, Step: schemas.StepEnded{WorkerClockMS: 1000}},
	} {
		if err := s.Fold(f); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func accepted(seq int64, v schemas.Verdict) *schemas.Fact {
	v.Campaign, v.Chain, v.Source = max(v.Campaign, 1), max(v.Chain, 100), []byte("app")
	v.TimeMS, v.CodeExpiresS = worldMS, worldMS/1000+3600
	return &schemas.Fact{Seq: seq, Kind: schemas.FactAccepted, Verdict: v}
}

func rare(kind schemas.FactKind, body *pb.Fact) *schemas.Fact {
	return &schemas.Fact{Seq: 6, Kind: kind, Rare: body}
}

// TestImpossibleFacts: a fact that contradicts the state is an error and ends the state (P4, X8).
func TestImpossibleFacts(t *testing.T) {
	t.Parallel()
	join := func(v schemas.Verdict) *schemas.Fact {
		v.Event = schemas.EventJoin
		return accepted(6, v)
	}
	moved := func(m *pb.CouponMoved) *schemas.Fact {
		return rare(schemas.FactCouponMoved, &pb.Fact{Body: &pb.Fact_CouponMoved{CouponMoved: m}})
	}
	id := make([]byte, 16)
	for want, f := range map[string]*schemas.Fact{
		"the next fact is 6 (X8)":              accepted(7, schemas.Verdict{Event: schemas.EventShare, User: 100}),
		"fold fact 5: the next fact":           accepted(5, schemas.Verdict{Event: schemas.EventShare, User: 100}),
		"which is not active here":             accepted(6, schemas.Verdict{Event: schemas.EventShare, User: 100, Campaign: 2}),
		"was accepted by fact 2 already":       accepted(6, schemas.Verdict{Event: schemas.EventShare, User: 100, ID: []byte("s")}),
		"share of user 300, whom campaign 1":   accepted(6, schemas.Verdict{Event: schemas.EventShare, User: 300}),
		"in chain 101, who is in chain 100":    accepted(6, schemas.Verdict{Event: schemas.EventShare, User: 200, Chain: 101}),
		"who is in campaign 1 already":         join(schemas.Verdict{User: 200, Inviter: 100, Depth: 1}),
		"below user 300, whom":                 join(schemas.Verdict{User: 201, Inviter: 300, Depth: 1}),
		"who never shared":                     join(schemas.Verdict{User: 201, Inviter: 200, Depth: 2}),
		"who is in chain 100 at depth 0":       join(schemas.Verdict{User: 201, Inviter: 100, Depth: 1, Chain: 101}),
		"at depth 2 below user 100":            join(schemas.Verdict{User: 201, Inviter: 100, Depth: 2}),
		`order "o" of campaign 1 was accepted`: accepted(6, schemas.Verdict{Event: schemas.EventPurchase, User: 200, OrderID: []byte("o")}),
		"purchase of user 300":                 accepted(6, schemas.Verdict{Event: schemas.EventPurchase, User: 300, OrderID: []byte("p")}),
		"reversal of order":                    accepted(6, schemas.Verdict{Event: schemas.EventReversal, OrderID: []byte("p")}),
		"accepted event of kind 0":             accepted(6, schemas.Verdict{}),
		"refused for reason 36":                {Seq: 6, Kind: schemas.FactRefused, Verdict: schemas.Verdict{Campaign: 1, Reason: pb.Reason_REASON_FUTURE_TIME}},
		"goes back from 1000 to 999":           {Seq: 6, Kind: schemas.FactStepEnded, Step: schemas.StepEnded{WorkerClockMS: 999}},
		"of kind 99":                           {Seq: 6, Kind: 99, Rare: &pb.Fact{}},
		"without a body":                       {Seq: 6, Kind: schemas.FactCouponMoved},
		"activated after version 2":            activated(6, worldRules(1, 2, 5, "link")),
		"SHA-256":                              rare(schemas.FactCampaignActivated, &pb.Fact{Body: &pb.Fact_CampaignActivated{CampaignActivated: &pb.CampaignActivated{Campaign: 1, Version: 3, Text: string(worldRules(1, 3, 5, "link").Text)}}}),
		"change 1 of campaign 9":               changed(6, 9, 1, pb.ChangeKind_CHANGE_KIND_PAUSE),
		"change 0 of campaign 1 after":         changed(6, 1, 0, pb.ChangeKind_CHANGE_KIND_PAUSE),
		"is of kind 0":                         changed(6, 1, 1, 0),
		"moves to state 0":                     moved(&pb.CouponMoved{CouponId: id}),
		"coupon id 01 has 1 bytes":             moved(&pb.CouponMoved{CouponId: []byte{1}, From: 1, To: 2}),
		"created by transition 2":              moved(&pb.CouponMoved{CouponId: id, To: 1, Transition: 2, Command: &pb.CouponCommand{Campaign: 1}}),
		"created by transition 1 and command":  moved(&pb.CouponMoved{CouponId: id, To: 1, Transition: 1}),
		"of campaign 9, which":                 moved(&pb.CouponMoved{CouponId: id, To: 1, Transition: 1, Command: &pb.CouponCommand{Campaign: 9}}),
		"does not exist":                       moved(&pb.CouponMoved{CouponId: id, From: 1, To: 2, Transition: 2}),
		"voucher  moves to state 0":            rare(schemas.FactVoucherMoved, &pb.Fact{Body: &pb.Fact_VoucherMoved{VoucherMoved: &pb.VoucherMoved{}}}),
		"review of coupon id ":                 rare(schemas.FactReviewDecided, &pb.Fact{Body: &pb.Fact_ReviewDecided{ReviewDecided: &pb.ReviewDecided{}}}),
		"review of coupon 0000":                rare(schemas.FactReviewDecided, &pb.Fact{Body: &pb.Fact_ReviewDecided{ReviewDecided: &pb.ReviewDecided{CouponId: id}}}),
	} {
		s := begun(t, newMemoryStore())
		err := s.Fold(f)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fact %+v: error %v, want one with %q", f, err, want)
		}
		if again := s.Fold(accepted(6, schemas.Verdict{Event: schemas.EventShare, User: 100})); !errors.Is(again, err) || !errors.Is(s.Err(), err) {
			t.Errorf("after %q a good fact is folded: %v, Err %v (P4)", err, again, s.Err())
		}
	}
}

// TestBrokenStore: when the store fails, nothing is decided any more.
func TestBrokenStore(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such disk")
	purchase := &schemas.Event{Kind: schemas.EventPurchase, Campaign: 1, Chain: 100, User: 200, OrderID: []byte("p"), TimeMS: worldMS}
	store := newMemoryStore()
	s := begun(t, store)
	store.broken = broken
	var v schemas.Verdict
	if got := s.Decide(purchase, Answer{}, &v); got != Broken || !errors.Is(s.Err(), broken) {
		t.Errorf("decide: outcome %d, Err %v", got, s.Err())
	}
	if err := s.Fold(accepted(6, schemas.Verdict{Event: schemas.EventShare, User: 100})); !errors.Is(err, broken) {
		t.Errorf("fold: %v", err)
	}
	if err := s.Flush(&batch{}); !errors.Is(err, broken) {
		t.Errorf("flush: %v", err)
	}
	if ask := s.Probe(&schemas.Event{Kind: schemas.EventShare, Campaign: 1, Chain: 1, User: 1}); ask != 0 || s.Evict() != 0 {
		t.Errorf("probe asks %d", ask)
	}
	if _, err := s.Hash(); !errors.Is(err, broken) {
		t.Errorf("hash: %v", err)
	}
	if _, err := Open(store, Config{}); !errors.Is(err, broken) {
		t.Errorf("open: %v", err)
	}
	if _, err := NewView(store); !errors.Is(err, broken) {
		t.Errorf("view: %v", err)
	}
}

// TestDamagedStore: every stored record, cut short, makes Open or the first look at it an error.
func TestDamagedStore(t *testing.T) {
	t.Parallel()
	whole := newMemoryStore()
	s := begun(t, whole)
	create := &pb.CouponMoved{CouponId: make([]byte, 16), To: 1, Transition: 1, Command: &pb.CouponCommand{Campaign: 1, OrderId: "o"}}
	if err := s.Fold(rare(schemas.FactCouponMoved, &pb.Fact{Body: &pb.Fact_CouponMoved{CouponMoved: create}})); err != nil {
		t.Fatal(err)
	}
	if err := flush(s, whole); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(whole, Config{}); err != nil {
		t.Fatal(err)
	}
	for key, value := range whole.values {
		if len(value) == 0 {
			continue
		}
		store := whole.clone()
		store.values[key] = value[:len(value)-1]
		s, err := Open(store, Config{})
		if err == nil {
			_, _, err = s.Order(1, "o")
		}
		if err == nil {
			t.Errorf("record %x is cut short and nobody notices", key)
		}
	}
	for _, key := range []Space{SpaceCounts, SpaceMembers, SpaceInviters, SpaceChains, SpaceShares, SpaceCoupons} {
		store := whole.clone()
		for k := range store.values {
			if k[0] == byte(key) {
				delete(store.values, k)
			}
		}
		if _, err := Open(store, Config{}); err == nil {
			t.Errorf("records of space %#x are missing and nobody notices", key)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if _, err := Open(nil, Config{}); err == nil {
		t.Error("a state opens without a store")
	}
	for _, days := range []int{-1, 366} {
		if _, err := Open(newMemoryStore(), Config{ColdDays: days}); err == nil {
			t.Errorf("cold days may be %d", days)
		}
	}
	var c Config
	if err := c.Validate(); err != nil || c.ColdDays != 7 {
		t.Errorf("default is %d days, %v; want 7", c.ColdDays, err)
	}
}

// TestForever: an expiry beyond 32 bits of seconds never comes.
func TestForever(t *testing.T) {
	t.Parallel()
	for expires, wants := range map[int64][2]bool{0: {false, false}, 5: {true, false}, math.MaxUint32 - 1: {true, true}, math.MaxInt64: {true, true}} {
		until := secondsOf(expires)
		if got := [2]bool{before(4999, until), before(5000, until)}; got != wants {
			t.Errorf("4.999 s and 5 s lie before %d s: %v, want %v", expires, got, wants)
		}
	}
	if before(math.MaxUint32*1000, secondsOf(math.MaxUint32-1)) || !before(math.MaxInt64, secondsOf(math.MaxInt64)) {
		t.Error("the last second is not told from forever")
	}
}
