package processor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"hongbao/eventstore"
	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
	"hongbao/internal/topiclog"
	"hongbao/projections"
	"hongbao/schemas"
)

// own takes partition p by X5 in this life and then works on it until ctx, which is this ownership, ends.
func (f *life) own(ctx context.Context, p int32) error {
	defer f.x.member.taken(p) // if it was not before
	part, err := f.partition(ctx, p)
	if err != nil {
		return err
	}
	defer part.release(f)
	part.stopped.Store(f.x.tended(p)) // then its tail stays where it is
	// The directory is ours whoever owns the partition, so it is opened meanwhile. What goes wrong there
	// goes wrong again in reconcile, which knows what to do.
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		_ = part.openStore()
	}()
	s, err := f.x.settle(ctx, f.cl, p)
	<-opened
	if err != nil {
		return err
	}
	crashpoint.Hit("settle.facts.after")
	if err := part.reconcile(ctx, &s); err != nil {
		part.state = nil // half of a fold, perhaps
		if _, ok := errors.AsType[*fs.PathError](err); ok {
			part.shut()
			return &directoryError{err}
		}
		return err
	}
	crashpoint.Hit("takeover.compare.after")
	w, err := f.adopt(ctx, part, &s)
	if err != nil {
		return err
	}
	crashpoint.Hit("takeover.adopt.after")
	return f.work(ctx, w)
}

// partition is the one that the lane has open, once its last worker is gone, or a new one.
func (f *life) partition(ctx context.Context, p int32) (*partition, error) {
	for {
		f.lane.mu.Lock()
		old := f.open[p]
		if old == nil {
			part := newPartition(f.lane, p)
			f.open[p] = part
			f.lane.mu.Unlock()
			return part, nil
		}
		f.lane.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-old.rested():
		}
		if part := old.again(); part != nil {
			return part, nil
		}
	}
}

// reconcile keeps X5e, also where the directory turns out to be damaged only when it is read.
func (p *partition) reconcile(ctx context.Context, s *settled) error {
	err := p.compare(ctx, s)
	if !errors.Is(err, eventstore.ErrCorrupt) {
		return err
	}
	p.log.Error("the partition's data is damaged and is rebuilt from facts", "partition", p.id, "error", err)
	if err := p.discard(); err != nil {
		return err
	}
	return p.compare(ctx, s)
}

// discard throws the live data of the partition away; its checkpoints stay.
func (p *partition) discard() error {
	p.shut()
	return p.x.store.Discard(p.id)
}

// shut closes the store, whose word does not matter any more: it may be without its database, where a restore had begun to replace it.
func (p *partition) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.store != nil {
		_ = p.store.Close()
		p.store, p.state, p.undo = nil, nil, releaseQueue{}
	}
}

// compare goes by (seq, hash) alone, never by names.
func (p *partition) compare(ctx context.Context, s *settled) error {
	if err := p.openStore(); err != nil {
		return err
	}
	if s.offset == noOffset {
		if p.store.Last().Seq == 0 {
			return p.openState()
		}
		return p.restore(ctx, s, p.store.Reset)
	}
	hash, known, err := p.store.BoundaryHash(s.meta.Seq)
	if err != nil {
		return err
	}
	if known && hash == s.meta.Hash || mutant.On(mutant.ByWriter) && p.store.Last().Seq >= s.meta.Seq {
		return p.openState() // what lies beyond is the unpublished tail
	}
	stands, err := p.standsInFacts(ctx, s)
	if err != nil {
		return err
	}
	if stands {
		return p.restore(ctx, s, nil)
	}
	p.log.Warn("the data directory holds another history: back to a checkpoint or to nothing", "rule", "X5e",
		"partition", p.id, "seq", p.store.Last().Seq, "committed_seq", s.meta.Seq)
	return p.restore(ctx, s, func() error { return p.rollback(ctx, s) })
}

