package processor

import (
	"context"
	"fmt"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// factEnd is where a stretch of the fact log ends: the seq of its last fact, and of a StepEnded its hash.
type factEnd struct {
	seq  int64
	hash schemas.Hash
}

func (e *factEnd) read(p int32, r *topiclog.Record) error {
	var f schemas.Fact
	if err := f.Decode(r.Value); err != nil {
		return unfoldable(p, r.Offset, err)
	}
	*e = factEnd{seq: f.Seq}
	if f.Kind == schemas.FactStepEnded {
		e.hash = f.Step.Hash
	}
	return nil
}

func (x *Processor) factSpan(p int32, from, to int64) topiclog.Span {
	return topiclog.Span{Topic: schemas.TopicFacts, Partition: p, From: from, To: to}
}

// lastFact reads the tail of facts[p]: windows that grow backwards from end until one holds a fact. What
// ends a read is the offset that was reached: control and aborted records bring nothing.
func (x *Processor) lastFact(ctx context.Context, p int32, start, end int64) (factEnd, error) {
	var last factEnd
	for window := int64(64); start < end; window *= 4 {
		from := max(start, end-window)
		err := x.eachFactRecord(ctx, x.factSpan(p, from, end), func(rs []*topiclog.Record) error {
			return last.read(p, rs[len(rs)-1])
		})
		if err != nil || last.seq > 0 || from == start {
			return last, err
		}
	}
	return last, nil
}

// eachFactRecord calls fn for every fetched run of records in a span.
func (x *Processor) eachFactRecord(ctx context.Context, s topiclog.Span, fn func([]*topiclog.Record) error) error {
	cur := x.topics.Cursor(ctx, s, topiclog.Committed)
	defer cur.Close()
	for {
		rs, err := cur.Next()
		if err != nil || rs == nil {
			return err
		}
		if err := fn(rs); err != nil {
			return fmt.Errorf("%s[%d] up to offset %d: %w", s.Topic, s.Partition, rs[len(rs)-1].Offset, err)
		}
	}
}

// seekWindow is how many offsets are read rather than searched.
const seekWindow = 1024

// offsetOfSeq finds an offset at or before the fact with this seq: seqs rise with offsets. It looks near the end first, where a
// restart finds what it lost, in windows that grow; then by halves. Each turn is one read.
func (x *Processor) offsetOfSeq(ctx context.Context, p int32, seq, start, end int64) (int64, error) {
	low := start
	for window := int64(seekWindow); end-window > start; window *= 8 {
		first, err := x.firstSeq(ctx, p, end-window, end)
		if err != nil {
			return 0, err
		}
		if first > 0 && first <= seq {
			low = end - window
			break
		}
		end -= window
	}
	for end-low > seekWindow {
		mid := low + (end-low)/2
		first, err := x.firstSeq(ctx, p, mid, end)
		if err != nil {
			return 0, err
		}
		if first == 0 || first > seq {
			end = mid
		} else {
			low = mid
		}
	}
	return low, nil
}

// firstSeq is the seq of the first fact at or after an offset, 0 if there is none before end.
func (x *Processor) firstSeq(ctx context.Context, p int32, from, end int64) (int64, error) {
	cur := x.topics.Cursor(ctx, x.factSpan(p, from, end), topiclog.Committed)
	defer cur.Close()
	rs, err := cur.Next()
	if err != nil || rs == nil {
		return 0, err
	}
	var f schemas.Fact
	if err := f.Decode(rs[0].Value); err != nil {
		return 0, unfoldable(p, rs[0].Offset, err)
	}
	return f.Seq, nil
}
