package processor

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"hongbao/eventstore"
	"hongbao/internal/admission"
	"hongbao/internal/cascade"
	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// testNowMS is the clock of a worker under test: 2026-11-22T00:00:00Z.
const testNowMS = 1_795_305_600_000

// grantAll is a Redis that says yes.
type grantAll struct{ admitter }

func (grantAll) Admit(_ context.Context, asks []admission.Ask, answers []admission.Answer) error {
	for i := range asks {
		answers[i] = admission.Answer{Claim: admission.Yes, Share: admission.Yes}
	}
	return nil
}

// nothing is a store without content: what a worker folds then stays in memory.
type nothing struct{}

func (nothing) Get(projections.Space, []byte, []byte) ([]byte, bool, error) { return nil, false, nil }

func (nothing) Scan(projections.Space, []byte, func(key, value []byte) error) error {
	return nil
}

// foldWorker is a worker of partition p without Kafka, Redis and Pebble, under the demo campaign or another text of it.
func foldWorker(tb testing.TB, p, partitions int32, campaign *schemas.Campaign) *worker {
	tb.Helper()
	gate, err := admission.New(admission.Config{Memory: admission.NewMemory(nil), Prefix: "t", Partitions: partitions})
	if err != nil {
		tb.Fatal(err)
	}
	x := &Processor{cfg: Config{Partitions: partitions, OpenMax: 128, Gate: gate, CodeKeys: schemas.DemoCodeKeys()}}
	x.metrics = newMetrics(prometheus.NewRegistry(), x)
	x.routes.partitions = partitions
	for t := range schemas.Topics {
		x.routes.names[t] = t.String()
	}
	state, err := projections.Open(nothing{}, projections.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	part := &partition{id: p, x: x, state: state, log: slog.New(slog.DiscardHandler)}
	w := newWorker(part)
	w.owner = grantAll{}
	w.clockMS, w.now = testNowMS, time.UnixMilli(testNowMS)
	w.issue.reset()
	w.draft.begin(eventstore.Boundary{})
	if campaign != nil {
		if err := w.activate(campaign); err != nil {
			tb.Fatal(err)
		}
	}
	return w
}

// withoutRewards is campaign 1 with nothing to earn.
func withoutRewards(tb testing.TB) *schemas.Campaign {
	tb.Helper()
	c, err := schemas.ParseCampaign("plain", []byte("campaign: 1\nversion: 1\nstarts: 2000-01-01T00:00:00Z\nends: 2100-01-01T00:00:00Z\nmax_depth: 5\ncoupons: {a: {stock: 1, valid_for: 1h, value_minor: 1, currency: CNY}}\nrewards: []\n"))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// maker makes records of invite.events with rising offsets.
type maker struct {
	tb     testing.TB
	offset int64
	code   string
	minted schemas.Code
}

func (m *maker) record(kind string, chain int64, msg proto.Message) *kgo.Record {
	m.tb.Helper()
	value, err := proto.Marshal(msg)
	if err != nil {
		m.tb.Fatal(err)
	}
	r := &kgo.Record{
		Topic: schemas.TopicEvents.String(), Key: schemas.AppendKey(nil, chain), Value: value, Offset: m.offset,
		Headers: []kgo.RecordHeader{
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: strconv.AppendInt([]byte("e"), m.offset, 10)},
			{Key: "ce_source", Value: []byte("test")},
			{Key: "ce_type", Value: []byte("hongbao.invite.v1." + kind)},
		},
		Timestamp: time.UnixMilli(testNowMS),
		Attrs:     kgo.NewRecordAttrs(kgo.RecordAttrsOpts{TimestampType: 1}),
	}
	m.offset++
	return r
}

func (m *maker) mint(chain, inviter int64) string {
	c := schemas.Code{Campaign: 1, Chain: chain, Inviter: inviter, ExpiresS: testNowMS/1000 + 86400}
	if m.minted != c {
		m.minted, m.code = c, schemas.DemoCodeKeys().Mint(c)
	}
	return m.code
}

func (m *maker) share(chain, user int64) *kgo.Record {
	return m.record("ShareCreated", chain, &pb.ShareCreated{EventTimeMs: testNowMS, Campaign: 1, Chain: chain, User: user, Code: m.mint(chain, user)})
}

func (m *maker) join(chain, inviter, invitee int64) *kgo.Record {
	return m.record("InviteJoined", chain, &pb.InviteJoined{EventTimeMs: testNowMS, Code: m.mint(chain, inviter), Invitee: invitee})
}

// fold judges a batch and seals it as a step would be.
func (w *worker) fold(tb testing.TB, recs []*kgo.Record, into *step) {
	tb.Helper()
	w.draft.begin(eventstore.Boundary{Seq: w.state.Seq(), Hash: into.boundary.Hash})
	w.events = 0
	n, err := w.judge(tb.Context(), recs)
	if err != nil || n != len(recs) {
		tb.Fatalf("judged %d of %d: %v", n, len(recs), err)
	}
	w.draft.seal(&w.fact, &w.pos, w.clockMS, into)
	if err := w.state.Fold(&w.fact); err != nil {
		tb.Fatal(err)
	}
}

// TestFoldPathAllocatesNothing: decode, code, probe, decide, encode, fold and seal of accepted joins and
// shares cost no allocation an event. What is left is the deadline of one question to Redis a batch,
// and the pages of a state that grows.
func TestFoldPathAllocatesNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts for the whole process
	const batch, runs = 512, 40
	user := func(r *rand.Rand) int64 { return r.Int64() | 1 }
	kinds := map[string]func(m *maker, r *rand.Rand, chain int64) *kgo.Record{
		"joins":  func(m *maker, r *rand.Rand, chain int64) *kgo.Record { return m.join(chain, chain, user(r)) },
		"shares": func(m *maker, _ *rand.Rand, chain int64) *kgo.Record { return m.share(chain, chain) },
	}
	for name, make1 := range kinds { //nolint:paralleltest // as above
		t.Run(name, func(t *testing.T) {
			w, m, r := foldWorker(t, 0, 1, withoutRewards(t)), &maker{tb: t}, rand.New(rand.NewPCG(1, 2))
			seed := user(r)
			batches := [][]*kgo.Record{{m.share(seed, seed)}}
			for range runs + 1 {
				var recs []*kgo.Record
				for range batch {
					recs = append(recs, make1(m, r, seed))
				}
				batches = append(batches, recs)
			}
			var s step
			i := 0
			next := func() { w.fold(t, batches[i], &s); i++ }
			next()
			before := w.state.Seq()
			allocs := testing.AllocsPerRun(runs, next)
			if got := w.state.Seq() - before; got != (runs+1)*(batch+1) {
				t.Fatalf("%d facts of %d events and %d steps", got, (runs+1)*batch, runs+1)
			}
			t.Logf("%v allocations a batch of %d", allocs, batch)
			if allocs > 16 {
				t.Errorf("%v allocations a batch of %d events: want none an event", allocs, batch)
			}
			c, ok, err := w.state.Chain(1, seed)
			if err != nil || !ok {
				t.Fatalf("chain %d: %v, %v", seed, ok, err)
			}
			if name == "joins" && c.Joins != (runs+1)*batch {
				t.Errorf("%d joins accepted of %d", c.Joins, (runs+1)*batch)
			}
		})
	}
}

