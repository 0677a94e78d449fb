package processor

import (
	"context"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/eventstore"
	"hongbao/internal/topiclog"
	"hongbao/projections"
	"hongbao/schemas"
)

// StateOf opens the state of a stopped partition as a takeover does: nodes, then the kept outbox entries.
func StateOf(store *eventstore.Partition) (*projections.State, error) {
	p := &partition{x: &Processor{}, store: store, log: slog.New(slog.DiscardHandler)}
	err := p.openState()
	return p.state, err
}

// Folding is a fold of facts from zero, in memory alone.
type Folding struct {
	State *projections.State
	fact  schemas.Fact
}

// NewFolding begins with an empty state.
func NewFolding() (*Folding, error) {
	s, err := projections.Open(nothing{}, projections.Config{})
	return &Folding{State: s}, err
}

// Fold folds the next fact.
func (f *Folding) Fold(r *topiclog.Record) error {
	if err := f.fact.Decode(r.Value); err != nil {
		return err
	}
	return f.State.Fold(&f.fact)
}

// Release is what the group's callback does with partitions that move away.
func (x *Processor) Release(ctx context.Context, ps []int32) { x.release(ctx, ps) }

// StatusBehindLanes is Status while every lane is busy, and the group knows this instance under a new member id.
func (x *Processor) StatusBehindLanes() Status {
	for _, l := range x.lanes {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	x.member.mu.Lock()
	x.member.id = "given up"
	x.member.mu.Unlock()
	return x.Status()
}

// CommitProves commits an offset in a transaction as a lane does, and says whether that counts as a proof of the lease.
func CommitProves(ctx context.Context, cl *kgo.Client, txnID string, cfg Config, events [16]byte, id string, generation int32) (bool, error) {
	x := &Processor{cfg: cfg, eventsID: events, member: &member{}}
	x.routes.names[schemas.TopicEvents] = cfg.Prefix + schemas.TopicEvents.String()
	err := x.commitOffsets(ctx, cl, txnID, lease{member: id, generation: generation}, []*step{{partition: &partition{}}})
	return x.member.confirmedWithin(time.Hour), err
}

// Assigned says whether partition p is this instance's, taken over or not.
func (x *Processor) Assigned(p int32) bool {
	l := x.laneOf(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owned[p]
}
