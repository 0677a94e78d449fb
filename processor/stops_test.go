package processor_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/topiclog"
	"hongbao/processor"
	"hongbao/schemas"
)

// copyLog gives fleet to the facts, inputs and committed offsets of another, one partition after the other; edit
// may change a partition's facts and its committed offset on the way.
func (f *fleet) copyLog(from *fleet, edit func(p int32, facts []*topiclog.Record, c *topiclog.Commit) []*topiclog.Record) {
	f.t.Helper()
	commits, err := from.topics.CommittedOffsets(f.t.Context(), from.group(), schemas.TopicEvents)
	if err != nil {
		f.t.Fatal(err)
	}
	d := f.feed()
	for t := range schemas.TopicResults {
		byPartition := make([][]*topiclog.Record, f.partitions)
		for _, r := range from.read(t) {
			byPartition[r.Partition] = append(byPartition[r.Partition], r)
		}
		for p, rs := range byPartition {
			read := int64(0)
			switch {
			case t < schemas.Topic(schemas.Inputs):
				read = positions(f.t, &commits[p])[t]
			case t == schemas.TopicFacts:
				rs = edit(int32(p), rs, &commits[p])
			}
			var out []*kgo.Record
			fill := func(to int64) { // where the markers of transactions were
				for int64(len(out)) < to {
					out = append(out, &kgo.Record{Topic: f.topics.Name(t), Partition: int32(p)})
				}
			}
			for _, r := range rs {
				if t < schemas.Topic(schemas.Inputs) {
					fill(r.Offset)
				}
				out = append(out, &kgo.Record{Topic: f.topics.Name(t), Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers})
			}
			fill(read)
			if len(out) > 0 {
				d.put(out...)
			}
		}
	}
	if err := f.topics.Commit(f.t.Context(), f.group(), schemas.TopicEvents, commits); err != nil {
		f.t.Fatal(err)
	}
}

