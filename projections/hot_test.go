package projections

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"hongbao/schemas"
)

// hot grows states with plain good events: a share by about 18 of 100 users, no rewards but those
// of the demo rules, random 63-bit ids, chains of about 50 users.
type hot struct {
	states []*State
	stores []*slabStore
	rng    *rand.Rand
	known  [][]sharer
	event  schemas.Event
	fact   schemas.Fact
	id     []byte
	source []byte
	nowMS  int64
	edges  int
}

type sharer struct{ user, chain int64 }

const hotText = `campaign: 1
version: 1
starts: 2000-01-01T00:00:00Z
ends: 2100-01-01T00:00:00Z
coupons: {five_off: {stock: 1000000, valid_for: 720h, value_minor: 500, currency: CNY}}
rewards:
  - {id: ten, on: direct_joins, every: 10, repeat: true, to: inviter, coupon: five_off}
`

func newHot(tb testing.TB, states int) *hot {
	tb.Helper()
	h := &hot{rng: rand.New(rand.NewPCG(7, 7)), known: make([][]sharer, states), nowMS: worldMS, source: []byte("app")}
	rules, err := schemas.ParseCampaign("test", []byte(hotText))
	if err != nil {
		tb.Fatal(err)
	}
	for range states {
		store := &slabStore{at: map[string]slabRange{}}
		s, err := Open(store, Config{})
		if err != nil {
			tb.Fatal(err)
		}
		if err := s.Fold(activated(1, rules)); err != nil {
			tb.Fatal(err)
		}
		h.states, h.stores = append(h.states, s), append(h.stores, store)
	}
	return h
}

func (h *hot) good(kind schemas.EventKind, user, chain int64) *schemas.Event {
	h.nowMS++
	h.id = strconv.AppendInt(h.id[:0], h.nowMS, 10)
	h.event = schemas.Event{
		Kind: kind, Source: h.source, ID: h.id, TimeMS: h.nowMS, Campaign: 1, Chain: chain, User: user,
		Code: schemas.CodeGood, CodeExpiresS: 4_102_444_800,
	}
	return &h.event
}

// apply takes an event the whole way: probe, decide, fold.
func (h *hot) apply(tb testing.TB, s *State, e *schemas.Event) {
	ask := s.Probe(e)
	s.EndProbe()
	if ask == 0 || s.Decide(e, Answer{Claim: Yes, Share: Yes}, &h.fact.Verdict) != Accept {
		tb.Fatalf("event %+v: asks %d, reason %s, %v", e, ask, h.fact.Verdict.Reason, s.Err())
	}
	h.fact.Seq, h.fact.Kind = s.seq+1, schemas.FactAccepted
	if err := s.Fold(&h.fact); err != nil {
		tb.Fatal(err)
	}
}

func (h *hot) id63() int64 { return 1 + h.rng.Int64N(1<<62) }

// share makes user a sharer of chain; user == chain begins it.
func (h *hot) share(tb testing.TB, p int, user, chain int64) {
	h.apply(tb, h.states[p], h.good(schemas.EventShare, user, chain))
	h.known[p] = append(h.known[p], sharer{user, chain})
}

func (h *hot) join(tb testing.TB, p int) (user, chain int64) {
	by := h.known[p][h.rng.IntN(len(h.known[p]))]
	user = h.id63()
	e := h.good(schemas.EventJoin, user, by.chain)
	e.Inviter = by.user
	h.apply(tb, h.states[p], e)
	h.edges++
	return user, by.chain
}

// grow adds an edge to partition p, and what belongs to it.
func (h *hot) grow(tb testing.TB, p int) {
	if h.rng.IntN(50) == 0 || len(h.known[p]) == 0 {
		seed := h.id63()
		h.share(tb, p, seed, seed)
	}
	if user, chain := h.join(tb, p); h.rng.IntN(100) < 18 {
		h.share(tb, p, user, chain)
	}
}

func (h *hot) flush(tb testing.TB) {
	for p, s := range h.states {
		if err := s.Flush(h.stores[p]); err != nil {
			tb.Fatal(err)
		}
		s.Evict()
	}
}

// TestHotPathAllocates nothing (P8): probe, decide and fold of shares and joins.
//
//nolint:paralleltest // the allocations of the whole process are counted
func TestHotPathAllocates(t *testing.T) {
	h := newHot(t, 1)
	for range 20000 {
		h.grow(t, 0)
	}
	h.known[0] = append(make([]sharer, 0, 1<<20), h.known[0]...)
	for what, do := range map[string]func(){
		"first share of a chain": func() { id := h.id63(); h.share(t, 0, id, id) },
		"share":                  func() { h.share(t, 0, h.known[0][0].user, h.known[0][0].chain) },
		"join":                   func() { h.join(t, 0) },
	} {
		if n := testing.AllocsPerRun(5000, do); n != 0 {
			t.Errorf("a %s allocates %v times", what, n)
		}
	}
}

// benchStep is the number of events that a worker takes at once: the probe of the batch brings to
// the cache what decide and fold need.
const benchStep = 256

