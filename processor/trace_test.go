package processor_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// TestTraceIsCarried: an event's traceparent stands in its fact, its commands and their results, and its CloudEvents id and source in the
// fact; what comes of an event without one has none.
func TestTraceIsCarried(t *testing.T) {
	t.Parallel()
	const traceID, spanID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	const trace = "00-" + traceID + "-" + spanID + "-01"
	f := newFleet(t, partitions(2))
	f.start("a")
	d := f.feed()
	chain := f.chainIn(0, 0)
	traced := d.join(1, chain, chain, 50)
	traced.Headers = append(traced.Headers, kgo.RecordHeader{Key: "traceparent", Value: []byte(trace)})
	d.put(d.share(1, chain, chain), traced, d.join(1, chain, chain, 51))
	f.mustVerify()

	if n := withTrace(f.read(schemas.TopicFacts), trace); n != 1+2*5 {
		t.Errorf("%d facts have the traceparent as a header, want the verdict and five moves of each of its two coupons", n)
	}
	for _, m := range f.facts() {
		a := m.GetAccepted()
		if a == nil || a.User != 50 {
			continue
		}
		if in := a.Input; in.Traceparent != trace || in.CeId != header(traced, "ce_id") || in.CeSource != header(traced, "ce_source") {
			t.Errorf("the fact's input is %v", in)
		}
	}
	commands, results := f.read(schemas.TopicCommands), f.read(schemas.TopicResults)
	if n := withTrace(commands, trace); n != 2 || len(commands) != 4 {
		t.Errorf("%d of %d commands have the traceparent, want 2 of 4: each join pays two", n, len(commands))
	}
	want := 0
	for _, r := range results {
		m := new(pb.CouponResult)
		f.decode(r.Value, m)
		switch {
		case m.TraceId == traceID && m.SpanId == spanID:
			want++
		case m.TraceId != "" || m.SpanId != "":
			t.Errorf("a result has trace %q, span %q", m.TraceId, m.SpanId)
		}
	}
	if n := withTrace(results, trace); n != want || want < 2 {
		t.Errorf("%d results name the trace, %d have its header", want, n)
	}
}

// withTrace counts the records with that traceparent as a header.
func withTrace(records []*topiclog.Record, trace string) (n int) {
	for _, r := range records {
		for _, h := range r.Headers {
			if h.Key == "traceparent" && string(h.Value) == trace {
				n++
			}
		}
	}
	return n
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
