package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/eventstore"
	"hongbao/internal/crashpoint"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// restoreBatchFacts is how many facts are folded between two writes of a restore: about 2 MB, which fit a memtable.
const restoreBatchFacts = 20_000

// restore folds facts from the store's last step, after back (nil: nothing) has changed it, up to the
// committed seq. Afterwards the outbox is empty and the positions are the metadata's (X5e).
func (p *partition) restore(ctx context.Context, s *settled, back func() error) error {
	p.state = nil
	if back != nil {
		p.undo = releaseQueue{}
		if err := back(); err != nil {
			return fmt.Errorf("partition %d: %w", p.id, err)
		}
	}
	if err := p.openState(); err != nil {
		return err
	}
	if s.offset == noOffset {
		return nil
	}
	r := &restorer{partition: p, want: s.meta.Seq, last: p.store.Last(), from: p.store.Last().Seq, began: time.Now()}
	crashpoint.Hit("takeover.restore.before")
	if err := r.run(ctx, s); err != nil {
		return err
	}
	if got := p.store.Last(); got.Seq != s.meta.Seq || got.Hash != s.meta.Hash {
		return &Stop{
			Partition: p.id, Rule: "X5e",
			Expected: fmt.Sprintf("the facts to fold to seq %d with hash %x", s.meta.Seq, s.meta.Hash),
			Found:    fmt.Sprintf("seq %d with hash %x", got.Seq, got.Hash),
			Remedy:   "the fact log is damaged or of another history: `hongbao verify` names the first difference",
		}
	}
	p.log.Info("partition restored from facts", "partition", p.id, "seq", s.meta.Seq, "facts", s.meta.Seq-r.from, "took", time.Since(r.began))
	return nil
}

// restorer folds a fact log, contiguously (X8), checking the running hash of every step.
type restorer struct {
	*partition
	want   int64
	from   int64
	last   eventstore.Boundary // end of the last step folded
	seq    int64               // of the last fact folded
	facts  int                 // since the last write
	began  time.Time
	told   time.Time
	fact   schemas.Fact
	hasher schemas.StepHasher
}

func (r *restorer) run(ctx context.Context, s *settled) error {
	start, err := r.x.offsetOfSeq(ctx, r.id, r.last.Seq+1, s.start, s.end)
	if err != nil {
		return err
	}
	r.seq, r.told = r.last.Seq, time.Now()
	r.hasher.Begin(r.last.Hash)
	batch := r.store.Begin()
	err = r.x.eachFactRecord(ctx, r.x.factSpan(r.id, start, s.end), func(rs []*topiclog.Record) error {
		for _, rec := range rs {
			if err := r.fold(rec, batch); err != nil {
				return err
			}
			if r.fact.Kind == schemas.FactStepEnded && r.facts >= restoreBatchFacts {
				if err := r.write(batch); err != nil {
					return err
				}
				batch = r.store.Begin()
			}
		}
		r.tell()
		return nil
	})
	if err != nil {
		return err
	}
	if r.last.Seq == r.store.Last().Seq {
		return nil
	}
	return r.write(batch)
}

// fold keeps X8: a fact is folded iff its seq is the next one.
func (r *restorer) fold(rec *topiclog.Record, batch *eventstore.Batch) error {
	f := &r.fact
	if err := f.Decode(rec.Value); err != nil {
		return r.unfoldable(rec.Offset, err)
	}
	if f.Seq <= r.seq {
		return nil // below our boundary, whose hash was compared
	}
	if f.Seq != r.seq+1 {
		return &Stop{
			Partition: r.id, Rule: "X8", Expected: fmt.Sprintf("the fact with seq %d", r.seq+1),
			Found:  fmt.Sprintf("seq %d at offset %d", f.Seq, rec.Offset),
			Remedy: "the fact log has a gap: restore the topic from a replica or a backup",
		}
	}
	if err := r.state.Fold(f); err != nil {
		if errors.Is(err, eventstore.ErrCorrupt) {
			return err
		}
		return r.unfoldable(rec.Offset, err)
	}
	r.undo.note(f)
	r.seq = f.Seq
	r.facts++
	if f.Kind != schemas.FactStepEnded {
		r.hasher.Add(rec.Value)
		return nil
	}
	unhashed, hash, ok := schemas.SplitStepHash(rec.Value)
	r.hasher.Add(unhashed)
	if got := r.hasher.Sum(); !ok || got != hash {
		return &Stop{
			Partition: r.id, Rule: "X5e", Expected: fmt.Sprintf("running hash %x at seq %d", got, f.Seq),
			Found:  fmt.Sprintf("%x at offset %d", hash, rec.Offset),
			Remedy: "a fact was changed after it was written: restore the topic from a replica or a backup",
		}
	}
	r.last = eventstore.Boundary{Seq: f.Seq, Hash: hash, Positions: f.Step.Positions, ClockMS: f.Step.WorkerClockMS}
	batch.Boundary(r.last)
	r.hasher.Begin(hash)
	return nil
}

// unfoldable stops the partition alone: a fact that cannot be folded will not fold at the next try either.
func (p *partition) unfoldable(offset int64, err error) error {
	return &Stop{
		Partition: p.id, Rule: "X8", Expected: "every fact to decode and to fold", Found: fmt.Sprintf("at offset %d (0: in the outbox): %v", offset, err),
		Remedy: "the fact log is damaged, or written by a newer version of hongbao: run that version, or restore the topic",
	}
}

func (r *restorer) write(b *eventstore.Batch) error {
	if r.seq != r.last.Seq {
		return errors.New("a restore ends inside a step")
	}
	if err := r.state.Flush(writer{b}); err != nil {
		return err
	}
	if err := b.CommitRestored(); err != nil {
		return err
	}
	r.facts = 0
	r.state.Evict()
	return nil
}

// tell reports progress, rate and what is left, about once a second.
func (r *restorer) tell() {
	r.x.metrics.restored(r.id, r.seq-r.from, r.want-r.from)
	if time.Since(r.told) < time.Second {
		return
	}
	r.told = time.Now()
	rate := float64(r.seq-r.from) / time.Since(r.began).Seconds()
	eta := time.Duration(float64(r.want-r.seq) / max(rate, 1) * float64(time.Second))
	r.log.Info("restoring from facts", "partition", r.id, "seq", r.seq, "of", r.want, "facts_per_s", int64(rate), "eta", eta.Round(time.Second))
}