// standsInFacts says whether Pebble's own last pair is a step of the fact log.
func (p *partition) standsInFacts(ctx context.Context, s *settled) (bool, error) {
	last := p.store.Last()
	if last.Seq == 0 {
		return true, nil
	}
	if last.Seq >= s.meta.Seq {
		return false, nil
	}
	if mutant.On(mutant.SeqAlone) {
		return true, nil
	}
	return p.isStep(ctx, s, last.Seq, last.Hash)
}

// isStep says whether the fact log has a step that ends with this seq and hash.
func (p *partition) isStep(ctx context.Context, s *settled, seq int64, hash schemas.Hash) (bool, error) {
	from, err := p.x.offsetOfSeq(ctx, p.id, seq, s.start, s.end)
	if err != nil {
		return false, err
	}
	var found bool
	var f schemas.Fact
	err = p.x.eachFactRecord(ctx, p.x.factSpan(p.id, from, s.end), func(rs []*topiclog.Record) error {
		for _, r := range rs {
			if err := f.Decode(r.Value); err != nil {
				return unfoldable(p.id, r.Offset, err)
			}
			if f.Seq >= seq {
				found = f.Seq == seq && f.Kind == schemas.FactStepEnded && f.Step.Hash == hash
				return errEnough
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return false, err
	}
	return found, nil
}

var errEnough = errors.New("enough read")

// rollback goes back to the newest checkpoint that the fact log knows, or to nothing.
func (p *partition) rollback(ctx context.Context, s *settled) error {
	found, err := p.store.Rollback(s.meta.Seq, func(seq int64, hash schemas.Hash) (bool, error) {
		if mutant.On(mutant.CheckpointOrphan) {
			return true, nil
		}
		if seq == s.meta.Seq {
			return hash == s.meta.Hash, nil
		}
		return p.isStep(ctx, s, seq, hash)
	})
	if err != nil || found {
		return err
	}
	return p.store.Reset()
}

// openStore opens the partition's directory.
func (p *partition) openStore() error {
	if p.store != nil {
		return nil
	}
	store, err := p.x.store.Partition(p.id)
	if err != nil {
		return fmt.Errorf("open partition %d: %w", p.id, err)
	}
	p.mu.Lock()
	p.store = store
	p.mu.Unlock()
	return nil
}

// openState loads the nodes and folds the kept outbox entries over them (X2). What the entries refused is given back
// again: also those whose nodes are written, for an entry is kept until Redis has got its grants back.
func (p *partition) openState() error {
	if p.state != nil {
		return nil
	}
	state, err := projections.Open(reader{p.store}, p.x.cfg.Projections)
	if err != nil {
		return fmt.Errorf("open state of partition %d: %w", p.id, err)
	}
	var f schemas.Fact
	nodes, folded := p.store.NodesSeq(), 0
	p.undo = releaseQueue{}
	err = p.store.Entries(p.store.KeptSeq(), func(at eventstore.Boundary, entry []byte) error {
		return eachFact(entry, func(value []byte) error {
			if err := f.Decode(value); err != nil {
				return unfoldable(p.id, 0, err)
			}
			p.undo.note(&f)
			if at.Seq <= nodes {
				return nil
			}
			folded++
			err := state.Fold(&f)
			if err != nil && !errors.Is(err, eventstore.ErrCorrupt) {
				return unfoldable(p.id, 0, err)
			}
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("fold the outbox of partition %d over its nodes: %w", p.id, err)
	}
	if folded > 0 {
		p.log.Info("kept steps folded over the nodes", "rule", "X2", "partition", p.id, "facts", folded, "from", nodes, "to", p.store.Last().Seq)
	}
	p.state = state
	return nil
}

// reader lets projections read the partition's keys.
type reader struct{ p *eventstore.Partition }

func (r reader) Get(space projections.Space, key, dst []byte) ([]byte, bool, error) {
	return r.p.Get(byte(space), key, dst)
}

func (r reader) Scan(space projections.Space, prefix []byte, fn func(key, value []byte) error) error {
	return r.p.Scan(byte(space), prefix, fn)
}
