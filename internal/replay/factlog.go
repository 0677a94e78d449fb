package replay

import (
	"context"
	"errors"
	"fmt"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// factLog is the committed part of one partition of hongbao.facts.
type factLog struct {
	log        *topiclog.Client
	partition  int32
	start, end int64 // log start and last stable offset when it was last looked at
}

// step is the end of a step in a fact log.
type step struct {
	schemas.StepEnded
	seq    int64
	offset int64 // of the StepEnded
}

// windowRecords ends a search by halves: so many offsets are read through.
const windowRecords = 1024

// look asks the broker for the log's ends.
func (l *factLog) look(ctx context.Context) error {
	starts, err := l.log.Starts(ctx, schemas.TopicFacts)
	if err != nil {
		return err
	}
	ends, err := l.log.Ends(ctx, topiclog.Committed, schemas.TopicFacts)
	if err != nil {
		return err
	}
	l.start, l.end = starts[schemas.TopicFacts][l.partition], ends[schemas.TopicFacts][l.partition]
	return nil
}

// last is the last step of the log; its seq is 0 when there is none.
func (l *factLog) last(ctx context.Context) (s step, err error) {
	for window := int64(64); l.start < l.end; window *= 4 {
		from := max(l.start, l.end-window)
		err = l.steps(ctx, from, l.end, func(at step) bool { s = at; return true })
		if err != nil || s.seq > 0 || from == l.start {
			return s, err
		}
	}
	return s, err
}

// lastUntil is the last step that is not beyond, seq 0 when the first one is. Steps beyond come after all others, so a search by
// halves needs one read per turn.
func (l *factLog) lastUntil(ctx context.Context, beyond func(*step) bool) (found step, err error) {
	low, high := l.start, l.end
	for high-low > windowRecords {
		mid := low + (high-low)/2
		var first step
		if err := l.steps(ctx, mid, high, func(at step) bool { first = at; return false }); err != nil {
			return found, err
		}
		if first.seq == 0 || beyond(&first) {
			high = mid
		} else {
			low = mid
		}
	}
	err = l.steps(ctx, low, high, func(at step) bool {
		if beyond(&at) {
			return false
		}
		found = at
		return true
	})
	return found, err
}

// at is the step that ends with this seq; its seq is 0 when none does.
func (l *factLog) at(ctx context.Context, seq int64) (step, error) {
	s, err := l.lastUntil(ctx, func(at *step) bool { return at.seq > seq })
	if err != nil || s.seq != seq {
		return step{}, err
	}
	return s, nil
}

var errEnough = errors.New("enough read")

// steps calls fn for the StepEnded facts of a span until it wants no more.
func (l *factLog) steps(ctx context.Context, from, to int64, fn func(step) (more bool)) error {
	var f schemas.Fact
	err := l.each(ctx, from, to, func(rec *topiclog.Record) error {
		if err := f.Decode(rec.Value); err != nil {
			return unfoldable(l.partition, rec.Offset, err)
		}
		if f.Kind == schemas.FactStepEnded && !fn(step{f.Step, f.Seq, rec.Offset}) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// each calls fn for the committed records of a span.
func (l *factLog) each(ctx context.Context, from, to int64, fn func(*topiclog.Record) error) error {
	cur := l.log.Cursor(ctx, topiclog.Span{Topic: schemas.TopicFacts, Partition: l.partition, From: from, To: to}, topiclog.Committed)
	defer cur.Close()
	for {
		rs, err := cur.Next()
		if err != nil || rs == nil {
			return err
		}
		for _, r := range rs {
			if err := fn(r); err != nil {
				return err
			}
		}
	}
}

// Target is how far facts are folded: to the last step that is not beyond it (R3). The zero Target is the committed end.
type Target struct {
	Seq    int64 // of facts; 0: any
	TimeMS int64 // worker clock of steps, Unix milliseconds; 0: any
}

// String is the target as a sentence has it.
func (t Target) String() string {
	switch {
	case t.Seq > 0:
		return fmt.Sprintf("seq %d", t.Seq)
	case t.TimeMS > 0:
		return fmt.Sprintf("the time %d ms", t.TimeMS)
	}
	return "the committed end"
}

func (t Target) find(ctx context.Context, l *factLog) (step, error) {
	if t == (Target{}) {
		return l.last(ctx)
	}
	return l.lastUntil(ctx, func(s *step) bool {
		return t.Seq > 0 && s.seq > t.Seq || t.TimeMS > 0 && s.WorkerClockMS > t.TimeMS
	})
}
