package processor

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/eventstore"
	"hongbao/fsm"
	"hongbao/internal/admission"
	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
	"hongbao/projections"
	"hongbao/schemas"
)

// Paces of a worker.
const (
	nodesEvery     = 5 * time.Second        // coalesced, in pages: nodes at every step were most of its cost; a restart folds at most that much again
	expiryEvery    = time.Second            // vouchers whose validity ended
	idleWait       = 250 * time.Millisecond // the longest a worker waits without a look at its timers
	admitPatience  = time.Second            // then control, answers and timers have their turn before Redis is asked again
	stepEventsMax  = 4096                   // by weight, of events
	stepInputBytes = 4 << 20                // what the records of another topic may add to a step
	stepPace       = 5 * time.Millisecond   // from step to step, unless stepEvents wait: a step costs a write, however little is in it
	stepEvents     = 512
	expiringAtOnce = 64
)

// admitter is what a worker asks of the gate about its partition; an *admission.Owner. Admit and Rebuild are
// called by the worker alone, and never at once. Whatever Admit says is folded before the next call (X10).
type admitter interface {
	Admit(ctx context.Context, asks []admission.Ask, answers []admission.Answer) error
	Rebuild(ctx context.Context) (admission.Rebuilt, error)
	Wanted() <-chan struct{}
	Release(items []admission.Release) (waiting int)
}

// worker is the one goroutine that decides and folds a partition. Nothing here is shared.
type worker struct {
	*partition
	life       *life
	ticket     uint64 // of this ownership; the partition's changes with a release
	owner      admitter
	closeOwner func()
	machine    *fsm.Machine
	decoder    schemas.Decoder
	verifier   *schemas.CodeVerifier
	signer     *schemas.CommandSigner
	signed     *schemas.CommandVerifier

	in      inbox
	draft   draft
	fact    schemas.Fact
	pos     schemas.Positions
	clockMS int64
	now     time.Time

	out     outputs
	batch   eventBatch
	coupons couponTurn
	issue   issueQueue

	events   int // of this step, by weight
	nodesAt  time.Time
	expiryAt time.Time

	checkpointAt time.Time
	fresh        bool  // no turn yet since the partition was taken
	asked        int64 // events below this offset may have been asked for by an earlier owner
	stock        stockDuty
}

func newWorker(p *partition) *worker {
	keys := p.x.cfg.CodeKeys
	w := &worker{
		partition: p, machine: fsm.NewMachine(), verifier: schemas.NewCodeVerifier(keys),
		signer: schemas.NewCommandSigner(keys), signed: schemas.NewCommandVerifier(keys),
	}
	w.out.source = strconv.AppendInt([]byte("/hongbao/"), int64(p.id), 10)
	return w
}

// run works until the partition is halted or its life ends. The reason is a *Stop where the partition must
// not go on, else nil.
func (w *worker) run(ctx context.Context) error {
	w.fresh = true
	crashpoint.Coupons(w.id, w.state.Open())
	w.nodesAt, w.checkpointAt = w.phase(nodesEvery), w.phase(w.x.cfg.CheckpointEvery)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var stepped time.Time
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-w.owner.Wanted():
			w.rebuildClaims(ctx)
		case <-w.box.wake:
		case <-timer.C:
		}
		if wait := stepPace - time.Since(stepped); wait > 0 && w.box.waiting.Load() < stepEvents {
			timer.Reset(wait)
			continue
		}
		worked, err := w.turn(ctx)
		switch {
		case err != nil:
			return err
		case worked:
			stepped = time.Now()
			timer.Reset(0) // there may be more, and a look at Wanted also when there always is
		default:
			timer.Reset(w.nextTimer())
		}
	}
	return w.rest()
}

// phase is when something that comes every d was last done, as it were: partitions that all wrote at once would stop the process for a moment.
func (w *worker) phase(d time.Duration) time.Time {
	return w.x.now().Add(-d * time.Duration(w.id) / time.Duration(w.x.cfg.Partitions))
}

// rebuildClaims writes the partition's claims into a Redis that has lost them, as long as it takes: Admit's
// patience would begin it again and again.
func (w *worker) rebuildClaims(ctx context.Context) {
	if _, err := w.owner.Rebuild(ctx); err != nil && ctx.Err() == nil {
		w.log.Warn("claims are not rebuilt yet", "rule", "X10", "partition", w.id, "error", err)
	}
}

// rest writes the nodes before the worker goes, so that the next open has little to fold.
func (w *worker) rest() error {
	if w.stopped.Load() {
		return nil
	}
	return w.writeNodes()
}

// turn takes what has come, decides it, folds it and commits it as one step. It says whether there was anything.
func (w *worker) turn(ctx context.Context) (bool, error) {
	w.box.takeInto(&w.in)
	w.orders()
	w.begin()
	if err := w.decide(ctx); err != nil {
		return false, err
	}
	w.settleCommitted(ctx)
	passed := w.passMarkers()
	if w.draft.count == 0 && (passed == w.store.Last().Positions || w.pos == w.store.Last().Positions && w.now.Sub(w.nodesAt) < nodesEvery) {
		return false, w.idle()
	}
	w.pos = passed
	if err := w.commit(); err != nil {
		return false, err
	}
	crashpoint.Coupons(w.id, w.state.Open())
	return true, nil
}

