package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/eventstore"
	"hongbao/internal/admission"
	"hongbao/internal/crashpoint"
	"hongbao/internal/topiclog"
	"hongbao/projections"
	"hongbao/schemas"
)

// sparesMax bounds the sealed steps that are kept for reuse; the last in is the first out, for its arena is warm.
const sparesMax = 32

// partition is one of the topic partitions while its store is open here. One goroutine at a time works on
// it: its takeover, then its worker, then nobody.
type partition struct {
	id   int32
	x    *Processor
	lane *lane
	log  *slog.Logger
	box  mailbox

	store *eventstore.Partition // nil before the first takeover
	state *projections.State    // nil while the store says something else
	undo  releaseQueue
	owed  map[int64]admission.Want // what Redis granted, or may have, to events that are undecided still, by offset
	held  atomic.Int64             // seq of the first refusing fact whose grant Redis has not got back: its entry is kept; 0: none

	committed atomic.Int64  // seq up to which facts are committed in Kafka
	ticket    atomic.Uint64 // number of this ownership: a late answer to an earlier one is known by it (X11)
	stopped   atomic.Bool   // by a Stop: it stays owned and does nothing

	mu     sync.Mutex
	halted context.CancelCauseFunc
	ended  chan struct{} // closed when nobody works on it
	spares []*step

	positions schemas.Positions // committed
	clockMS   int64             // the worker clock of the committed facts
}

func newPartition(l *lane, p int32) *partition {
	part := &partition{id: p, x: l.x, lane: l, log: l.log, ended: make(chan struct{})}
	part.box.wake = make(chan struct{}, 1)
	return part
}

// rested is closed once nobody works on the partition.
func (p *partition) rested() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// again claims a rested partition for a new takeover; nil if another was faster or its store is gone.
func (p *partition) again() *partition {
	p.lane.mu.Lock()
	defer p.lane.mu.Unlock()
	if p.lane.open[p.id] != p {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.ended:
	default:
		return nil
	}
	p.ended = make(chan struct{})
	return p
}

// halt ends the worker after its present step. It does not wait.
func (p *partition) halt(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.halted != nil {
		p.halted(cause)
	}
}

// release ends the work, once the tail is published or the life over: the store is closed unless the
// partition is still ours and will be taken again.
func (p *partition) release(f *life) {
	_ = f.queue.drained(f.ctx, p) // its error says that the life is over
	p.lane.mu.Lock()
	keep := p.lane.owned[p.id] && !p.stopped.Load()
	if keep {
		p.endWork()
	}
	p.lane.mu.Unlock()
	if !keep {
		p.leave()
	}
}

// letGo closes what a release finds open with nobody at work on it: between two lives, or after a takeover that failed.
func (l *lane) letGo(p int32) {
	l.mu.Lock()
	part := l.open[p]
	l.mu.Unlock()
	if part == nil {
		return
	}
	part.ticket.Store(0) // a takeover under way may have queued its tail: it belongs to nobody
	if part.again() != nil {
		part.leave()
	}
}

// leave closes the store of a partition that this goroutine works on. Who takes it next waits until the directory is free.
func (p *partition) leave() {
	p.mu.Lock()
	if p.store != nil {
		if err := p.store.Close(); err != nil {
			p.log.Error("closing the store", "partition", p.id, "error", err)
		}
		p.store, p.state, p.undo, p.owed = nil, nil, releaseQueue{}, nil
		p.held.Store(0)
	}
	p.mu.Unlock()
	p.lane.mu.Lock()
	defer p.lane.mu.Unlock()
	delete(p.lane.open, p.id)
	p.endWork()
}

// endWork says that nobody works on the partition any more. The caller holds the lane's lock, under which it is claimed.
func (p *partition) endWork() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.halted = nil
	close(p.ended)
}

// published is called by the lane once a step's transaction is committed.
func (p *partition) published(s *step) {
	p.committed.Store(s.boundary.Seq)
	p.mu.Lock()
	p.positions, p.clockMS = s.boundary.Positions, s.boundary.ClockMS
	if p.store != nil { // a client that ends may still learn of a commit
		p.store.Published(p.unheld(s.boundary.Seq))
	}
	p.mu.Unlock()
	signal(p.box.wake)
}

// unheld is up to which published step entries may go.
func (p *partition) unheld(published int64) int64 {
	if held := p.held.Load(); held > 0 {
		return min(published, held-1)
	}
	return published
}

func (p *partition) spare() *step {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.spares); n > 0 {
		s := p.spares[n-1]
		p.spares = p.spares[:n-1]
		return s
	}
	return &step{}
}

func (p *partition) recycle(s *step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.entry = warm(s.entry); len(p.spares) < sparesMax {
		p.spares = append(p.spares, s)
	}
}

