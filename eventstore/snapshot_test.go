package eventstore

import (
	"errors"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestSnapshotsEndWithThePartition(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *Store, p *Partition) error{
		"close":       func(_ *Store, p *Partition) error { return p.Close() },
		"store close": func(s *Store, _ *Partition) error { return s.Close() },
		"reset":       func(_ *Store, p *Partition) error { return p.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustOpen(t, onMem(t, vfs.NewMem()))
			defer mustClose(t, s)
			p := mustPartition(t, s, 0)
			commit(t, p, 1, true)
			snap, err := p.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			commit(t, p, 2, false)
			if v, ok, err := snap.Get(0x40, []byte("last"), nil); string(v) != "1" || !ok || err != nil || snap.Last().Seq != 1 || snap.NodesSeq() != 1 {
				t.Fatalf("snapshot shows %q, %v, %v at %d, nodes %d", v, ok, err, snap.Last().Seq, snap.NodesSeq())
			}
			if err := end(s, p); err != nil {
				t.Fatal(err)
			}
			if _, _, err := snap.Get(0x40, []byte("last"), nil); !errors.Is(err, ErrClosed) {
				t.Errorf("get: %v, want ErrClosed", err)
			}
			if err := snap.Scan(0x40, nil, nil); !errors.Is(err, ErrClosed) {
				t.Errorf("scan: %v, want ErrClosed", err)
			}
			snap.Close()
			snap.Close()
		})
	}
}

// TestCloseInterruptsAScan: a revoke has 3 s (X7); a query that walks a large partition gives way at its next key.
func TestCloseInterruptsAScan(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, onMem(t, vfs.NewMem()))
	defer mustClose(t, s)
	p := mustPartition(t, s, 0)
	b := p.Begin()
	for i := range 1000 {
		b.Set(0x41, []byte{byte(i >> 8), byte(i)}, nil)
	}
	if err := b.Commit(boundaryOf('a', 1), nil, true); err != nil {
		t.Fatal(err)
	}
	snap, err := p.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var closer sync.WaitGroup
	var closeErr error
	keys := 0
	err = snap.Scan(0x41, nil, func(_, _ []byte) error {
		if keys++; keys == 1 {
			closer.Go(func() { closeErr = p.Close() })
		}
		if keys == 2 {
			t.Error("the scan went on")
		}
		for !snap.stop.Load() { // Close has reached this snapshot
		}
		return nil
	})
	closer.Wait()
	if !errors.Is(err, ErrClosed) || closeErr != nil {
		t.Fatalf("scan: %v, close: %v", err, closeErr)
	}
}

func TestSnapshotsAreBounded(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, onMem(t, vfs.NewMem()))
	defer mustClose(t, s)
	p := mustPartition(t, s, 0)
	var first *Snapshot
	for i := range snapshotsMax {
		snap, err := p.Snapshot()
		if err != nil {
			t.Fatalf("snapshot %d: %v", i, err)
		}
		if first == nil {
			first = snap
		}
	}
	if _, err := p.Snapshot(); err == nil {
		t.Fatal("one snapshot too many was given (X9)")
	}
	first.Close()
	if _, err := p.Snapshot(); err != nil {
		t.Fatal(err)
	}
}

// TestQueriesBesideTheWorker is for the race detector: a worker commits, others query, ask for stats and say what is published.
func TestQueriesBesideTheWorker(t *testing.T) {
	t.Parallel()
	cfg := onMem(t, vfs.NewMem())
	cfg.Sync, cfg.SyncEvery = SyncInterval, 1
	s := mustOpen(t, cfg)
	defer mustClose(t, s)
	p := mustPartition(t, s, 0)
	var others sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		others.Go(func() {
			for seen := int64(0); ; {
				snap, err := p.Snapshot()
				if err != nil {
					t.Error(err)
					return
				}
				if now := snap.Last().Seq; now < seen {
					t.Errorf("snapshot at %d after one at %d", now, seen)
				} else {
					seen = now
				}
				p.Published(seen)
				if st := p.Stats(); st.MemTableBytes == 0 {
					t.Error("stats without a memtable")
				}
				snap.Close()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for seq := range int64(500) {
		commit(t, p, seq+1, seq%10 == 0)
	}
	close(done)
	others.Wait()
}
