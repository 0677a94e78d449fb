package processor

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/embedded"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// TestCompare: each way in which the fact log and the committed offset disagree has its sentence (X5d).
func TestCompare(t *testing.T) {
	t.Parallel()
	at := func(offset, seq int64, hash byte) settled {
		return settled{committed: committed{offset: offset, meta: schemas.Metadata{Seq: seq, Hash: schemas.Hash{hash}}}}
	}
	cases := map[string]struct {
		s                       settled
		last                    factEnd
		expected, found, remedy string // empty: no stop
	}{
		"a first start":     {at(noOffset, 0, 0), factEnd{}, "", "", ""},
		"the same":          {at(5, 9, 1), factEnd{9, schemas.Hash{1}}, "", "", ""},
		"no offset":         {at(noOffset, 0, 0), factEnd{9, schemas.Hash{1}}, "a committed offset beside the facts", "none, and facts up to seq 9", "topics adopt 3"},
		"another hash":      {at(5, 9, 2), factEnd{9, schemas.Hash{1}}, "hash 02", "hash 01", "different histories"},
		"facts beyond":      {at(5, 9, 1), factEnd{12, schemas.Hash{1}}, "to end at seq 9", "facts up to seq 12", "outside a transaction"},
		"facts missing":     {at(5, 9, 1), factEnd{4, schemas.Hash{1}}, "the fact with seq 9", "facts up to seq 4 after 30s", "the broker lost facts"},
		"all facts missing": {at(5, 9, 1), factEnd{}, "the fact with seq 9", "facts up to seq 0 after 30s", "the broker lost facts"},
	}
	for name, c := range cases {
		stop := c.s.compare(3, c.last)
		if c.expected == "" {
			if stop != nil {
				t.Errorf("%s: %v", name, stop)
			}
			continue
		}
		if stop == nil || stop.Partition != 3 || stop.Rule != "X5d" || !strings.Contains(stop.Expected, c.expected) ||
			!strings.Contains(stop.Found, c.found) || !strings.Contains(stop.Remedy, c.remedy) {
			t.Errorf("%s: %v; want %q, %q, %q", name, stop, c.expected, c.found, c.remedy)
		}
	}
}

// settleProcessor is as much of a Processor as a takeover reads with, on topics of one partition.
func settleProcessor(t *testing.T) *Processor {
	t.Helper()
	c, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	x := &Processor{cfg: Config{Group: "g", Partitions: 1}, log: slog.New(slog.DiscardHandler)}
	if x.topics, err = topiclog.Dial(t.Context(), topiclog.Config{Brokers: c.Brokers()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.topics.Close)
	if _, err := x.topics.Create(t.Context(), topiclog.Options{Partitions: 1, Dev: true}); err != nil {
		t.Fatal(err)
	}
	for topic := range schemas.Topics {
		x.routes.names[topic] = x.topics.Name(topic)
	}
	if x.plain, err = kgo.NewClient(kgo.SeedBrokers(c.Brokers()...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.plain.Close)
	return x
}

// TestFactsThatComeLate: the fact that the metadata names may show after the offset; it is waited for, and if it
// never comes the partition stops (X5d).
func TestFactsThatComeLate(t *testing.T) {
	t.Parallel()
	x := settleProcessor(t)
	cl := x.plain
	write := func(f *schemas.Fact) {
		t.Helper()
		r := &kgo.Record{Topic: x.routes.names[schemas.TopicFacts], Value: schemas.AppendFact(nil, f)}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	write(&schemas.Fact{Kind: schemas.FactStepEnded, Seq: 4, Step: schemas.StepEnded{Facts: 4}})
	meta := schemas.Metadata{Seq: 9}
	text, err := meta.AppendText(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.topics.Commit(t.Context(), "g", schemas.TopicEvents, []topiclog.Commit{{Offset: 5, Metadata: string(text)}}); err != nil {
		t.Fatal(err)
	}
	look := func() settled {
		t.Helper()
		s, err := x.look(t.Context(), cl, 0)
		if err != nil || s.offset != 5 || s.meta != meta {
			t.Fatalf("%+v: %v", s, err)
		}
		return s
	}
	s := look()
	x.factPatience = 20 * time.Millisecond
	var stop *Stop
	if err := x.checkFacts(t.Context(), 0, &s); !errors.As(err, &stop) || !strings.Contains(stop.Found, "facts up to seq 4") {
		t.Errorf("it never comes: %v", err)
	}
	x.factPatience = time.Hour
	s = look()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := x.checkFacts(ctx, 0, &s); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the life ends meanwhile: %v", err)
	}
	s = look()
	done := make(chan error, 1)
	go func() { done <- x.checkFacts(t.Context(), 0, &s) }()
	write(&schemas.Fact{Kind: schemas.FactStepEnded, Seq: 9, Step: schemas.StepEnded{Facts: 5}})
	if err := <-done; err != nil {
		t.Errorf("it comes: %v", err)
	}
}