// adopt makes the partition live: its unpublished tail goes to the queue, its inputs to the client.
func (f *life) adopt(ctx context.Context, p *partition, s *settled) (*worker, error) {
	committed := int64(0)
	if s.offset != noOffset {
		committed = s.meta.Seq
	}
	p.committed.Store(committed)
	p.mu.Lock()
	p.positions, p.clockMS = s.meta.Positions, s.meta.ClockMS
	p.mu.Unlock()
	if first := p.undo.first(); first > 0 && (p.held.Load() == 0 || first < p.held.Load()) {
		p.held.Store(first)
	}
	p.store.Published(p.unheld(committed))
	ticket := f.x.tickets.Add(1)
	p.ticket.Store(ticket)
	p.box.clear()
	if err := f.x.member.prove(ctx, p.id); err != nil {
		return nil, err
	}
	// A release ends ctx before it takes the ticket away: one of the two keeps what is queued from here on from being published.
	if ctx.Err() != nil {
		return nil, errGone
	}
	err := p.store.Entries(committed, func(at eventstore.Boundary, entry []byte) error {
		st := p.spare()
		st.partition, st.ticket, st.boundary, st.events = p, ticket, at, len(entry)>>10
		st.entry = append(st.entry[:0], entry...)
		f.queue.push(st)
		return nil
	})
	if errors.Is(err, eventstore.ErrGap) {
		return nil, &Stop{
			Partition: p.id, Rule: "X5e", Expected: fmt.Sprintf("the outbox to reach back to the committed seq %d", committed),
			Found:  err.Error(),
			Remedy: "Kafka has lost what was published to it: restore its topics and the group's offsets, or compare with `hongbao verify`",
		}
	}
	if err != nil {
		return nil, err
	}
	w := newWorker(p)
	w.life = f
	w.ticket = ticket
	w.pos, w.clockMS = p.store.Last().Positions, p.store.Last().ClockMS
	w.asked = w.pos[schemas.TopicEvents] + askedMax
	owner := f.x.cfg.Gate.Own(p.id, claimSource{p})
	w.owner, w.closeOwner = owner, owner.Close
	return w, nil
}

// work runs the worker on a thread of its own.
func (f *life) work(ctx context.Context, w *worker) error {
	defer w.closeOwner()
	ctx, halt := context.WithCancelCause(ctx)
	defer halt(nil)
	w.mu.Lock()
	w.halted = halt
	w.mu.Unlock()

	f.amu.Lock()
	f.active[w.id] = w.partition
	f.amu.Unlock()
	defer f.forget(w.id)
	// A release ends ctx before it looks into active: one of the two always sees the other.
	if ctx.Err() != nil {
		return errGone
	}
	if w.stopped.Load() {
		f.x.member.taken(w.id)
		return w.tend(ctx)
	}
	from, err := f.inputs(ctx, w)
	if err != nil {
		return err
	}
	f.x.started(w.partition)
	defer f.x.ended(w.partition)
	f.x.member.taken(w.id)
	f.cl.ResumeFetchPartitions(f.topicsOf(w.id)) // kgo remembers a pause over removing and adding
	f.cl.AddConsumePartitions(from)
	crashpoint.Hit("takeover.consume.after")

	if err = f.x.pin(w.id); err == nil {
		err = w.run(ctx)
	}
	if err != nil {
		w.state = nil // it may hold what the store does not
	}
	if _, ok := errors.AsType[*Stop](err); ok {
		w.stopped.Store(true)
	}
	return err
}

// inputs says from where the worker's topics are read. A position that retention has passed is a loss (X5f),
// but for two: a topic that was never read; and a retry topic, whose coupons have been woken from the store.
func (f *life) inputs(ctx context.Context, w *worker) (map[string]map[int32]kgo.Offset, error) {
	topics := make([]schemas.Topic, schemas.Inputs)
	for t := range topics {
		topics[t] = schemas.Topic(t)
	}
	starts, err := f.x.listOffsets(ctx, w.id, topiclog.Uncommitted, logStart, topics...)
	if err != nil {
		return nil, err
	}
	from := map[string]map[int32]kgo.Offset{}
	for _, t := range topics {
		at, err := startAt(w.id, t, w.pos[t], starts[t])
		if err != nil {
			return nil, err
		}
		from[f.x.routes.names[t]] = map[int32]kgo.Offset{w.id: kgo.NewOffset().At(at)}
	}
	return from, nil
}

// startAt is the offset at which topic t of partition p is read on, whose log begins at start. A client that has not yet heard of the partition would
// go from a position below that to the start, without a word.
func startAt(p int32, t schemas.Topic, at, start int64) (int64, error) {
	retry := t == schemas.TopicRetry1s || t == schemas.TopicRetry5s || t == schemas.TopicRetry30s
	switch {
	case at >= start:
		return at, nil
	case at == 0, retry:
		return start, nil
	}
	return 0, truncated(p, t, fmt.Sprintf("its start at offset %d, above offset %d", start, at))
}
