package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
	"hongbao/internal/topiclog"
)

// factPatience is how long X5d waits for the fact that the committed metadata names:
// its marker may come a few milliseconds after the offset's.
const factPatience = 30 * time.Second

// What X5 waits for comes within milliseconds or takes its time: each wait is twice the last one, so that a stuck partition costs the broker little.
const (
	settlePace    = 2 * time.Millisecond
	settlePaceMax = 20 * time.Millisecond
	factPace      = 5 * time.Millisecond
	factPaceMax   = 100 * time.Millisecond
)

// settled is what Kafka says of a partition once nothing of ours is under way there.
type settled struct {
	committed
	start, end int64 // of facts[p]: log start and last stable offset
}

// settle keeps X5 b, c and d for partition p: prove the lease, end every transaction of ours that blocks,
// and see that the fact log ends with the step that the committed offset names. The lane's client is
// initialised already (X1, X5a).
func (x *Processor) settle(ctx context.Context, cl *kgo.Client, p int32) (settled, error) {
	if err := x.member.prove(ctx, p); err != nil {
		return settled{}, err
	}
	var s settled
	crashpoint.Hit("settle.prove.after")
	for wait := settlePace; ; wait = min(2*wait, settlePaceMax) {
		var err error
		s, err = x.look(ctx, cl, p)
		switch {
		case err == nil:
			stop := x.checkFacts(ctx, p, &s)
			again, err := x.moved(ctx, cl, p, &s, stop)
			switch {
			case err != nil:
				return settled{}, err
			case !again:
				return s, stop
			}
		case errors.Is(err, errUnsettled):
			if err := x.member.prove(ctx, p); err != nil {
				return settled{}, err
			}
			if err := x.fence(ctx, cl, p); err != nil {
				return settled{}, err
			}
		case kerr.IsRetriable(err):
		default:
			return settled{}, err
		}
		if err := pause(ctx, wait); err != nil {
			return settled{}, err
		}
	}
}

// moved says whether a stop rests on what is no longer so: while facts and offset were read one after the other, the partition may have been
// somebody else's, who committed in between. Then it is looked at again, if it is ours still.
func (x *Processor) moved(ctx context.Context, cl *kgo.Client, p int32, s *settled, stop error) (again bool, err error) {
	if _, ok := errors.AsType[*Stop](stop); !ok {
		return false, nil
	}
	if err := x.member.prove(ctx, p); err != nil {
		return false, err
	}
	now, err := x.look(ctx, cl, p)
	return err != nil || now.committed != s.committed, nil //nolint:nilerr // what cannot be seen now is looked at again
}

// errUnsettled: a transaction is still open on the offset or on facts[p].
var errUnsettled = errors.New("a transaction is open")

func (x *Processor) look(ctx context.Context, cl *kgo.Client, p int32) (settled, error) {
	c, err := x.fetchCommitted(ctx, cl, p)
	if errors.Is(err, kerr.UnstableOffsetCommit) {
		return settled{}, errUnsettled
	}
	if err != nil {
		return settled{}, err
	}
	crashpoint.Hit("settle.offset.after")
	s := settled{committed: c}
	if s.start, err = x.factOffset(ctx, p, topiclog.Uncommitted, logStart); err != nil {
		return settled{}, err
	}
	// The stable offset first: what is written between the two shows as a transaction that is open.
	if s.end, err = x.factOffset(ctx, p, topiclog.Committed, logEnd); err != nil {
		return settled{}, err
	}
	high, err := x.factOffset(ctx, p, topiclog.Uncommitted, logEnd)
	if err != nil {
		return settled{}, err
	}
	if s.end < high && !mutant.On(mutant.OffsetBeforeFence) {
		return settled{}, errUnsettled
	}
	return s, nil
}

// checkFacts keeps X5d: the last fact is the one that the metadata names, with its hash. It is asked also
// when Pebble agrees: a broker that lost data must be noticed now.
func (x *Processor) checkFacts(ctx context.Context, p int32, s *settled) error {
	deadline := time.Now().Add(x.factPatience)
	for wait := factPace; ; wait = min(2*wait, factPaceMax) {
		last, err := x.lastFact(ctx, p, s.start, s.end)
		if err != nil {
			return err
		}
		stop := s.compare(p, last)
		if stop == nil || last.seq >= s.meta.Seq || s.offset == noOffset {
			return stop.orNil()
		}
		if time.Now().After(deadline) {
			return stop
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		fresh, err := x.look(ctx, x.plain, p)
		if err != nil && !errors.Is(err, errUnsettled) {
			return err
		}
		if err == nil {
			s.end = fresh.end
		}
	}
}

func (s *Stop) orNil() error {
	if s == nil {
		return nil
	}
	return s
}

func (s *settled) compare(p int32, last factEnd) *Stop {
	switch {
	case s.offset == noOffset && last.seq == 0:
		return nil
	case s.offset == noOffset:
		return &Stop{
			Partition: p, Rule: "X5d", Expected: "a committed offset beside the facts",
			Found:  fmt.Sprintf("none, and facts up to seq %d", last.seq),
			Remedy: fmt.Sprintf("if the group was empty for longer than offsets.retention.minutes, run `hongbao topics adopt %d`", p),
		}
	case last.seq == s.meta.Seq && (last.hash == s.meta.Hash || mutant.On(mutant.HashUnchecked)):
		return nil
	case last.seq == s.meta.Seq:
		return &Stop{
			Partition: p, Rule: "X5d", Expected: fmt.Sprintf("hash %x at seq %d", s.meta.Hash, s.meta.Seq),
			Found:  fmt.Sprintf("hash %x in the fact log", last.hash),
			Remedy: "the fact log and the committed offset are of different histories: restore the topic, or compare with `hongbao verify`",
		}
	case last.seq > s.meta.Seq:
		return &Stop{
			Partition: p, Rule: "X5d", Expected: fmt.Sprintf("the fact log to end at seq %d, which the committed offset names", s.meta.Seq),
			Found:  fmt.Sprintf("facts up to seq %d", last.seq),
			Remedy: "someone reset the group's offset or wrote facts outside a transaction: `hongbao verify` names the first difference",
		}
	default:
		return &Stop{
			Partition: p, Rule: "X5d", Expected: fmt.Sprintf("the fact with seq %d, which the committed offset names", s.meta.Seq),
			Found:  fmt.Sprintf("facts up to seq %d after %s", last.seq, factPatience),
			Remedy: "the broker lost facts: restore the topic from a replica or a backup before this partition goes on",
		}
	}
}
