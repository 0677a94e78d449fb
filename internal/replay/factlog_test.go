package replay

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"hongbao/eventstore"
	"hongbao/internal/topiclog"
	"hongbao/internal/topiclog/topictest"
	"hongbao/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// written is a fact log as it was written: where its steps end.
type written struct {
	*topictest.Log

	steps  []step
	values [][]byte
	prev   schemas.Hash
}

// step writes one step of n facts in a transaction: all but the last are steps of nobody, refusals of the demo campaign.
func (w *written) step(n int, clockMS int64) {
	buf := append([]byte(nil), w.prev[:]...)
	var records []*topiclog.Record
	for i := range n {
		f := schemas.Fact{Seq: int64(len(w.values) + 1), Kind: schemas.FactRefused}
		f.Verdict.Campaign, f.Verdict.Reason = schemas.DemoCampaignID, reasonShareLimit
		switch {
		case f.Seq == 1:
			f = *activation(schemas.DemoCampaign())
			f.Seq = 1
		case i == n-1:
			f.Kind, f.Step = schemas.FactStepEnded, schemas.StepEnded{WorkerClockMS: clockMS, Facts: int32(n)}
			f.Step.Positions[schemas.TopicEvents] = 1
		}
		value := schemas.AppendFact(nil, &f)
		buf = schemas.AppendHashed(buf, value)
		if f.Kind == schemas.FactStepEnded {
			w.prev = schemas.HashStep(buf)
			value = schemas.AppendStepHash(value, w.prev)
			f.Step.Hash = w.prev
			w.steps = append(w.steps, step{StepEnded: f.Step, seq: f.Seq})
		}
		w.values = append(w.values, value)
		records = append(records, &topiclog.Record{Value: value})
	}
	w.Write(schemas.TopicFacts, 0, false, &topiclog.Record{Value: []byte("an aborted fact")})
	w.Write(schemas.TopicFacts, 0, true, records...)
}

// TestTargets: a search finds the last whole step at or before any seq and any time, in a log that is read by halves.
func TestTargets(t *testing.T) {
	t.Parallel()
	const seed = 3
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	w := &written{Log: topictest.Broker(t, 1)}
	for clock := int64(1000); len(w.values) < 4*windowRecords; clock += 10 * rng.Int64N(3) {
		w.step(2+rng.IntN(90), clock)
	}
	log := factLog{log: w.Client}
	if err := log.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	check := func(target Target, beyond func(step) bool) {
		var want step
		for _, s := range w.steps {
			if !beyond(s) {
				want = s
			}
		}
		got, err := target.find(t.Context(), &log)
		if err != nil || got.seq != want.seq || got.Hash != want.Hash {
			t.Fatalf("%s: seq %d, want %d, %v", target, got.seq, want.seq, err)
		}
	}
	last := w.steps[len(w.steps)-1]
	check(Target{}, func(step) bool { return false })
	for range 40 {
		seq := 1 + rng.Int64N(last.seq+50)
		check(Target{Seq: seq}, func(s step) bool { return s.seq > seq })
		at := 990 + rng.Int64N(last.WorkerClockMS-980)
		check(Target{TimeMS: at}, func(s step) bool { return s.WorkerClockMS > at })
	}
	if at, err := log.at(t.Context(), last.seq-1); err != nil || at.seq != 0 {
		t.Errorf("no step ends at seq %d: %+v, %v", last.seq-1, at, err)
	}
}

// TestBrokenLogs: a gap, a lost beginning, a changed fact and a shadow store of another history are seen (R1, R2), by a what-if as well.
func TestBrokenLogs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(values [][]byte) [][]byte
		words  string
	}{
		"a gap":            {func(v [][]byte) [][]byte { return append(v[:4:4], v[5:]...) }, "rule X8: expected the fact with seq 5, found seq 6"},
		"a lost beginning": {func(v [][]byte) [][]byte { return v[10:] }, "rule X8: expected the fact with seq 1, found seq 11"},
		"retention": {
			func(v [][]byte) [][]byte { return v },
			"expected the fact with seq 1, found seq 3 at offset 4; the fact log begins at offset 4, so retention or a deletion took its beginning",
		},
		"a change": {func(v [][]byte) [][]byte {
			f := schemas.Fact{Seq: 5, Kind: schemas.FactDuplicate}
			f.Verdict.Campaign, f.Verdict.FirstSeq = schemas.DemoCampaignID, 1
			v[4] = schemas.AppendFact(nil, &f)
			return v
		}, "rule X5e: expected running hash"},
		"nothing": {func(v [][]byte) [][]byte { return v }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := &written{Log: topictest.Broker(t, 1)} // its topic is not read: what was written is damaged and written again
			made.step(10, 1000)
			made.step(10, 1001)
			to := topictest.Broker(t, 1)
			for _, value := range c.damage(made.values) {
				to.Write(schemas.TopicFacts, 0, true, &topiclog.Record{Value: value})
			}
			if name == "retention" {
				to.Trim(schemas.TopicFacts, 0, 4)
			}
			store := open(t)
			foreign(t, store)
			_, err := NewEngine(Config{Log: to.Client, Store: store, Partitions: []int32{0}}).Run(t.Context())
			broken, is := errors.AsType[*Broken](err)
			if c.words == "" && err != nil || c.words != "" && (!is || !strings.Contains(broken.Error(), c.words)) {
				t.Errorf("%v; want %q", err, c.words)
			}
			to.Write(schemas.TopicEvents, 0, true, &topiclog.Record{Value: []byte("what all verdicts are on")})
			_, err = NewWhatIf(WhatIfConfig{Log: to.Client, Scratch: open(t), Campaign: otherCampaign(t), Keys: schemas.DemoCodeKeys()}).Run(t.Context())
			broken, is = errors.AsType[*Broken](err)
			if c.words == "" && err != nil || c.words != "" && (!is || !strings.Contains(broken.Error(), c.words)) {
				t.Errorf("what-if: %v; want %q", err, c.words)
			}
		})
	}
}

func open(t *testing.T) *eventstore.Store {
	t.Helper()
	s, err := eventstore.Open(eventstore.Config{Dir: t.TempDir(), Partitions: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// foreign leaves a step in the store that no log has.
func foreign(t *testing.T, s *eventstore.Store) {
	t.Helper()
	p, err := s.Partition(0)
	if err != nil {
		t.Fatal(err)
	}
	b := p.Begin()
	b.Boundary(eventstore.Boundary{Seq: 10, Hash: schemas.Hash{1}})
	if err := errors.Join(b.CommitRestored(), p.Close()); err != nil {
		t.Fatal(err)
	}
}
