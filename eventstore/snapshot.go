package eventstore

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// Snapshot is a partition as it stood, for queries, readable from any goroutine, one call at a time. The partition's Close, Rollback and Reset
// end it: its calls then answer ErrClosed. Close it soon: it keeps old tables on the disk.
type Snapshot struct {
	p    *Partition
	stop atomic.Bool // a Scan gives way

	mu    sync.Mutex
	snap  *pebble.Snapshot // nil once ended
	last  Boundary
	nodes int64
}

// Snapshot takes one. At most 64 may be open per partition (X9).
func (p *Partition) Snapshot() (*Snapshot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return nil, err
	}
	if len(p.snapshots) >= snapshotsMax {
		return nil, fmt.Errorf("eventstore: partition %d: %d snapshots are open: the limit", p.n, len(p.snapshots))
	}
	s := &Snapshot{p: p, snap: p.db.NewSnapshot()}
	var err error
	if s.last, err = readLast(s.snap); err == nil {
		s.nodes, err = readMark(s.snap)
	}
	if err != nil {
		s.end()
		return nil, p.wrap("take a snapshot", err)
	}
	p.snapshots[s] = struct{}{}
	return s, nil
}

// Last is the last step in the snapshot.
func (s *Snapshot) Last() Boundary { return s.last }

// NodesSeq says up to which step the snapshot shows nodes.
func (s *Snapshot) NodesSeq() int64 { return s.nodes }

// Get is Partition.Get.
func (s *Snapshot) Get(space byte, key, dst []byte) (value []byte, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snap == nil {
		return dst[:0], false, ErrClosed
	}
	value, ok, err = get(s.snap, append([]byte{space}, key...), dst)
	return value, ok, s.p.wrap("read a snapshot", err)
}

// Scan is Partition.Scan. fn must not wait for anybody: a Close of the partition waits for it.
func (s *Snapshot) Scan(space byte, prefix []byte, fn func(key, value []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snap == nil {
		return ErrClosed
	}
	return s.p.wrap("scan a snapshot", scan(s.snap, space, prefix, &s.stop, fn))
}

// Close gives the snapshot back. A second Close does nothing.
func (s *Snapshot) Close() {
	s.p.mu.Lock()
	delete(s.p.snapshots, s)
	s.p.mu.Unlock()
	s.end()
}

// end closes Pebble's snapshot after the call that is using it.
func (s *Snapshot) end() {
	s.stop.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snap != nil {
		_ = s.snap.Close() // it has no error to give
		s.snap = nil
	}
}
