package projections

import (
	"fmt"
	"math"
	"testing"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// TestDeepChain: a chain may be deeper than 16 bits, and paths are counted max_depth up from the
// joiner alone.
func TestDeepChain(t *testing.T) {
	t.Parallel()
	h := newHot(t, 1)
	s := h.states[0]
	const depth = 70_000
	h.share(t, 0, 1, 1)
	for user := int64(2); user <= depth+1; user++ {
		e := h.good(schemas.EventJoin, user, 1)
		e.Inviter = user - 1
		h.apply(t, s, e)
		if h.fact.Verdict.Depth != int32(user-1) {
			t.Fatalf("user %d joins at depth %d", user, h.fact.Verdict.Depth)
		}
		h.share(t, 0, user, 1)
	}
	if tree, ok, err := s.Chain(1, 1); !ok || err != nil || tree.MaxDepth != depth || tree.Size != depth+1 || tree.Shares != depth+1 {
		t.Errorf("chain is %+v, %t, %v", tree, ok, err)
	}
	for user, total := range map[int64]int64{1: 5, depth - 10: 5, depth - 1: 2, depth + 1: 0} {
		if u, _, _ := s.User(1, user); u.Total != total || u.Depth != int32(user-1) {
			t.Errorf("user %d is %+v, want total %d", user, u, total)
		}
	}
	if c, _ := s.Campaign(1); c.Stats.Depth[1] != 1 || c.Stats.Depth[StatsDepths] != depth-StatsDepths+1 || c.Stats.MaxDepth != depth {
		t.Errorf("depths are %v", c.Stats.Depth)
	}
}

// TestSeqsFarApart: members of one page whose facts lie more than 2^32 apart keep their seqs, in
// memory and in the store.
func TestSeqsFarApart(t *testing.T) {
	t.Parallel()
	store := newMemoryStore()
	s := begun(t, store)
	want := map[int64]int64{100: 2, 200: 3}
	for user := int64(300); user < 500; user++ {
		s.seq += math.MaxUint32 / 3
		want[user] = s.seq + 1
		if err := s.Fold(accepted(s.seq+1, schemas.Verdict{Event: schemas.EventJoin, User: user, Inviter: 100, Depth: 1})); err != nil {
			t.Fatal(err)
		}
	}
	if err := flush(s, store); err != nil {
		t.Fatal(err)
	}
	again, err := Open(store, Config{})
	if err != nil {
		t.Fatal(err)
	}
	for user, seq := range want {
		for _, s := range []*State{s, again} {
			if u, ok, err := s.User(1, user); !ok || err != nil || u.Seq != seq {
				t.Errorf("user %d has seq %d, want %d (%v)", user, u.Seq, seq, err)
			}
		}
	}
	claims := 0
	if err := again.EachClaim(func(c Claim) error {
		claims++
		if want[c.User] != c.Seq || c.Chain != 100 || c.Campaign != 1 {
			t.Errorf("claim %+v, want seq %d", c, want[c.User])
		}
		return nil
	}); err != nil || claims != len(want) {
		t.Errorf("%d claims, want %d (%v)", claims, len(want), err)
	}
}

// countingStore counts what is asked for.
type countingStore struct {
	*memoryStore
	gets map[Space]int
}

func (m *countingStore) Get(space Space, key, dst []byte) ([]byte, bool, error) {
	m.gets[space]++
	return m.memoryStore.Get(space, key, dst)
}

// TestCold: after seven days of watermark users are in the store alone; strangers rarely ask for
// it; who comes back has the counters of old (domain.md section 4).
func TestCold(t *testing.T) {
	t.Parallel()
	h := newHot(t, 1)
	store := &countingStore{memoryStore: newMemoryStore(), gets: map[Space]int{}}
	s := h.states[0]
	s.store = store
	const seed = int64(1) << 62
	h.share(t, 0, seed, seed)
	for range 5000 {
		h.join(t, 0)
	}
	later := func(days int64) {
		h.nowMS += days * dayMS
		id := h.id63()
		h.share(t, 0, id, id) // moves the watermark
		for range 100 {
			if err := flush(s, store.memoryStore); err != nil {
				t.Fatal(err)
			}
		}
	}
	later(7)
	if gone := s.Evict(); gone != 0 {
		t.Errorf("%d users left after 7 days, which are not yet over", gone)
	}
	later(1)
	before, err := s.Hash()
	if gone := s.Evict(); gone < 4900 || err != nil {
		t.Fatalf("%d of 5000 users left after 8 days (%v)", gone, err)
	}
	clear(store.gets)
	for range 2000 {
		if c := s.campaigns[0]; c.find(h.id63()) != 0 {
			t.Fatal("a stranger is known")
		}
	}
	if store.gets[SpaceCold] > 40 {
		t.Errorf("2000 strangers asked the store %d times", store.gets[SpaceCold])
	}
	if after, err := s.Hash(); after != before || err != nil {
		t.Errorf("hash is %x cold and %x hot (P5, %v)", after, before, err)
	}
	h.known[0] = h.known[0][:1]
	h.join(t, 0)
	if u, ok, err := s.User(1, seed); !ok || err != nil || u.Direct != 5001 || u.Total != 5001 {
		t.Errorf("the seed came back as %+v, %t, %v", u, ok, err)
	}
	if len(s.campaigns[0].users.slots) == 0 || s.campaigns[0].users.live > 300 {
		t.Errorf("%d users are in memory", s.campaigns[0].users.live)
	}
}

// TestSharesGo: a page of shares goes 30 days of watermark after its codes have expired, and
// until then answers for the share limit.
func TestSharesGo(t *testing.T) {
	t.Parallel()
	h := newHot(t, 1)
	store := newMemoryStore()
	s := h.states[0]
	s.store = store
	share := func(user int64) {
		e := h.good(schemas.EventShare, user, user)
		e.CodeExpiresS = h.nowMS/1000 + 3600
		h.apply(t, s, e)
	}
	for user := int64(1); user <= 200; user++ {
		share(user)
		if err := flush(s, store); err != nil {
			t.Fatal(err)
		}
	}
	began := h.nowMS - 200
	if ids, err := s.ShareIDs(1, began, began+hourMS, nil); err != nil || len(ids) != 1 {
		t.Errorf("user 1 has %d shares in the hour, want 1 (%v)", len(ids), err)
	}
	for _, days := range []int64{20, 10, 1} {
		h.nowMS += days * dayMS
		share(1000 + h.nowMS)
		if err := flush(s, store); err != nil {
			t.Fatal(err)
		}
		s.Evict()
		ids, err := s.ShareIDs(1, began, began+hourMS, nil)
		if gone := days == 1; err != nil || gone != (len(ids) == 0) {
			t.Errorf("%d days later user 1 has %d shares, %v", (h.nowMS-began)/dayMS, len(ids), err)
		}
	}
	if floor := s.campaigns[0].shareFloor; floor != 3 {
		t.Errorf("%d pages are gone, want 3", floor)
	}
	again, err := Open(store, Config{})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := s.Hash()
	if got, err := again.Hash(); got != want || err != nil {
		t.Errorf("reopened without the old pages: hash %x, want %x (%v)", got, want, err)
	}
}

// TestView: queries of the store give what the state gives at its last flush, hot or cold.
func TestView(t *testing.T) {
	t.Parallel()
	r := newRun(t, 11, 1500)
	for range 60 {
		r.turn()
	}
	r.flush()
	v, err := NewView(r.store)
	if err != nil {
		t.Fatal(err)
	}
	if v.Seq() != r.live.Seq() {
		t.Errorf("view stands at seq %d, state at %d", v.Seq(), r.live.Seq())
	}
	v.EachCampaign(func(c *CampaignState) {
		st, _ := r.live.Campaign(c.Rules.ID)
		if fmt.Sprint(c.Stats.Accepted, c.Rules.Version, c.TopUps) != fmt.Sprint(st.Stats.Accepted, st.Rules.Version, st.TopUps) {
			t.Errorf("view of campaign %d is %+v, want %+v", c.Rules.ID, c, st)
		}
	})
	for id := range int64(3) {
		r.viewChains(v, id)
		sharers := map[int64]User{}
		if err := v.EachInviter(id, func(u User) error { sharers[u.User] = u; return nil }); err != nil {
			t.Fatal(err)
		}
		for user := int64(1); user <= 1500; user += 7 {
			want, ok, _ := r.live.User(id, user)
			got, found, err := v.User(id, user)
			if err != nil || found != ok || got != want {
				t.Fatalf("view of user %d is %+v %t %v, want %+v %t", user, got, found, err, want, ok)
			}
			if want.ActiveUntilS > 0 && sharers[user] != want {
				t.Errorf("sharer %d is listed as %+v, want %+v", user, sharers[user], want)
			}
			chain, ok, _ := r.live.Chain(id, user)
			if got, found, err := v.Chain(id, user); err != nil || found != ok || got != chain {
				t.Errorf("view of chain %d is %+v %t %v, want %+v %t", user, got, found, err, chain, ok)
			}
		}
	}
	r.viewCoupons(v)
}

func (r *run) viewChains(v *View, id int64) {
	var sum Stats
	chains := 0
	err := v.EachChain(id, func(c Chain) error {
		chains++
		if want, ok, _ := r.live.Chain(id, c.Seed); !ok || c != want {
			r.t.Errorf("chain %d is listed as %+v, want %+v", c.Seed, c, want)
		}
		return nil
	})
	if c := r.m.campaigns[id]; err != nil || c != nil && chains != len(c.chains) {
		r.t.Errorf("campaign %d: %d chains are listed (%v)", id, chains, err)
	}
	if st, ok := v.Campaign(id); ok {
		sum.Add(&st.Stats)
		sum.Add(&st.Stats)
		if sum.MaxDepth != st.Stats.MaxDepth || sum.Depth[1] != 2*st.Stats.Depth[1] || sum.Accepted[1] != 2*st.Stats.Accepted[1] || sum.Rewards != 2*st.Stats.Rewards {
			r.t.Errorf("campaign %d twice is %+v", id, sum)
		}
	}
}

func (r *run) viewCoupons(v *View) {
	held := map[schemas.CouponID]bool{}
	for _, state := range []pb.CouponState{pb.CouponState_COUPON_STATE_HELD, pb.CouponState_COUPON_STATE_DEAD} {
		if err := v.EachCouponIn(state, func(k *Coupon) error { held[k.ID] = true; return nil }); err != nil {
			r.t.Fatal(err)
		}
	}
	all := 0
	if err := v.EachCoupon(func(*Coupon) error { all++; return nil }); err != nil || all != len(r.k.all) {
		r.t.Errorf("view lists %d coupons, want %d (%v)", all, len(r.k.all), err)
	}
	for id, k := range r.k.all {
		got, ok, err := v.Coupon(id)
		if err != nil || !ok || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", k) {
			r.t.Errorf("view of coupon %s is %+v %v, want %+v", id, got, err, k)
		}
		if want := k.State == pb.CouponState_COUPON_STATE_HELD || k.State == pb.CouponState_COUPON_STATE_DEAD; held[id] != want {
			r.t.Errorf("coupon %s in %s is listed as held or dead: %t", id, k.State, held[id])
		}
		listed := false
		err = v.OrderCoupons(k.Campaign, k.OrderID, func(o *Coupon) error { listed = listed || o.ID == id; return nil })
		if o, ok, _ := v.Order(k.Campaign, k.OrderID); err != nil || listed != (k.OrderID != "") || k.OrderReversed != (ok && o.ReversedSeq != 0) {
			r.t.Errorf("coupon %s of order %q %+v: listed %t, %v", id, k.OrderID, o, listed, err)
		}
	}
}

