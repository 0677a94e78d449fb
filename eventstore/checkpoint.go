package eventstore

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"hongbao/internal/crashpoint"
	"hongbao/schemas"
)

// Checkpoint keeps a copy of the partition as of Last, in hard links where the disk can. It counts once its seq is committed in Kafka: committed is
// the seq up to which the caller knows that. Of those that count the newest two stay, and all newer ones; boundaries below the oldest go
// with a later commit (X5e). Write the nodes first, so that a Rollback has nothing to fold. It syncs the log.
func (p *Partition) Checkpoint(committed int64) error {
	if err := p.usable(); err != nil {
		return err
	}
	marks, err := p.ownMarks()
	if err != nil {
		return err
	}
	at := mark{p.last.Seq, p.last.Hash}
	if at.Seq > 0 && !slices.Contains(marks, at) {
		crashpoint.Hit("store.checkpoint.before")
		err := p.home.build(at.name(), func(tmp string) error { return p.db.Checkpoint(tmp, pebble.WithFlushedWAL()) })
		if err != nil {
			return p.diskError("checkpoint", err)
		}
		crashpoint.Hit("store.checkpoint.after")
		marks = append(marks, at)
	}
	for len(marks) > checkpointsKept && marks[checkpointsKept].Seq <= committed {
		if err := p.home.remove(marks[0].name()); err != nil {
			return p.diskError("drop a checkpoint", err)
		}
		marks = marks[1:]
		crashpoint.Hit("store.drop.after")
	}
	// Below a checkpoint that does not count yet, the committed seq is still to be compared with.
	if len(marks) > 0 && marks[0].Seq <= committed {
		p.pruneTo = marks[0].Seq
	}
	return p.store.dead()
}

// ownMarks lists the checkpoints of the history that is live, oldest first, and removes others: a tail that was lost and folded anew may
// have left some behind, and their seqs would one day be taken for committed.
func (p *Partition) ownMarks() ([]mark, error) {
	marks, err := p.home.marks()
	if err != nil {
		return nil, p.diskError("list checkpoints", err)
	}
	own := marks[:0]
	for _, m := range marks {
		hash, ok, err := p.BoundaryHash(m.Seq)
		if err != nil {
			return nil, err
		}
		if ok && hash == m.Hash {
			own = append(own, m)
			continue
		}
		if err := p.home.remove(m.name()); err != nil {
			return nil, p.diskError("drop a checkpoint", err)
		}
	}
	return own, nil
}

// Checkpoints are the seqs of the checkpoints on the disk, oldest first, committed or not.
func (p *Partition) Checkpoints() ([]int64, error) {
	marks, err := p.home.marks()
	if err != nil {
		return nil, p.diskError("list checkpoints", err)
	}
	seqs := make([]int64, len(marks))
	for i, m := range marks {
		seqs[i] = m.Seq
	}
	return seqs, nil
}

// Rollback makes the newest checkpoint whose seq is at most `to`, and which accept says belongs to the history in facts, the state of the partition
// (X5e). Newer and refused checkpoints are removed. found is false when there is none: the state is then untouched, or empty when a
// checkpoint was tried and could not be read. An error of accept leaves everything as it was. Snapshots end.
func (p *Partition) Rollback(to int64, accept func(seq int64, hash schemas.Hash) (bool, error)) (found bool, err error) {
	if err := p.replaceable(); err != nil {
		return false, err
	}
	marks, err := p.home.marks()
	if err != nil {
		return false, p.diskError("list checkpoints", err)
	}
	for _, m := range slices.Backward(marks) {
		ok := m.Seq <= to
		if ok {
			if ok, err = accept(m.Seq, m.Hash); err != nil {
				return false, err
			}
		}
		if ok {
			if ok, err = p.swapIn(m); err != nil || ok {
				return ok, err
			}
		}
		if err := p.home.remove(m.name()); err != nil {
			return false, p.diskError("drop a checkpoint", err)
		}
	}
	return false, nil
}

// swapIn replaces the live directory by a copy of a checkpoint. false: the checkpoint cannot be read, and the partition is empty.
func (p *Partition) swapIn(m mark) (bool, error) {
	crashpoint.Hit("store.rollback.before")
	err := p.replace(p.home.clone(m.name()))
	if err == nil && (p.last.Seq != m.Seq || p.last.Hash != m.Hash) {
		err = fmt.Errorf("checkpoint %s holds seq %d, hash %x: %w", m.name(), p.last.Seq, p.last.Hash, ErrCorrupt)
	}
	if err == nil {
		crashpoint.Hit("store.rollback.after")
		return true, nil
	}
	if dead := p.store.dead(); dead != nil {
		return false, dead
	}
	if !errors.Is(err, ErrCorrupt) {
		return false, p.wrap("roll back", err)
	}
	p.log.Error("checkpoint cannot be read", "seq", m.Seq, "error", err)
	return false, p.Reset()
}

// Reset empties the partition. Checkpoints stay; Rollback judges them. Snapshots end.
func (p *Partition) Reset() error {
	if err := p.replaceable(); err != nil {
		return err
	}
	crashpoint.Hit("store.reset.before")
	err := p.replace(p.home.empty)
	crashpoint.Hit("store.reset.after")
	return p.wrap("reset", err)
}

// replace closes the live directory and opens a new one.
func (p *Partition) replace(fill func(tmp string) error) error {
	if err := p.closeDB(); err != nil && p.broken.Load() == nil {
		return err
	}
	next := p.live + 1
	err := p.home.build(liveName(next), fill)
	if err == nil {
		p.live = next
		err = p.home.sweep(next)
	}
	if err == nil {
		return p.openLive(next)
	}
	if errors.Is(err, ErrCorrupt) {
		return err
	}
	return p.diskError("replace the directory", err)
}

// replaceable is usable for what answers a corruption.
func (p *Partition) replaceable() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("eventstore: partition %d: %w", p.n, ErrClosed)
	}
	return p.store.dead()
}

// diskError ends the process: a directory that cannot be written now cannot be trusted later (E6).
func (p *Partition) diskError(verb string, err error) error {
	if err := p.store.dead(); err != nil {
		return err
	}
	return p.store.fatal(fmt.Errorf("partition %d: %s: %w", p.n, verb, err))
}
