package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"hongbao/internal/crashpoint"
)

// Store is a data directory held by this process. Its methods may be called from any goroutine.
type Store struct {
	cfg   Config
	id    identity
	fs    vfs.FS
	lock  io.Closer
	disk  io.Closer // watches for a slow disk; nil on a given FS
	cache *pebble.Cache
	files *pebble.FileCache
	log   *slog.Logger

	failed atomic.Pointer[error] // the error that Config.Fatal was called with

	mu     sync.Mutex
	open   map[int32]*Partition // nil while it is being opened
	closed bool

	busy sync.WaitGroup     // partitions that are being opened or discarded
	stop context.CancelFunc // ends the syncer
	done sync.WaitGroup
}

// Open takes the data directory for this process, creating it when missing. Errors: ErrLocked, ErrRefused, or the system's.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.defaults()
	s := &Store{cfg: cfg, fs: cfg.FS, log: cfg.Logger, open: make(map[int32]*Partition)}
	if err := s.claim(); err != nil {
		return nil, err
	}
	// Pebble takes its memtables out of the cache: without their share it would hold no blocks.
	s.cache = pebble.NewCache(cfg.CacheBytes + memTablesQueued*cfg.MemTableBytes)
	s.files = pebble.NewFileCache(runtime.GOMAXPROCS(0), openFilesMax)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if cfg.Sync == SyncInterval {
		s.done.Go(func() { s.syncLoop(ctx) })
	}
	return s, nil
}

// claim makes the directory, locks it and learns its identity.
func (s *Store) claim() error {
	if s.fs == nil {
		s.fs = vfs.Default
	}
	if s.cfg.Partitions > 0 {
		if err := s.fs.MkdirAll(s.cfg.Dir, dirMode); err != nil {
			return fmt.Errorf("eventstore: make the data directory: %w", err)
		}
	}
	if s.cfg.FS == nil {
		// One name for one directory: the system's lock does not keep a process out of what it holds itself under another name.
		dir, err := filepath.Abs(s.cfg.Dir)
		if err == nil {
			dir, err = filepath.EvalSymlinks(dir)
		}
		if err != nil {
			return fmt.Errorf("eventstore: find the data directory %s: %w", s.cfg.Dir, err)
		}
		s.cfg.Dir = dir
	}
	lock, err := lockDir(s.fs, s.cfg.Dir)
	if err != nil {
		return err
	}
	names, err := s.fs.List(s.cfg.Dir)
	if err == nil {
		err = syncDir(s.fs, s.fs.PathDir(s.cfg.Dir))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("eventstore: read the data directory: %w", err), lock.Close())
	}
	if s.id, err = claimIdentity(s.fs, &s.cfg, names); err != nil {
		return errors.Join(err, lock.Close())
	}
	s.lock = lock
	if s.cfg.FS == nil {
		s.fs, s.disk = vfs.WithDiskHealthChecks(s.fs, diskSlowAfter, nil, func(i vfs.DiskSlowInfo) {
			s.log.Warn("disk is slow", "path", i.Path, "operation", i.OpType.String(), "for", i.Duration)
		})
	}
	s.fs = &guardFS{FS: s.fs, failed: func(operation, path string, err error) {
		_ = s.fatal(fmt.Errorf("%s %s: %w", operation, path, err))
	}}
	return nil
}

// ID is the store id: 32 hex digits, random, born with the data directory (X1).
func (s *Store) ID() string { return s.id.ID }

// Partitions is the partition count that the data directory was made for.
func (s *Store) Partitions() int32 { return s.id.Partitions }

// Partition opens a partition's directory, empty when it is new. The caller is its one user until Close. ErrCorrupt: what is there cannot be
// used; Discard it and open again.
func (s *Store) Partition(p int32) (*Partition, error) {
	if err := s.reserve(p); err != nil {
		return nil, err
	}
	defer s.busy.Done()
	part, err := s.openPartition(p)
	if err != nil {
		s.release(p)
		return nil, fmt.Errorf("eventstore: open partition %d: %w", p, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[p] = part
	return part, nil
}

// Discard throws away the live state of a partition that is not open. Its checkpoints stay: after Partition, ask Rollback, then fold from facts.
func (s *Store) Discard(p int32) error {
	if err := s.reserve(p); err != nil {
		return err
	}
	defer s.busy.Done()
	defer s.release(p)
	crashpoint.Hit("store.discard.before")
	h := s.home(p)
	live, err := h.prepare()
	if err == nil {
		err = h.build(liveName(live+1), h.empty)
	}
	if err == nil {
		err = h.sweep(live + 1)
	}
	crashpoint.Hit("store.discard.after")
	if err != nil {
		return s.fatal(fmt.Errorf("eventstore: discard partition %d: %w", p, err))
	}
	return nil
}

func (s *Store) home(p int32) home {
	return home{fs: s.fs, dir: s.fs.PathJoin(s.cfg.Dir, partitionDir(p))}
}

// reserve claims the place of p among the open partitions.
func (s *Store) reserve(p int32) error {
	if p < 0 || p >= s.id.Partitions {
		return fmt.Errorf("eventstore: partition %d of %d", p, s.id.Partitions)
	}
	if err := s.dead(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if _, ok := s.open[p]; ok {
		return fmt.Errorf("eventstore: partition %d is open already: it has one worker", p)
	}
	s.open[p] = nil
	s.busy.Add(1)
	return nil
}

func (s *Store) release(p int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, p)
}

// partitions are those that are open now.
func (s *Store) partitions() []*Partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := make([]*Partition, 0, len(s.open))
	for _, p := range s.open {
		if p != nil {
			parts = append(parts, p)
		}
	}
	return parts
}

// Close closes the partitions that are still open, syncs what they hold, and gives the data directory back. Workers must have stopped.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.busy.Wait()
	s.stop()
	s.done.Wait()
	var errs []error
	for _, p := range s.partitions() {
		errs = append(errs, p.Close())
	}
	s.files.Unref()
	s.cache.Unref()
	if s.disk != nil {
		errs = append(errs, s.disk.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// syncLoop is SyncInterval: what was committed before a tick is on the disk soon after it.
func (s *Store) syncLoop(ctx context.Context) {
	tick := time.NewTicker(s.cfg.SyncEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, p := range s.partitions() {
			p.sync()
		}
	}
}

// fatal reports the first error of the disk (E6). It returns an ErrFatal, for the case that Config.Fatal returns.
func (s *Store) fatal(err error) error {
	err = fmt.Errorf("%w: %w", ErrFatal, err)
	if !s.failed.CompareAndSwap(nil, &err) {
		return *s.failed.Load()
	}
	s.log.Error("the disk failed, the process must end", "error", err)
	if s.cfg.Fatal == nil {
		os.Exit(1) //nolint:forbidigo // a disk that failed must not be used again, even where nobody has set Fatal
	}
	s.cfg.Fatal(err)
	return err
}

func (s *Store) dead() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}
