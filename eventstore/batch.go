package eventstore

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"hongbao/internal/crashpoint"
)

// Batch collects what one commit changes. A Partition has one, reused: Begin empties it, a Commit spends it. Keys and values are copied.
type Batch struct {
	p    *Partition
	raw  *pebble.Batch
	last Boundary // the last of those added by Boundary
	err  error    // the first mistake of a Set or Delete, answered by the commit
}

// Begin empties the partition's batch and returns it. What was not committed is dropped.
func (p *Partition) Begin() *Batch {
	if p.db != nil {
		p.batch.raw.Reset()
	}
	p.batch.last, p.batch.err = Boundary{}, p.usable()
	return &p.batch
}

// Set writes a key of a client space. A mistake is answered by the commit.
func (b *Batch) Set(space byte, key, value []byte) {
	if !b.accepts(space) {
		return
	}
	op := b.raw.SetDeferred(1+len(key), len(value))
	op.Key[0] = space
	copy(op.Key[1:], key)
	copy(op.Value, value)
	b.fail(op.Finish())
}

// Delete removes a key of a client space.
func (b *Batch) Delete(space byte, key []byte) {
	if !b.accepts(space) {
		return
	}
	op := b.raw.DeleteDeferred(1 + len(key))
	op.Key[0] = space
	copy(op.Key[1:], key)
	b.fail(op.Finish())
}

// Size is what the batch holds, in bytes. A restore commits at 1 to 2 MB: beyond half a memtable (of 6 MB by default) Pebble writes a batch out as
// it is, which costs twice the CPU.
func (b *Batch) Size() int {
	if b.raw == nil {
		return 0
	}
	return b.raw.Len()
}

func (b *Batch) accepts(space byte) bool {
	if space < ClientSpaceFirst || space > ClientSpaceLast {
		b.fail(fmt.Errorf("eventstore: partition %d: space %#x is not one of the clients' %#x to %#x", b.p.n, space, ClientSpaceFirst, ClientSpaceLast))
	}
	return b.err == nil
}

func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Commit ends a step: changes, outbox entry and boundary in one Pebble batch (X2). nodesWritten says that the batch brings the nodes up to this
// step. The step is readable at once and on the disk as Config.Sync says. After an error other than a wrong argument the partition stops.
func (b *Batch) Commit(at Boundary, entry []byte, nodesWritten bool) error {
	p := b.p
	if b.err != nil {
		return b.err
	}
	if at.Seq <= p.last.Seq {
		return fmt.Errorf("eventstore: partition %d: step ends at seq %d, the last one ended at %d (X8)", p.n, at.Seq, p.last.Seq)
	}
	b.putBoundary(&at)
	b.putEntry(at.Seq, p.last.Seq, entry)
	nodes := p.nodes
	if nodesWritten {
		nodes = at.Seq
		b.putMark(nodes)
	}
	deleted := b.putDeletions()
	crashpoint.Hit("store.commit.before")
	if err := b.apply(); err != nil {
		return err
	}
	if deleted > p.deleted {
		crashpoint.Hit("store.delete.after")
	}
	p.last, p.nodes, p.deleted = at, nodes, deleted
	crashpoint.Hit("store.commit.after")
	return nil
}

// CommitNodes writes nodes without ending a step: the batch brings them up to Last. For a write that a query or a checkpoint waits for.
func (b *Batch) CommitNodes() error {
	p := b.p
	if b.err != nil {
		return b.err
	}
	if p.last.Seq == 0 {
		return fmt.Errorf("eventstore: partition %d: nodes without a step", p.n)
	}
	b.putMark(p.last.Seq)
	deleted := b.putDeletions()
	crashpoint.Hit("store.nodes.before")
	if err := b.apply(); err != nil {
		return err
	}
	p.nodes, p.deleted = p.last.Seq, deleted
	crashpoint.Hit("store.nodes.after")
	return nil
}

// Boundary adds the end of a step that was folded from facts. Seqs rise.
func (b *Batch) Boundary(at Boundary) {
	if at.Seq <= max(b.p.last.Seq, b.last.Seq) {
		b.fail(fmt.Errorf("eventstore: partition %d: restored step ends at seq %d, the one before at %d (X8)", b.p.n, at.Seq, max(b.p.last.Seq, b.last.Seq)))
	}
	if b.err == nil {
		b.putBoundary(&at)
		b.last = at
	}
}

// CommitRestored ends a piece of a restore: the steps added by Boundary, whose facts stand in Kafka, so that there is nothing to publish, and all
// their changes, nodes too. The outbox is empty afterwards (X5e).
func (b *Batch) CommitRestored() error {
	p := b.p
	if b.err != nil {
		return b.err
	}
	at := b.last
	if at.Seq == 0 {
		return fmt.Errorf("eventstore: partition %d: restored batch without a step", p.n)
	}
	b.putMark(at.Seq)
	if p.deleted < p.last.Seq {
		b.deleteRange(spaceOutbox, p.deleted+1, p.last.Seq+1)
	}
	crashpoint.Hit("store.restored.before")
	if err := b.apply(); err != nil {
		return err
	}
	p.last, p.nodes, p.deleted = at, at.Seq, at.Seq
	crashpoint.Hit("store.restored.after")
	return nil
}

// apply hands the batch to Pebble. Pebble answers a failed write by Fatalf, and a failed log by a panic; it returns neither.
func (b *Batch) apply() (err error) {
	p := b.p
	defer func() {
		if r := recover(); r != nil {
			p.jammed = true
			err = p.store.fatal(fmt.Errorf("partition %d: commit: %v", p.n, r))
		}
	}()
	opts := pebble.NoSync
	if p.store.cfg.Sync == SyncStep {
		opts = pebble.Sync
	}
	b.err = errSpent
	_ = p.dropReader() // what it met it has told
	if err := p.db.Apply(b.raw, opts); err != nil {
		return p.store.fatal(fmt.Errorf("partition %d: commit: %w", p.n, err))
	}
	return p.store.dead()
}

// errSpent answers a second commit of the same batch.
var errSpent = errors.New("eventstore: batch is spent: call Begin")
