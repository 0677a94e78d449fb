package eventstore

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestSyncInterval: what was committed before a tick survives a crash after it; what came later may not.
func TestSyncInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := NewMemory()
		cfg := onMem(t, disk.FS())
		cfg.Sync, cfg.SyncEvery = SyncInterval, time.Second
		s := mustOpen(t, cfg)
		p := mustPartition(t, s, 0)
		commit(t, p, 1, false)
		before := disk.Crash(0, nil)
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		commit(t, p, 2, false)
		after := disk.Crash(0, nil)
		mustClose(t, s)
		closed := disk.Crash(0, nil)
		for _, tc := range []struct {
			when string
			disk *Memory
			want int64
		}{{"before the tick", before, 0}, {"after it", after, 1}, {"after Close", closed, 2}} {
			s := mustOpen(t, onMem(t, tc.disk.FS()))
			if got := mustPartition(t, s, 0).Last().Seq; got != tc.want {
				t.Errorf("crash %s: last is %d, want %d", tc.when, got, tc.want)
			}
			mustClose(t, s)
		}
	})
}

// TestCommitAllocates nothing of its own: what Pebble allocates is amortised over many steps (a memtable, a log), so a step between them shows zero.
func TestCommitAllocates(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts what all goroutines allocate
	cfg := onMem(t, vfs.NewMem())
	cfg.Partitions, cfg.MemTableBytes = 1, 512<<20
	s := mustOpen(t, cfg)
	defer mustClose(t, s)
	p := mustPartition(t, s, 0)
	entry, key, value := make([]byte, 4000), make([]byte, 16), make([]byte, 100)
	rng := rand.New(rand.NewPCG(1, 1))
	var at Boundary
	step := func() {
		b := p.Begin()
		for range 20 {
			key[3] = byte(rng.Uint32())
			b.Set(0x40, key, value)
			key[4] = byte(rng.Uint32())
			b.Delete(0x41, key)
		}
		at.Seq += 500
		if err := b.Commit(at, entry, true); err != nil {
			t.Fatal(err)
		}
		p.Published(at.Seq - 2000)
	}
	for range 500 {
		step() // memtables double up to their size
	}
	if n := testing.AllocsPerRun(200, step); n != 0 {
		t.Errorf("%v allocations a commit, want 0", n)
	}
	buf := make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(200, func() {
		if _, _, err := p.Get(0x40, key, buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a get, want 0", n)
	}
}
