package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
	"hongbao/internal/replay"
	"hongbao/internal/topiclog"
)

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
	r := &restorer{partition: p, want: s.meta.Seq, from: p.store.Last().Seq, began: time.Now()}
	crashpoint.Hit("takeover.restore.before")
	if err := r.run(ctx, s); err != nil {
		return err
	}
	if got := p.store.Last(); got.Seq != s.meta.Seq || got.Hash != s.meta.Hash && !mutant.On(mutant.HashUnchecked) {
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

// restorer folds a fact log up to the committed seq, and tells how far it is. The fold is the same as replay's (R1, R2).
type restorer struct {
	*partition
	folder *replay.Folder
	want   int64
	from   int64
	began  time.Time
	told   time.Time
}

func (r *restorer) run(ctx context.Context, s *settled) error {
	start, err := r.x.offsetOfSeq(ctx, r.id, r.from+1, s.start, s.end)
	if err != nil {
		return err
	}
	r.folder, r.told = replay.NewFolder(r.id, s.start, r.store, r.state, r.undo.note), time.Now()
	err = r.x.eachFactRecord(ctx, r.x.factSpan(r.id, start, s.end), func(rs []*topiclog.Record) error {
		for _, rec := range rs {
			if err := r.folder.Fold(rec); err != nil {
				return stopped(err)
			}
		}
		r.tell(r.folder.Seq())
		return nil
	})
	if err != nil {
		return err
	}
	return r.folder.Write()
}

// stopped turns what cannot be folded into a stop: the partition stops alone, its neighbours go on.
func stopped(err error) error {
	if b, ok := errors.AsType[*replay.Broken](err); ok {
		return &Stop{Partition: b.Partition, Rule: b.Rule, Expected: b.Expected, Found: b.Found, Remedy: b.Remedy}
	}
	return err
}

// unfoldable stops the partition alone: a fact that cannot be folded will not fold at the next try either.
func unfoldable(p int32, offset int64, err error) error {
	return &Stop{
		Partition: p, Rule: "X8", Expected: "every fact to decode and to fold", Found: fmt.Sprintf("at offset %d (0: in the outbox): %v", offset, err),
		Remedy: "the fact log is damaged, or written by a newer version of hongbao: run that version, or restore the topic",
	}
}

// tell reports progress, rate and what is left, about once a second.
func (r *restorer) tell(seq int64) {
	r.x.metrics.restored(r.id, seq-r.from, r.want-r.from)
	if time.Since(r.told) < time.Second {
		return
	}
	r.told = time.Now()
	rate := float64(seq-r.from) / time.Since(r.began).Seconds()
	eta := time.Duration(float64(r.want-seq) / max(rate, 1) * float64(time.Second))
	r.log.Info("restoring from facts", "partition", r.id, "seq", seq, "of", r.want, "facts_per_s", int64(rate), "eta", eta.Round(time.Second))
}
