package eventstore

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"hongbao/internal/crashpoint"
	"hongbao/schemas"
)

// Partition is the state of one partition, for one worker. Only Published, Snapshot, Stats and Close may be called from other goroutines;
// Close only when the worker has stopped.
type Partition struct {
	store *Store
	n     int32
	home  home
	live  int64 // number of the live directory
	log   *slog.Logger

	db      *pebble.DB
	batch   Batch
	reader  *pebble.Iterator // what Get looks through, between two commits; nil until it is needed
	key     []byte           // scratch
	last    Boundary
	nodes   int64 // NodesSeq
	deleted int64 // entries up to here are gone
	since   int   // commits since the last deletion
	pruneTo int64 // boundaries below are to go
	pruned  int64 // boundaries below are gone

	published atomic.Int64
	stalls    atomic.Int64
	broken    atomic.Pointer[error]
	jammed    bool // Pebble panicked in a commit and holds its locks for good

	mu        sync.Mutex // guards what follows, and db against its replacement
	closed    bool
	snapshots map[*Snapshot]struct{}
}

func (s *Store) openPartition(n int32) (*Partition, error) {
	p := &Partition{
		store: s, n: n, home: s.home(n),
		log:       s.log.With("partition", n),
		snapshots: make(map[*Snapshot]struct{}),
	}
	p.batch.p = p
	live, err := p.home.prepare()
	if err != nil {
		return nil, err
	}
	if live == 0 {
		live = 1
		crashpoint.Hit("store.live.before")
		if err := p.home.build(liveName(live), p.home.empty); err != nil {
			return nil, err
		}
		crashpoint.Hit("store.live.after")
	}
	return p, p.openLive(live)
}

// openLive opens a live directory and reads where it stands. On an error nothing is open.
func (p *Partition) openLive(live int64) (err error) {
	defer func() {
		// Pebble may panic on content it did not write.
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: Pebble panicked: %v", ErrCorrupt, r)
		}
	}()
	p.broken.Store(nil)
	if err := checkManifest(p.home.fs, p.home.path(liveName(live))); err != nil {
		return classifyOpen(err)
	}
	db, err := pebble.Open(p.home.path(liveName(live)), p.options())
	if err != nil {
		return classifyOpen(err)
	}
	crashpoint.Hit("store.open.after")
	p.mu.Lock()
	p.db, p.live = db, live
	p.mu.Unlock()
	p.published.Store(0)
	p.batch.raw = db.NewBatch(pebble.WithMaxRetainedSizeBytes(batchRetainedBytes))
	if err := p.load(); err != nil {
		return errors.Join(err, p.closeDB())
	}
	return nil
}

// load reads the last boundary, the nodes mark and the outbox, and checks that they belong together (E2).
func (p *Partition) load() error {
	p.since, p.pruneTo, p.pruned = 0, 0, 0
	last, err := readLast(p.db)
	if err != nil {
		return classify(err)
	}
	p.last = last
	if p.nodes, err = readMark(p.db); err != nil {
		return classify(err)
	}
	if p.nodes > p.last.Seq {
		return fmt.Errorf("nodes are written up to seq %d, the last step ends at %d: %w", p.nodes, p.last.Seq, ErrCorrupt)
	}
	return p.loadOutbox()
}

// Last is the end of the last step committed here; zero when empty.
func (p *Partition) Last() Boundary { return p.last }

// NodesSeq says up to which step the changes of nodes are written. At open, fold the entries above it (X2).
func (p *Partition) NodesSeq() int64 { return p.nodes }

// KeptSeq says after which step the entries are kept still: those published and written, too, until a later commit deletes them.
func (p *Partition) KeptSeq() int64 { return p.deleted }