// benchmark has the states take turns as workers do, a step of events each.
func benchmark(b *testing.B, users int, next func(h *hot, p int) schemas.Event) {
	h := newHot(b, 16)
	for i := range users {
		h.grow(b, i%16)
	}
	h.flush(b)
	events, ids := make([]schemas.Event, benchStep), make([][20]byte, benchStep)
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime()
	for done := 0; done < b.N; done += benchStep {
		p := done / benchStep % 16
		for i := range events {
			e := next(h, p)
			e.ID = ids[i][:copy(ids[i][:], e.ID)]
			events[i] = e
		}
		h.step(b, h.states[p], events)
	}
	b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/op")
}

func (h *hot) step(tb testing.TB, s *State, events []schemas.Event) {
	for i := range events {
		s.Probe(&events[i])
	}
	s.EndProbe()
	for i := range events {
		if s.Decide(&events[i], Answer{Claim: Yes, Share: Yes}, &h.fact.Verdict) != Accept {
			tb.Fatalf("event %+v: %s, %v", events[i], h.fact.Verdict.Reason, s.Err())
		}
		h.fact.Seq, h.fact.Kind = s.seq+1, schemas.FactAccepted
		if err := s.Fold(&h.fact); err != nil {
			tb.Fatal(err)
		}
	}
}

func BenchmarkJoin(b *testing.B) {
	for _, users := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			benchmark(b, users, func(h *hot, p int) schemas.Event {
				by := h.known[p][h.rng.IntN(len(h.known[p]))]
				e := h.good(schemas.EventJoin, h.id63(), by.chain)
				e.Inviter = by.user
				return *e
			})
		})
	}
}

func BenchmarkShare(b *testing.B) {
	benchmark(b, 1_000_000, func(h *hot, p int) schemas.Event {
		by := h.known[p][h.rng.IntN(len(h.known[p]))]
		return *h.good(schemas.EventShare, by.user, by.chain)
	})
}

// BenchmarkFlush is about what one second of a busy partition leaves to write.
func BenchmarkFlush(b *testing.B) {
	const perFlush = 8192
	h := newHot(b, 1)
	for range 100_000 {
		h.grow(b, 0)
	}
	h.flush(b)
	var w countingWriter
	var cpu int64
	b.ResetTimer()
	for done := 0; done < b.N; done += perFlush {
		for range perFlush {
			h.join(b, 0)
		}
		began := cpuTime()
		if err := h.states[0].Flush(&w); err != nil {
			b.Fatal(err)
		}
		cpu += cpuTime() - began
	}
	joins := float64((b.N + perFlush - 1) / perFlush * perFlush)
	b.ReportMetric(float64(cpu)/joins, "flush-ns/join")
	b.ReportMetric(float64(w.bytes)/joins, "flush-B/join")
	b.ReportMetric(float64(w.keys)/joins, "keys/join")
}

type countingWriter struct{ keys, bytes int }

func (w *countingWriter) Set(_ Space, key, value []byte) {
	w.keys++
	w.bytes += len(key) + len(value)
}

func (w *countingWriter) Delete(Space, []byte) { w.keys++ }

// BenchmarkBytesPerEdge wants -benchtime 5000000x: it makes b.N edges in 16 states.
func BenchmarkBytesPerEdge(b *testing.B) {
	h := newHot(b, 16)
	for i := range b.N {
		h.grow(b, i%16)
		if i%1_000_000 == 999_999 {
			h.flush(b)
		}
	}
	h.flush(b)
	h.known = nil
	with := heap()
	inviters, shares := 0, 0
	for _, s := range h.states {
		inviters += int(s.campaigns[0].inviters.next)
		shares += int(s.campaigns[0].shares.next)
	}
	h.states = nil
	b.ReportMetric(float64(with-heap())/float64(h.edges), "B/edge")
	b.ReportMetric(float64(inviters)/float64(h.edges), "inviters/edge")
	b.ReportMetric(float64(shares)/float64(h.edges), "shares/edge")
	runtime.KeepAlive(h)
}

// cpuTime is the process's own: others may be busy on the same cores.
func cpuTime() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// slabStore keeps what was flushed in one array, so that a benchmark can tell it from the state.
type slabStore struct {
	at   map[string]slabRange
	slab []byte
}

type slabRange struct{ from, to int }

func (m *slabStore) Get(space Space, key, dst []byte) ([]byte, bool, error) {
	r, ok := m.at[string(append([]byte{byte(space)}, key...))]
	return append(dst[:0], m.slab[r.from:r.to]...), ok, nil
}

func (m *slabStore) Scan(Space, []byte, func(key, value []byte) error) error { return nil }

func (m *slabStore) Set(space Space, key, value []byte) {
	k := string(append([]byte{byte(space)}, key...))
	r, ok := m.at[k]
	if !ok || r.to-r.from < len(value) {
		r = slabRange{len(m.slab), len(m.slab) + len(value)}
		m.slab = append(m.slab, value...)
	}
	r.to = r.from + len(value)
	copy(m.slab[r.from:], value)
	m.at[k] = r
}

func (m *slabStore) Delete(space Space, key []byte) {
	delete(m.at, string(append([]byte{byte(space)}, key...)))
}