// passMarkers is where the positions may go: past the markers of transactions that follow what was read, where everything before them is taken. They ride with
// a step, or with the nodes: a position that stays behind a marker is below the start of the log once retention has taken the rest (X5f).
func (w *worker) passMarkers() schemas.Positions {
	pos := w.pos
	for t, end := range w.in.ends {
		if len(w.in.inputs[t]) == 0 {
			pos[t] = max(pos[t], end)
		}
	}
	return pos
}

func (w *worker) orders() {
	for _, fn := range w.in.orders {
		fn(w)
	}
	clear(w.in.orders)
	w.in.orders = w.in.orders[:0]
}

// begin opens a step: the worker clock is max(previous, now), read once (domain.md section 3).
func (w *worker) begin() {
	w.now = w.x.now()
	w.clockMS = max(w.clockMS, w.now.UnixMilli())
	w.draft.begin(w.store.Last())
	w.events = 0
	w.coupons.begin()
}

// decide goes through the inputs in the order of their urgency.
func (w *worker) decide(ctx context.Context) error {
	if w.fresh {
		if err := w.firstTurn(); err != nil {
			return err
		}
		w.fresh = false
	}
	for _, do := range []func() error{w.control, w.answers, w.timers, w.retries, w.commands} {
		if err := do(); err != nil {
			return err
		}
	}
	if err := w.invites(ctx); err != nil {
		return err
	}
	return w.results()
}

// firstTurn does what a new owner must do: campaigns of the configuration become facts, coupons in
// ISSUING are asked again under the same key, and whatever is past due wakes without its record.
func (w *worker) firstTurn() error {
	if err := w.activateCampaigns(); err != nil {
		return err
	}
	w.issue.reset()
	w.stock.changed(w.store.Last().Seq)
	if err := w.state.EachIssuing(func(c *projections.Coupon) error {
		w.issue.add(c.ID, w.store.Last().Seq)
		return nil
	}); err != nil {
		return err
	}
	return w.wakeDue()
}

// commit seals the step, writes ONE Pebble batch (X2) and hands the step to the lane.
func (w *worker) commit() error {
	s := w.spare()
	w.draft.seal(&w.fact, &w.pos, w.clockMS, s)
	if err := w.state.Fold(&w.fact); err != nil {
		return w.impossible(err)
	}
	s.partition, s.ticket = w.partition, w.ticket
	s.events = max(w.events, len(s.entry)>>10)
	if mutant.On(mutant.StateFirst) && w.store.Last().Seq > 0 {
		if err := w.writeNodes(); err != nil {
			return err
		}
	}
	b := w.store.Begin()
	nodes := w.now.Sub(w.nodesAt) >= nodesEvery
	if nodes {
		if err := w.state.Flush(writer{b}); err != nil {
			return err
		}
		w.nodesAt = w.now
	}
	if err := b.Commit(s.boundary, s.entry, nodes); err != nil {
		return err
	}
	w.x.metrics.steps.Inc()
	w.life.queue.push(s)
	if !nodes {
		return nil
	}
	w.state.Evict()
	return w.checkpoint()
}

// idle writes the nodes of the last steps once nothing else is to be done.
func (w *worker) idle() error {
	if w.now.Sub(w.nodesAt) < nodesEvery || w.store.NodesSeq() == w.store.Last().Seq {
		return nil
	}
	return w.writeNodes()
}

// writeNodes writes the folded nodes without a step; the outbox needs nothing from it.
func (w *worker) writeNodes() error {
	b := w.store.Begin()
	if err := w.state.Flush(writer{b}); err != nil {
		return err
	}
	w.nodesAt = w.now
	if err := b.CommitNodes(); err != nil {
		return err
	}
	w.state.Evict()
	return w.checkpoint()
}

// checkpoint keeps a copy to go back to (X5e) now and then; the nodes are written. It counts once its seq is committed.
func (w *worker) checkpoint() error {
	if w.now.Sub(w.checkpointAt) < w.x.cfg.CheckpointEvery {
		return nil
	}
	w.checkpointAt = w.now
	return w.store.Checkpoint(w.committed.Load())
}

// emit adds the fact in w.fact to the step and folds it: state is a fold of facts, nothing else.
func (w *worker) emit(chain int64, trace []byte) error {
	w.draft.add(&w.fact, chain, trace)
	if err := w.state.Fold(&w.fact); err != nil {
		return w.impossible(err)
	}
	return nil
}

// impossible stops the partition: what was decided cannot be folded, so the state and the rules disagree.
func (w *worker) impossible(err error) error {
	return &Stop{
		Partition: w.id, Rule: "X8", Expected: "every decided fact to fold", Found: err.Error(),
		Remedy: "this is a defect of hongbao: keep the data directory and the topics, and report it with `hongbao verify`",
	}
}

func (w *worker) nextTimer() time.Duration {
	return min(idleWait, w.coupons.untilDue(w.clockMS))
}

// skip says whether a record lies below the position: it was decided before (X5f).
func (w *worker) skip(t schemas.Topic, r *kgo.Record) bool { return r.Offset < w.pos[t] }

// took moves the position past a record and gives its memory back.
func (w *worker) took(t schemas.Topic, r *kgo.Record) {
	w.pos[t] = max(w.pos[t], r.Offset+1)
	r.Recycle()
}

// writer lets projections write into the step's batch.
type writer struct{ b *eventstore.Batch }

func (w writer) Set(space projections.Space, key, value []byte) { w.b.Set(byte(space), key, value) }
func (w writer) Delete(space projections.Space, key []byte)     { w.b.Delete(byte(space), key) }
