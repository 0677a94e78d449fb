package projections

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// run drives one live state, with its store, beside the model, a state that folds the decoded
// facts from zero, and whatever is reopened.
type run struct {
	t     *testing.T
	w     *world
	m     *model
	live  *State
	store *memoryStore
	zero  *State // folds every fact, never flushed
	facts [][]byte
	cfg   Config
	fact  schemas.Fact
	k     *couponModel

	changes int64 // number of the last campaign change
	reached map[string]int
}

func newRun(t *testing.T, seed uint64, users int64) *run {
	t.Helper()
	t.Logf("seed %d", seed)
	r := &run{t: t, w: newWorld(seed, users), m: newModel(), store: newMemoryStore(), cfg: Config{ColdDays: 2}, reached: map[string]int{}}
	r.k = newCouponModel(r)
	r.live, r.zero = r.open(r.store), r.open(newMemoryStore())
	for _, rules := range []*schemas.Campaign{worldRules(1, 1, 3, "link"), worldRules(2, 1, 5, "refuse")} {
		r.emit(activated(r.live.Seq()+1, rules))
		r.m.activate(rules)
		r.m.seq++
	}
	return r
}

func (r *run) open(store Store) *State {
	s, err := Open(store, r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// emit folds a fact into the live state as it is, and into the other after its way over the wire.
func (r *run) emit(f *schemas.Fact) {
	if err := r.live.Fold(f); err != nil {
		r.t.Fatal(err)
	}
	r.facts = append(r.facts, schemas.AppendFact(nil, f))
	r.refold(r.zero, r.facts[len(r.facts)-1:])
}

func (r *run) refold(s *State, facts [][]byte) {
	for _, value := range facts {
		var f schemas.Fact
		value = slices.Clone(value)
		if err := f.Decode(value); err != nil {
			r.t.Fatal(err)
		}
		if err := s.Fold(&f); err != nil {
			r.t.Fatal(err)
		}
		clear(value) // nothing kept may alias it
	}
}

// batch probes, asks and decides n events as a worker does.
func (r *run) batch(n int) {
	events := make([]*schemas.Event, n)
	for i := range events {
		events[i] = r.w.event(r.m)
	}
	absent := r.absent()
	defer func() { r.reached["page came back"] += absent - r.absent() }()
	for len(events) > 0 {
		asks := make([]Ask, len(events))
		for i, e := range events {
			asks[i] = r.live.Probe(e)
		}
		r.live.EndProbe()
		done := 0
		for i, e := range events {
			if !r.decide(e, asks[i], i == 0) {
				break
			}
			done++
		}
		if done == 0 {
			r.t.Fatalf("the first event of a batch needs an answer that its probe did not ask for (P2): %+v", events[0])
		}
		events = events[done:]
	}
}

// decide decides and folds one event; false when Redis must be asked first.
func (r *run) decide(e *schemas.Event, ask Ask, first bool) bool {
	want := r.m.judge(e)
	wantAsk := Ask(0)
	if want.asksShare {
		wantAsk |= AskShare
	}
	if want.asksClaim {
		wantAsk |= AskClaim
	}
	if first && ask != wantAsk {
		r.t.Fatalf("probe of %+v asks %d, want %d", e, ask, wantAsk)
	}
	answer := r.w.answer(e, ask)
	switch {
	case want.outcome != Accept:
	case wantAsk&AskShare != 0 && answer.Share == NotAsked, wantAsk&AskClaim != 0 && answer.Claim == NotAsked && answer.Share != No:
		want = modelVerdict{outcome: NeedAnswer}
	case wantAsk&AskShare != 0 && answer.Share == No:
		want = modelVerdict{outcome: Refuse, reason: reasonShareLimit}
	case wantAsk&AskClaim != 0 && answer.Claim == No:
		want = modelVerdict{outcome: Refuse, reason: reasonClaimedElsewhere}
	}
	v := &r.fact.Verdict
	got := r.live.Decide(e, answer, v)
	r.reached[fmt.Sprint(got, " ", v.Reason)]++
	if got != want.outcome {
		r.t.Fatalf("decide %+v with %+v: outcome %d reason %s, want %d %s (%v)", e, answer, got, v.Reason, want.outcome, want.reason, r.live.Err())
	}
	switch got {
	case NeedAnswer:
		return false
	case Dead:
		if v.Reason != want.reason {
			r.t.Fatalf("decide %+v: dead for %s, want %s", e, v.Reason, want.reason)
		}
		return true
	}
	r.compare(e, answer, v, want)
	r.m.fold(e, want)
	r.fact.Kind, r.fact.Seq = got.Kind(), r.live.Seq()+1
	r.emit(&r.fact)
	return true
}

func (r *run) compare(e *schemas.Event, a Answer, v *schemas.Verdict, want modelVerdict) {
	var rewards []string
	for i := range v.Rewards {
		w := &v.Rewards[i]
		rewards = append(rewards, fmt.Sprintf("%s %d %s %d %s", w.Rule, w.Beneficiary, w.Coupon, w.Ordinal, w.CouponID))
	}
	switch {
	case v.Reason != want.reason, v.FirstSeq != want.first:
		r.t.Fatalf("decide %+v: %s first %d, want %s first %d", e, v.Reason, v.FirstSeq, want.reason, want.first)
	case want.outcome == Accept && e.Kind == schemas.EventJoin && int(v.Depth) != want.depth:
		r.t.Fatalf("decide %+v: depth %d, want %d", e, v.Depth, want.depth)
	case !slices.Equal(rewards, want.rewards):
		r.t.Fatalf("decide %+v: rewards %q, want %q", e, rewards, want.rewards)
	case v.Claimed != (a.Claim == Yes), v.Counted != (a.Share == Yes):
		r.t.Fatalf("decide %+v with %+v: claimed %t counted %t (X10)", e, a, v.Claimed, v.Counted)
	}
}

// absent counts the pages that are in the store alone.
func (r *run) absent() (n int) {
	for _, c := range r.live.campaigns {
		for _, p := range c.members.pages {
			n += count(p == nil)
		}
		for _, p := range c.inviters.pages {
			n += count(p == nil)
		}
	}
	return n
}

// check compares what the states answer. Looking at every user brings every page back, so half of
// the time a copy is looked at.
func (r *run) check() {
	want := r.hash(r.zero)
	if got := r.hash(r.live); got != want {
		r.t.Fatalf("live state has hash %x, folded from zero %x, at seq %d (P1)", got, want, r.live.Seq())
	}
	r.checkRedis(r.live)
	r.k.check(r.live)
	s := r.live
	if r.w.chance(50) {
		s = r.reopen()
	}
	for id, c := range r.m.campaigns {
		if got, want := r.describe(s, id), c.describe(); got != want {
			r.t.Fatalf("campaign %d at seq %d:\n%s\nwant:\n%s", id, s.Seq(), got, want)
		}
		r.checkStats(s, id, c)
	}
	if got := r.hash(s); got != want {
		r.t.Fatalf("a look at every user changed the hash from %x to %x (P5)", want, got)
	}
}

func (r *run) hash(s *State) [16]byte {
	h, err := s.Hash()
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

func (r *run) describe(s *State, id int64) string {
	var lines []string
	for user := int64(1); user <= r.w.users; user++ {
		if u, ok, err := s.User(id, user); err != nil {
			r.t.Fatal(err)
		} else if ok {
			lines = append(lines, fmt.Sprint(u))
		}
		if c, ok, _ := s.Chain(id, user); ok {
			lines = append(lines, fmt.Sprint(c))
		}
	}
	for i := range r.w.orders {
		name := fmt.Sprintf("o%d", i+1)
		if o, ok, _ := s.Order(id, name); ok {
			lines = append(lines, fmt.Sprint("order ", name, modelOrder{o.Seq, o.Chain, o.Buyer, o.ReversedSeq}))
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func (r *run) checkStats(s *State, id int64, c *modelCampaign) {
	st, _ := s.Campaign(id)
	got := fmt.Sprint(st.Stats.Duplicates, st.Stats.Rewards)
	want := fmt.Sprint(c.duplicates, c.rewards)
	for kind := range st.Stats.Accepted {
		got += fmt.Sprint(" ", st.Stats.Accepted[kind])
		want += fmt.Sprint(" ", c.accepted[schemas.EventKind(kind)])
	}
	for reason := range st.Stats.Refused {
		got += fmt.Sprint(" ", st.Stats.Refused[reason])
		want += fmt.Sprint(" ", c.refused[schemas.Reason(reason)])
	}
	for depth := range st.Stats.Depth {
		got += fmt.Sprint(" ", st.Stats.Depth[depth])
		want += fmt.Sprint(" ", c.depths[depth])
	}
	if got != want {
		r.t.Fatalf("statistics of campaign %d:\n%s\nwant:\n%s", id, got, want)
	}
}

// checkRedis compares what a rebuild of Redis would be told (X10).
func (r *run) checkRedis(s *State) {
	var got, want []string
	err := s.EachClaim(func(k Claim) error {
		got = append(got, fmt.Sprint("claim ", k.Campaign, k.User, k.Chain, k.Seq))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	since := r.m.watermark - 30*hourMS
	err = s.EachShareSince(since, func(v Share) error {
		got = append(got, fmt.Sprint("share ", v.User, v.TimeMS, v.Event))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	user, from := r.w.user(), r.m.watermark-r.w.rng.Int64N(20*dayMS)
	ids, err := s.ShareIDs(user, from, from+5*dayMS, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, id := range ids {
		got = append(got, fmt.Sprint("id ", id))
	}
	for campaign, c := range r.m.campaigns {
		for id, u := range c.users {
			want = append(want, fmt.Sprint("claim ", campaign, id, u.chain, u.seq))
		}
		for _, s := range c.shares {
			h := eventHash(campaign, s.chain, []byte(s.source), []byte(s.id))
			if s.timeMS >= since {
				want = append(want, fmt.Sprint("share ", s.user, s.timeMS, h))
			}
			if s.user == user && s.timeMS >= from && s.timeMS < from+5*dayMS {
				want = append(want, fmt.Sprint("id ", h))
			}
		}
	}
	sort.Strings(got)
	sort.Strings(want)
	if !slices.Equal(got, want) {
		r.t.Fatalf("Redis would be told\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// reopen opens the store as the last flush left it, folds the facts since and compares.
func (r *run) reopen() *State {
	s := r.open(r.store.clone())
	r.refold(s, r.facts[s.Seq():])
	if got, want := r.hash(s), r.hash(r.live); got != want {
		r.t.Fatalf("reopened at the flush and folded up to seq %d: hash %x, want %x (X2, P7)", s.Seq(), got, want)
	}
	return s
}

func (r *run) step() {
	clock := max(r.live.ClockMS(), r.w.nowMS)
	r.emit(&schemas.Fact{Seq: r.live.Seq() + 1, Kind: schemas.FactStepEnded, Step: schemas.StepEnded{WorkerClockMS: clock}})
	r.m.seq++
}

// turn is one turn of a worker and, sometimes, what happens besides.
func (r *run) turn() {
	r.batch(1 + r.w.rng.IntN(40))
	r.k.turn()
	r.step()
	if r.w.chance(10) || r.m.campaigns[1].paused || r.m.campaigns[2].paused {
		r.change()
	}
	if r.w.chance(30) {
		r.flush()
	}
	if r.w.chance(4) {
		r.check()
	}
	if r.w.chance(4) {
		s := r.reopen()
		if r.w.chance(50) {
			r.live = s // crashed and restarted; its store stays as flushed
			r.store = s.store.(*memoryStore)
		}
	}
}

func (r *run) flush() {
	if err := flush(r.live, r.store); err != nil {
		r.t.Fatal(err)
	}
	r.reached["user left memory"] += r.live.Evict()
}

// change pauses, resumes, tops up or brings a new version.
func (r *run) change() {
	id := 1 + r.w.rng.Int64N(2)
	c := r.m.campaigns[id]
	if r.w.chance(30) {
		rules := worldRules(id, c.rules.Version+1, 3+r.w.rng.IntN(4), []string{"link", "refuse"}[r.w.rng.IntN(2)])
		r.emit(activated(r.live.Seq()+1, rules))
		r.m.activate(rules)
		r.m.seq++
		return
	}
	r.changes++
	kind := pb.ChangeKind_CHANGE_KIND_PAUSE
	switch {
	case c.paused:
		kind = pb.ChangeKind_CHANGE_KIND_RESUME
	case r.w.chance(50):
		kind = pb.ChangeKind_CHANGE_KIND_TOP_UP
	}
	c.paused = kind == pb.ChangeKind_CHANGE_KIND_PAUSE || c.paused && kind == pb.ChangeKind_CHANGE_KIND_TOP_UP
	r.emit(changed(r.live.Seq()+1, id, r.changes, kind))
	r.m.seq++
}

// TestModel holds the state to the naive models (P1, P2, P3, P5, P6, P7), and checks that the runs
// came everywhere.
func TestModel(t *testing.T) {
	t.Parallel()
	seeds := uint64(6)
	if testing.Short() {
		seeds = 3
	}
	reached := make([]map[string]int, seeds)
	t.Cleanup(func() { everywhere(t, reached) }) // after the parallel runs
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := newRun(t, seed, []int64{60, 1500, 5000}[seed%3])
			for range 120 {
				r.turn()
			}
			r.check()
			r.reopen()
			if r.live.WatermarkMS() != r.m.watermark {
				t.Errorf("watermark is %d, want %d", r.live.WatermarkMS(), r.m.watermark)
			}
			reached[seed] = r.reached
		})
	}
}

// everywhere checks that the runs together met every reason, and what else they were made for.
func everywhere(t *testing.T, reached []map[string]int) {
	t.Helper()
	total := map[string]int{}
	for _, r := range reached {
		if r == nil {
			return // a run failed, or was not asked for
		}
		for what, n := range r {
			total[what] += n
		}
	}
	for reason := reasonAlreadyInvited; reason <= reasonClaimedElsewhere; reason++ {
		total[fmt.Sprint(Refuse, " ", reason)] += 0
	}
	for what, n := range total {
		t.Log(what, n)
		if n == 0 {
			t.Errorf("no run reached %q", what)
		}
	}
}
