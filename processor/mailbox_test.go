package processor

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/eventstore"
	"hongbao/schemas"
)

// TestWeight: what can be judged counts one, and nothing that is large in memory counts less than its KiBs (X9).
func TestWeight(t *testing.T) {
	t.Parallel()
	m := &maker{tb: t}
	many := make([]kgo.RecordHeader, 1<<10)
	for name, c := range map[string]struct {
		record *kgo.Record
		min    int
		max    int
	}{
		"a join":       {m.join(7, 7, 8), 1, 1},
		"empty":        {&kgo.Record{}, 1, 1},
		"1 MiB":        {&kgo.Record{Value: make([]byte, 1<<20)}, 1025, 1025},
		"a long key":   {&kgo.Record{Key: make([]byte, 1<<20)}, 1025, 1025},
		"a header":     {&kgo.Record{Headers: []kgo.RecordHeader{{Key: "k", Value: make([]byte, 1<<20)}}}, 1025, 1026},
		"1024 headers": {&kgo.Record{Headers: many}, 40, 50},
	} {
		if got := weight(c.record); got < c.min || got > c.max {
			t.Errorf("%s weighs %d, want %d to %d", name, got, c.min, c.max)
		}
	}
}

// stepsOf lets a worker without Kafka take what its mailbox holds of a topic, step by step, and says how much each
// step took and what the mailbox counted afterwards.
func stepsOf(t *testing.T, topic schemas.Topic, recs []*kgo.Record) (took []int, waiting []int64) {
	t.Helper()
	w := foldWorker(t, 0, 1, nil)
	w.box.wake = make(chan struct{}, 1)
	w.box.put(topic, recs, 0)
	w.box.takeInto(&w.in)
	for len(w.in.inputs[topic]) > 0 {
		at := w.pos[topic]
		w.draft.begin(eventstore.Boundary{})
		w.events = 0
		var err error
		if topic == schemas.TopicEvents {
			err = w.invites(t.Context())
		} else {
			err = w.control()
		}
		if err != nil || w.pos[topic] == at {
			t.Fatalf("at offset %d of %s: %v", at, topic, err)
		}
		took, waiting = append(took, int(w.pos[topic]-at)), append(waiting, w.box.waiting.Load())
	}
	return took, waiting
}

func garbage(n, size int) []*kgo.Record {
	recs := make([]*kgo.Record, n)
	for i := range recs {
		recs[i] = &kgo.Record{Key: []byte("7"), Value: bytes.Repeat([]byte{0xff}, size), Offset: int64(i)}
	}
	return recs
}

// TestGarbageIsBoundedInBytes: a step takes some MiB of garbage, not thousands of records of 1 MiB; the mailbox
// counts what waits in KiB, and nothing once all is taken (X9).
func TestGarbageIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	for _, topic := range []schemas.Topic{schemas.TopicEvents, schemas.TopicControl} {
		took, waiting := stepsOf(t, topic, garbage(12, 1<<20))
		all := 0
		for i, n := range took {
			all += n
			if n > 5 {
				t.Errorf("%s: step %d took %d MiB", topic, i, n)
			}
			if want := int64(12-all) * 1025; waiting[i] != want {
				t.Errorf("%s: %d wait after %d of 12 records, want %d", topic, waiting[i], all, want)
			}
		}
		if all != 12 {
			t.Errorf("%s: %d records of 12 were taken", topic, all)
		}
	}
	took, _ := stepsOf(t, schemas.TopicEvents, garbage(stepEventsMax+1, 100))
	if len(took) != 2 || took[0] != stepEventsMax {
		t.Errorf("small records: steps of %v", took)
	}
}

// TestArenasOfGarbageAreNotKept: what a step of garbage has grown is not held for the next one (X9).
func TestArenasOfGarbageAreNotKept(t *testing.T) {
	t.Parallel()
	w := foldWorker(t, 0, 1, nil)
	large := &step{entry: make([]byte, 8<<20)}
	w.recycle(large)
	if s := w.spare(); s != large || s.entry != nil {
		t.Errorf("the step is kept with %d bytes", cap(s.entry))
	}
	w.draft.outputs = make([]byte, 8<<20)
	w.draft.begin(eventstore.Boundary{})
	if cap(w.draft.outputs) > arenaBytesMax {
		t.Errorf("the draft keeps %d bytes", cap(w.draft.outputs))
	}
	p := newRecordPool()
	p.PutRecords(make([]kgo.Record, 0, 2*pooledRecordsMax))
	if s := p.GetRecords(1); cap(s) > 1 {
		t.Errorf("the pool keeps a slice of %d records", cap(s))
	}
}

// BenchmarkWeight is what the bound in bytes costs a record: it is weighed when it comes and when it is taken.
func BenchmarkWeight(b *testing.B) {
	m := &maker{tb: b}
	var recs []*kgo.Record
	for i := range int64(512) {
		recs = append(recs, m.join(7, 7, 8+i))
	}
	b.ReportAllocs()
	n := 0
	for i := 0; i < b.N; i += len(recs) {
		run, weighs := atMost(recs, stepEventsMax)
		n += weighs + len(run)
	}
	if n == 0 {
		b.Fatal("nothing was weighed")
	}
}