// TestNeedAnswer: an event that Redis was not asked about cuts the step (P2).
func TestNeedAnswer(t *testing.T) {
	t.Parallel()
	s := begun(t, newMemoryStore())
	event := func(kind schemas.EventKind, user, chain, inviter int64) *schemas.Event {
		return &schemas.Event{Kind: kind, Campaign: 1, Chain: chain, User: user, Inviter: inviter, TimeMS: worldMS, ID: []byte{byte(user)}, Code: schemas.CodeGood, CodeExpiresS: worldMS/1000 + 9}
	}
	var v schemas.Verdict
	for _, c := range []struct {
		e    *schemas.Event
		a    Answer
		want Outcome
	}{
		{event(schemas.EventJoin, 300, 100, 100), Answer{}, NeedAnswer},
		{event(schemas.EventJoin, 300, 100, 100), Answer{Share: Yes}, NeedAnswer},
		{event(schemas.EventJoin, 300, 100, 100), Answer{Claim: Yes}, Accept},
		{event(schemas.EventShare, 200, 100, 0), Answer{Claim: Yes}, NeedAnswer},
		{event(schemas.EventShare, 200, 100, 0), Answer{Share: Yes}, Accept},
		{event(schemas.EventShare, 400, 400, 0), Answer{Share: Yes}, NeedAnswer},
		{event(schemas.EventShare, 400, 400, 0), Answer{Share: No}, Refuse},
		{event(schemas.EventShare, 400, 400, 0), Answer{Share: Yes, Claim: Yes}, Accept},
		{event(schemas.EventPurchase, 200, 100, 0), Answer{}, Accept},
	} {
		hash, _ := s.Hash()
		if got := s.Decide(c.e, c.a, &v); got != c.want || s.Err() != nil {
			t.Errorf("decide %+v with %+v: %d, want %d (%v)", c.e, c.a, got, c.want, s.Err())
		}
		if after, _ := s.Hash(); after != hash {
			t.Errorf("decide %+v changed the state (P2)", c.e)
		}
	}
}