// positions are those of a commit; none where nothing was ever committed.
func positions(t testing.TB, c *topiclog.Commit) schemas.Positions {
	t.Helper()
	if c.Offset < 0 {
		return schemas.Positions{}
	}
	m, err := schemas.ParseMetadata(c.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	return m.Positions
}

// lastOf is the index of the last fact of a kind: steps stand before it, and its own step's end after it.
func lastOf(t *testing.T, facts []*topiclog.Record, kind schemas.FactKind) int {
	t.Helper()
	for i, r := range slices.Backward(facts) {
		var f schemas.Fact
		if err := f.Decode(r.Value); err != nil {
			t.Fatal(err)
		}
		if f.Kind == kind {
			return i
		}
	}
	t.Fatalf("no fact of kind %d in %d", kind, len(facts))
	return 0
}

// stopCase is one way in which what Kafka holds of a partition cannot be gone on with.
type stopCase struct {
	rule, expected, found, remedy string
	edit                          func(t *testing.T, facts []*topiclog.Record, c *topiclog.Commit) []*topiclog.Record
}

var stopCases = []stopCase{
	{ // 0: a good copy
		edit: func(_ *testing.T, facts []*topiclog.Record, _ *topiclog.Commit) []*topiclog.Record { return facts },
	},
	{
		"X4", "metadata of this program", `"not ours"`, "--group",
		func(_ *testing.T, facts []*topiclog.Record, c *topiclog.Commit) []*topiclog.Record {
			c.Metadata = "not ours"
			return facts
		},
	},
	{
		"X5d", "a committed offset beside the facts", "facts up to seq", "topics adopt 2",
		func(_ *testing.T, facts []*topiclog.Record, c *topiclog.Commit) []*topiclog.Record {
			c.Offset = -1
			return facts
		},
	},
	{
		"X5d", "hash ", "in the fact log", "different histories",
		func(t *testing.T, facts []*topiclog.Record, c *topiclog.Commit) []*topiclog.Record {
			m, err := schemas.ParseMetadata(c.Metadata)
			if err != nil {
				t.Fatal(err)
			}
			m.Hash[0] ^= 1
			text, _ := m.AppendText(nil)
			c.Metadata = string(text)
			return facts
		},
	},
	{
		"X5d", "the fact log to end at seq", "facts up to seq", "hongbao verify",
		func(_ *testing.T, facts []*topiclog.Record, _ *topiclog.Commit) []*topiclog.Record {
			more := &topiclog.Record{Partition: facts[0].Partition, Value: schemas.AppendFact(nil, &schemas.Fact{
				Kind: schemas.FactStepEnded, Seq: int64(len(facts)) + 1, Step: schemas.StepEnded{Facts: 1},
			})}
			return append(facts, more)
		},
	},
	{
		"X8", "the fact with seq", "at offset", "gap",
		func(t *testing.T, facts []*topiclog.Record, _ *topiclog.Commit) []*topiclog.Record {
			i := lastOf(t, facts, schemas.FactAccepted)
			return slices.Delete(slices.Clone(facts), i, i+1)
		},
	},
	{
		"X5e", "running hash", "at offset", "changed after it was written",
		func(t *testing.T, facts []*topiclog.Record, _ *topiclog.Commit) []*topiclog.Record {
			i := lastOf(t, facts, schemas.FactAccepted)
			own, f := *facts[i], schemas.Fact{}
			if err := f.Decode(own.Value); err != nil {
				t.Fatal(err)
			}
			f.Verdict.TimeMS--
			own.Value = schemas.AppendFact(nil, &f)
			facts = slices.Clone(facts)
			facts[i] = &own
			return facts
		},
	},
	{edit: func(_ *testing.T, facts []*topiclog.Record, _ *topiclog.Commit) []*topiclog.Record { return facts }},
}

// TestStops: a partition whose topics contradict each other stops alone and says what to do; its neighbours are
// restored from the copied facts and go on (X4, X5d, X5e, X8).
func TestStops(t *testing.T) {
	t.Parallel()
	n := int32(len(stopCases))
	from, to := newFleet(t, partitions(n)), newFleet(t, partitions(n))
	from.start("a")
	d := from.feed()
	for p := range n {
		chain := from.chainIn(p, 0)
		d.put(d.share(1, chain, chain))
		for u := range int64(20) {
			d.put(d.join(1, chain, chain, int64(p+1)*1000+u))
		}
	}
	before := from.mustVerify()
	from.end("a")
	to.copyLog(from, func(p int32, facts []*topiclog.Record, c *topiclog.Commit) []*topiclog.Record {
		return stopCases[p].edit(t, facts, c)
	})
	x := to.start("a").x
	to.await("six stops and two partitions at work", func() bool {
		s := x.Status()
		return len(s.Stopped) == 6 && len(s.Working) == 2
	})
	checkStops(t, x.Status().Stopped)

	good := []int32{0, n - 1}
	d = to.feed()
	for _, p := range good {
		chain := to.chainIn(p, 0)
		// What needs no Redis: this one is new, and nobody is admitted before every partition has said what it knows (X10).
		d.put(d.purchase(chain, chain, "after the stops"))
	}
	to.await("the neighbours to go on", func() bool {
		s := x.Status()
		return s.Seqs[good[0]] > before.Partitions[good[0]].Seq && s.Seqs[good[1]] > before.Partitions[good[1]].Seq
	})
	if s := x.Status(); len(s.Stopped) != 6 || len(s.Owned) != int(n) {
		t.Errorf("%d stopped, owned %v: a stopped partition stays owned", len(s.Stopped), s.Owned)
	}
	x.Release(t.Context(), x.Status().Owned)
	if s := x.Status(); len(s.Stopped) != 0 {
		t.Errorf("%d still stopped here after they have moved away: their next owner says so", len(s.Stopped))
	}
}

func checkStops(t *testing.T, stops []*processor.Stop) {
	t.Helper()
	for _, s := range stops {
		c := stopCases[s.Partition]
		if s.Rule != c.rule || !strings.Contains(s.Expected, c.expected) || !strings.Contains(s.Found, c.found) ||
			!strings.Contains(s.Remedy, c.remedy) {
			t.Errorf("got %v; want rule %s, expected %q, found %q, remedy %q", s, c.rule, c.expected, c.found, c.remedy)
		}
		if c.rule == "" {
			t.Errorf("partition %d is a good copy", s.Partition)
		}
		if text := s.Error(); !strings.HasPrefix(text, fmt.Sprintf("partition %d stopped by rule %s:", s.Partition, c.rule)) {
			t.Errorf("sentence %q", text)
		}
	}
}

// TestChangedPartitionCount: topics of another size than the state was made for refuse the start.
func TestChangedPartitionCount(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(4))
	cfg := f.config("a", f.dir("a"))
	cfg.Partitions = 8
	x, err := processor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience) // one that starts must not hang the test
	defer cancel()
	err = x.Run(ctx)
	if err == nil || !strings.Contains(err.Error(), "has 4 partitions, the configuration says 8") {
		t.Errorf("got %v", err)
	}
}
