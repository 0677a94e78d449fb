package replay

import (
	"errors"

	"hongbao/eventstore"
	"hongbao/internal/topiclog"
	"hongbao/projections"
	"hongbao/schemas"
)

// batchFacts is how many facts are folded between two writes: about 2 MB of changes, which fit a memtable.
const batchFacts = 20_000

// Folder folds the facts of one partition into its store, contiguously (R1), in batches that end where a step ends
// (R2). Not safe for concurrent use; it is the store's one user.
type Folder struct {
	partition int32
	begins    int64 // of the log, until a fact is folded
	store     *eventstore.Partition
	state     *projections.State
	batchMax  int
	after     func(*schemas.Fact) // sees each fact once it is folded; may be nil
	wrote     func(p int32, seq int64)

	last   eventstore.Boundary // end of the last step folded
	seq    int64               // of the last fact folded
	facts  int                 // since the last write
	batch  *eventstore.Batch
	fact   schemas.Fact
	hasher schemas.StepHasher
}

// NewFolder continues where the store stands, whose state is given. begins is the first offset of the log; after, when not nil, sees each
// folded fact.
func NewFolder(p int32, begins int64, store *eventstore.Partition, state *projections.State, after func(*schemas.Fact)) *Folder {
	f := &Folder{partition: p, begins: begins, store: store, state: state, batchMax: batchFacts, after: after, last: store.Last()}
	f.seq = f.last.Seq
	f.hasher.Begin(f.last.Hash)
	f.batch = store.Begin()
	return f
}

// Last is the end of the last step that was folded, written or not.
func (f *Folder) Last() eventstore.Boundary { return f.last }

// Seq is the last fact that was folded.
func (f *Folder) Seq() int64 { return f.seq }

// Fold takes the next record. A *Broken says that it cannot follow; eventstore.ErrCorrupt, that the store cannot be read.
func (f *Folder) Fold(rec *topiclog.Record) error {
	fact := &f.fact
	if err := fact.Decode(rec.Value); err != nil {
		return unfoldable(f.partition, rec.Offset, err)
	}
	if fact.Seq <= f.seq {
		return nil // below our boundary, whose hash was compared
	}
	if fact.Seq != f.seq+1 {
		return gap(f.partition, f.seq+1, fact.Seq, rec.Offset, f.begins)
	}
	if err := f.state.Fold(fact); err != nil {
		if errors.Is(err, eventstore.ErrCorrupt) {
			return err
		}
		return unfoldable(f.partition, rec.Offset, err)
	}
	if f.after != nil {
		f.after(fact)
	}
	f.seq, f.begins = fact.Seq, 0
	f.facts++
	if fact.Kind != schemas.FactStepEnded {
		f.hasher.Add(rec.Value)
		return nil
	}
	return f.endStep(rec)
}

func (f *Folder) endStep(rec *topiclog.Record) error {
	unhashed, hash, ok := schemas.SplitStepHash(rec.Value)
	f.hasher.Add(unhashed)
	if got := f.hasher.Sum(); !ok || got != hash {
		return changed(f.partition, f.seq, rec.Offset, got, hash)
	}
	step := &f.fact.Step
	f.last = eventstore.Boundary{Seq: f.seq, Hash: hash, Positions: step.Positions, ClockMS: step.WorkerClockMS}
	f.batch.Boundary(f.last)
	f.hasher.Begin(hash)
	if f.facts >= f.batchMax {
		return f.Write()
	}
	return nil
}

// Write commits what was folded since the last write. It is called where a step has ended.
func (f *Folder) Write() error {
	if f.facts == 0 {
		return nil
	}
	if f.seq != f.last.Seq {
		return errors.New("a restore ends inside a step")
	}
	if err := f.state.Flush(Writer{f.batch}); err != nil {
		return err
	}
	if err := f.batch.CommitRestored(); err != nil {
		return err
	}
	f.facts = 0
	f.state.Evict()
	f.batch = f.store.Begin()
	if f.wrote != nil {
		f.wrote(f.partition, f.seq)
	}
	return nil
}