// Get appends the value of a key to dst[:0]; ok is false when there is none. It allocates nothing.
func (p *Partition) Get(space byte, key, dst []byte) (value []byte, ok bool, err error) {
	if err := p.usable(); err != nil {
		return dst[:0], false, err
	}
	if p.reader == nil {
		if p.reader, err = p.db.NewIter(readerOptions); err != nil {
			p.reader = nil
			return dst[:0], false, p.wrap("read", err)
		}
	}
	p.key = append(append(p.key[:0], space), key...)
	if !p.reader.SeekPrefixGE(p.key) {
		return dst[:0], false, p.wrap("read", p.reader.Error())
	}
	value, err = p.reader.ValueAndErr()
	return append(dst[:0], value...), err == nil, p.wrap("read", err)
}

// readerOptions make an iterator that asks the bloom filters of every level. Pebble's own Get skips those of the last, where most keys are: there a
// key that does not exist costs a block (2.4 us against 0.6), and in a batch of joins most users do not exist.
var readerOptions = &pebble.IterOptions{LowerBound: []byte{ClientSpaceFirst}, UpperBound: []byte{ClientSpaceLast + 1}, UseL6Filters: true}

// dropReader ends the iterator that Get keeps from one commit to the next.
func (p *Partition) dropReader() error {
	it := p.reader
	p.reader = nil
	if it == nil {
		return nil
	}
	return it.Close()
}

// Scan calls fn for the keys of a space that begin with prefix, in key order, without the space byte. Key and value live until fn returns.
func (p *Partition) Scan(space byte, prefix []byte, fn func(key, value []byte) error) error {
	if err := p.usable(); err != nil {
		return err
	}
	return p.wrap("scan", scan(p.db, space, prefix, nil, fn))
}

// BoundaryHash is the running hash at the end of the step whose last fact is seq; ok is false where no step ended or the boundary is no
// longer kept (X5e, X8). Seq 0 is the boundary before the first step.
func (p *Partition) BoundaryHash(seq int64) (h schemas.Hash, ok bool, err error) {
	if err := p.usable(); err != nil {
		return h, false, err
	}
	if seq == 0 {
		return h, true, nil
	}
	b, ok, err := readBoundary(p.db, seq)
	return b.Hash, ok, p.wrap("read boundary", err)
}

// usable says why the partition must not be used: closed, corrupt, or the disk failed.
func (p *Partition) usable() error {
	if err := p.store.dead(); err != nil {
		return err
	}
	if err := p.broken.Load(); err != nil {
		return *err
	}
	if p.db == nil {
		return fmt.Errorf("eventstore: partition %d: %w", p.n, ErrClosed)
	}
	return nil
}

// wrap names the partition and tells a corruption.
func (p *Partition) wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	if err = classify(err); errors.Is(err, ErrCorrupt) {
		p.corrupt(err)
	}
	return fmt.Errorf("eventstore: partition %d: %s: %w", p.n, verb, err)
}

// sync is one turn of SyncInterval. Pebble reports a failure through Fatalf.
func (p *Partition) sync() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.db == nil || p.usable() != nil {
		return
	}
	if err := p.db.LogData(nil, pebble.Sync); err != nil {
		_ = p.store.fatal(fmt.Errorf("partition %d: sync: %w", p.n, err))
	}
}

// Close ends the partition's snapshots, syncs the log and closes the directory. A second Close does nothing.
func (p *Partition) Close() error {
	p.mu.Lock()
	was := p.closed
	p.closed = true
	p.mu.Unlock()
	if was {
		return nil
	}
	defer p.store.release(p.n)
	return p.closeDB()
}

// closeDB closes the live directory, if it is open.
func (p *Partition) closeDB() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.snapshots {
		s.end()
	}
	clear(p.snapshots)
	db := p.db
	p.db = nil
	if db == nil || p.jammed {
		return nil
	}
	_ = p.dropReader() // what it met it has told
	crashpoint.Hit("store.close.before")
	if err := errors.Join(p.batch.raw.Close(), db.Close()); err != nil {
		if p.broken.Load() != nil {
			return fmt.Errorf("eventstore: close partition %d: %w", p.n, err)
		}
		return p.store.fatal(fmt.Errorf("close partition %d: %w", p.n, err))
	}
	return nil
}
