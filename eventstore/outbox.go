package eventstore

import (
	"fmt"

	"hongbao/internal/mutant"
)

// Published says that the steps up to seq are committed in Kafka. It may be called from any goroutine, and again with a lower seq. Their entries
// go with a later commit, once their nodes are written (X2).
func (p *Partition) Published(seq int64) {
	for {
		old := p.published.Load()
		if seq <= old || p.published.CompareAndSwap(old, seq) {
			return
		}
	}
}

// Entries calls fn for the kept entries above a step boundary, in order, up to Last; entry lives until fn returns. Above NodesSeq they are
// what must be folded at open; above the committed seq they are the unpublished tail. ErrGap: the entry that follows `above` is no longer
// kept, so what lies beyond cannot be published from here.
func (p *Partition) Entries(above int64, fn func(at Boundary, entry []byte) error) error {
	if err := p.usable(); err != nil {
		return err
	}
	if above >= p.last.Seq {
		return nil
	}
	first := true
	err := readEntries(p.db, above, func(seq, prev int64, entry []byte) error {
		if first && prev != above {
			return fmt.Errorf("the entry after seq %d is gone, the next one follows %d: %w", above, prev, ErrGap)
		}
		first = false
		at, ok, err := readBoundary(p.db, seq)
		if err == nil && !ok {
			err = fmt.Errorf("outbox entry %d has no boundary: %w", seq, ErrCorrupt)
		}
		if err != nil {
			return err
		}
		return fn(at, entry)
	})
	if err == nil && first {
		err = fmt.Errorf("no entry follows seq %d, the last step ended at %d: %w", above, p.last.Seq, ErrGap)
	}
	return p.wrap("read the outbox", err)
}

// loadOutbox checks the kept entries (E2) and learns what is deleted.
func (p *Partition) loadOutbox() error {
	p.deleted = p.last.Seq
	first, end := true, int64(0)
	err := readEntries(p.db, 0, func(seq, prev int64, _ []byte) error {
		if first {
			first, p.deleted = false, prev
		}
		end = seq
		return nil
	})
	if err != nil {
		return classify(err)
	}
	if p.deleted > p.nodes {
		return fmt.Errorf("nodes are written up to seq %d, kept entries begin after %d: %w", p.nodes, p.deleted, ErrCorrupt)
	}
	if !first && end != p.last.Seq {
		return fmt.Errorf("the last entry is %d, the last step ended at %d: %w", end, p.last.Seq, ErrCorrupt)
	}
	return nil
}

// putEntry adds an outbox entry, key and value written in place.
func (b *Batch) putEntry(seq, prev int64, entry []byte) {
	op := b.raw.SetDeferred(seqKeyLen, seqLen+len(entry))
	putSeqKey(op.Key, spaceOutbox, seq)
	putInt(op.Value, prev)
	copy(op.Value[seqLen:], entry)
	b.fail(op.Finish())
}

func (b *Batch) putBoundary(at *Boundary) {
	op := b.raw.SetDeferred(seqKeyLen, boundaryLen)
	putSeqKey(op.Key, spaceSteps, at.Seq)
	putBoundary(op.Value, at)
	b.fail(op.Finish())
}

func (b *Batch) putMark(seq int64) {
	op := b.raw.SetDeferred(len(nodesKey), seqLen)
	copy(op.Key, nodesKey)
	putInt(op.Value, seq)
	b.fail(op.Finish())
}

// putDeletions adds, with every deleteEverySteps-th commit, the removal of entries that are published and whose nodes an earlier commit has
// written (E3), and of boundaries below the oldest checkpoint that counts (E4). It returns up to where entries are gone then.
func (b *Batch) putDeletions() (deleted int64) {
	p := b.p
	if p.since++; p.since < deleteEverySteps {
		return p.deleted
	}
	p.since = 0
	deleted = max(p.deleted, min(p.published.Load(), p.nodes))
	if mutant.On(mutant.OutboxEarly) {
		deleted = p.nodes
	}
	if deleted > p.deleted {
		b.deleteRange(spaceOutbox, p.deleted+1, deleted+1)
	}
	// An entry that is kept needs its boundary.
	if low := min(p.pruneTo, deleted+1); low > p.pruned {
		b.deleteRange(spaceSteps, p.pruned, low)
		p.pruned = low
	}
	return deleted
}

// deleteRange removes the seqs from (inclusive) to (exclusive) of a space.
func (b *Batch) deleteRange(space byte, from, to int64) {
	op := b.raw.DeleteRangeDeferred(seqKeyLen, seqKeyLen)
	putSeqKey(op.Key, space, from)
	putSeqKey(op.Value, space, to)
	b.fail(op.Finish())
}