// BenchmarkFold is the fold path over a stream of real shape: 30 shares, 65 joins, 5 purchases, 2 % duplicates,
// 1 % bad; with the demo campaign's rewards (a command for about every event) and without.
func BenchmarkFold(b *testing.B) {
	for name, campaign := range map[string]*schemas.Campaign{"rewards": schemas.DemoCampaign(), "plain": withoutRewards(b)} {
		b.Run(name, func(b *testing.B) {
			w := foldWorker(b, 0, 1, campaign)
			stream, err := cascade.NewSynthetic(cascade.SyntheticConfig{
				Config: cascade.Config{Keys: schemas.DemoCodeKeys(), CodeEndS: schemas.DemoCampaign().EndsMS / 1000, NowMS: testNowMS, Partitions: 1},
				Seed:   1, Events: int64(b.N) + 8192, Chains: max(1, b.N/50), Duplicate: 2, Bad: 1,
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.StopTimer()
			b.ResetTimer()
			var recs []*kgo.Record
			var s step
			offset, left := int64(0), b.N
			for rec := range stream.Records() {
				recs = append(recs, kafkaRecord(rec, offset))
				offset++
				if len(recs) < 4096 && len(recs) < left {
					continue
				}
				b.StartTimer()
				w.fold(b, recs, &s)
				b.StopTimer()
				if left -= len(recs); left <= 0 {
					return
				}
				recs = recs[:0]
			}
			b.Fatalf("the stream ended %d records early", left)
		})
	}
}

func kafkaRecord(rec *cascade.Record, offset int64) *kgo.Record {
	r := &kgo.Record{
		Topic: schemas.TopicEvents.String(), Key: rec.Key, Value: rec.Value, Offset: offset,
		Timestamp: time.UnixMilli(testNowMS), Attrs: kgo.NewRecordAttrs(kgo.RecordAttrsOpts{TimestampType: 1}),
	}
	for _, h := range rec.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return r
}
