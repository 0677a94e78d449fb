package projections

import (
	"fmt"
	"math"
	"testing"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// retrying makes coupon n and has it wait until dueMS.
func retrying(t *testing.T, s *State, n byte, dueMS int64) {
	t.Helper()
	id := append(make([]byte, 15), n)
	for _, m := range []*pb.CouponMoved{
		{CouponId: id, To: pb.CouponState_COUPON_STATE_PENDING, Transition: 1, Command: &pb.CouponCommand{Campaign: 1}},
		{CouponId: id, From: pb.CouponState_COUPON_STATE_PENDING, To: pb.CouponState_COUPON_STATE_RETRYING, Transition: 2, DueMs: dueMS},
	} {
		f := &schemas.Fact{Seq: s.Seq() + 1, Kind: schemas.FactCouponMoved, Rare: &pb.Fact{Body: &pb.Fact_CouponMoved{CouponMoved: m}}}
		if err := s.Fold(f); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDueFrom: EachDue need not look before DueFrom, which follows every new RETRYING coupon, in
// memory or in the store.
func TestDueFrom(t *testing.T) {
	t.Parallel()
	for _, flushed := range []bool{false, true} {
		store := newMemoryStore()
		s := begun(t, store)
		due := func(now int64) (got []byte) {
			if flushed {
				if err := flush(s, store); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.EachDue(now, 2, func(k *Coupon) error { got = append(got, k.ID[15]); return nil }); err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := due(0); got != nil || s.DueFrom() != math.MaxInt64 {
			t.Errorf("due %v, next %d in an empty state", got, s.DueFrom())
		}
		retrying(t, s, 1, 500)
		retrying(t, s, 2, 300)
		if s.DueFrom() > 300 {
			t.Errorf("next is due at %d, a coupon is at 300", s.DueFrom())
		}
		for now, want := range map[int64]string{299: "", 300: "\x02", 500: "\x02\x01"} {
			if got := string(due(now)); got != want {
				t.Errorf("flushed %t: due at %d are %q, want %q", flushed, now, got, want)
			}
		}
		retrying(t, s, 3, 100)
		if got := string(due(1000)); got != "\x03\x02" || s.DueFrom() > 100 {
			t.Errorf("flushed %t: the two earliest are %q, next %d", flushed, got, s.DueFrom())
		}
	}
}

// TestSeenIsDropped: command ids leave the store 30 days of worker clock after they were seen
// last.
func TestSeenIsDropped(t *testing.T) {
	t.Parallel()
	store := newMemoryStore()
	s := begun(t, store)
	retrying(t, s, 1, 1)
	clock := func(day int64) {
		t.Helper()
		if err := s.Fold(&schemas.Fact{Seq: s.Seq() + 1, Kind: schemas.FactStepEnded, Step: schemas.StepEnded{WorkerClockMS: worldMS + day*dayMS}}); err != nil {
			t.Fatal(err)
		}
	}
	review := func(command string) {
		t.Helper()
		d := &pb.ReviewDecided{CouponId: append(make([]byte, 15), 1), CommandId: command}
		if err := s.Fold(&schemas.Fact{Seq: s.Seq() + 1, Kind: schemas.FactReviewDecided, Rare: &pb.Fact{Body: &pb.Fact_ReviewDecided{ReviewDecided: d}}}); err != nil {
			t.Fatal(err)
		}
	}
	for day := range int64(100) {
		clock(day)
		review(fmt.Sprint("once ", day))
		if day%20 == 0 {
			review("again")
		}
		if day == 3 || day == 34 {
			review("anew") // the second time in the flush that drops the first
		}
		if err := flush(s, store); err != nil {
			t.Fatal(err)
		}
		if seen, err := s.Seen("anew"); seen != (day >= 3 && day <= 64) || err != nil {
			t.Errorf("on day %d the command of days 3 and 34 is seen: %t (%v)", day, seen, err)
		}
	}
	spaces := map[byte]int{}
	for k := range store.values {
		spaces[k[0]]++
	}
	if n := spaces[byte(SpaceSeen)]; n != 32 {
		t.Errorf("%d command ids are kept, want those of 31 days and one", n)
	}
	if n := spaces[byte(SpaceSeenTimes)]; n != 32 {
		t.Errorf("%d times are kept, want 32", n)
	}
	for command, want := range map[string]bool{"again": true, "once 99": true, "once 69": true, "once 68": false, "never": false} {
		if got, err := s.Seen(command); got != want || err != nil {
			t.Errorf("command %q is seen: %t, want %t (%v)", command, got, want, err)
		}
	}
}

// TestLongFlush: a restore may fold months between two flushes; pages that are over before they
// were ever written do no harm.
func TestLongFlush(t *testing.T) {
	t.Parallel()
	h := newHot(t, 1)
	store := newMemoryStore()
	s := h.states[0]
	s.store = store
	for user := int64(1); user <= 300; user++ {
		e := h.good(schemas.EventShare, user, user)
		e.CodeExpiresS = h.nowMS/1000 + 60
		h.apply(t, s, e)
		h.nowMS += dayMS
	}
	for range 3 {
		if err := flush(s, store); err != nil {
			t.Fatal(err)
		}
		s.Evict()
	}
	again, err := Open(store, Config{})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := s.Hash()
	if got, err := again.Hash(); got != want || err != nil {
		t.Errorf("reopened: hash %x, want %x (%v)", got, want, err)
	}
}
