package eventstore

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"hongbao/schemas"
)

// TestLoadRefuses what no commit of ours could have left, though each record by itself is well formed (E2).
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b *Batch){
		"an entry is missing in between": func(b *Batch) { b.deleteRange(spaceOutbox, 20, 21) },
		"the last entry is missing":      func(b *Batch) { b.deleteRange(spaceOutbox, 40, 41) },
		"an entry beyond the last step":  func(b *Batch) { b.putEntry(50, 40, nil) },
		"entries lost above the nodes":   func(b *Batch) { b.deleteRange(spaceOutbox, 1, 21) },
		"all entries lost":               func(b *Batch) { b.deleteRange(spaceOutbox, 1, 41) },
		"nodes beyond the last step":     func(b *Batch) { b.putMark(50) },
		"boundaries lost":                func(b *Batch) { b.deleteRange(spaceSteps, 1, math.MaxInt64) },
		"a boundary of another form": func(b *Batch) {
			key := seqKey(spaceSteps, 40)
			b.fail(b.raw.Set(key[:], []byte("?"), nil))
		},
		"a nodes mark of another form": func(b *Batch) { b.fail(b.raw.Set([]byte(nodesKey), []byte("?"), nil)) },
		"an entry of another form": func(b *Batch) {
			key := seqKey(spaceOutbox, 40)
			b.fail(b.raw.Set(key[:], []byte("?"), nil))
		},
		"a key of another form": func(b *Batch) { b.fail(b.raw.Set([]byte{spaceSteps, 0xff}, nil, nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustOpen(t, onMem(t, vfs.NewMem()))
			defer mustClose(t, s)
			p := mustPartition(t, s, 0)
			for seq := int64(10); seq <= 40; seq += 10 {
				commit(t, p, seq, seq == 10)
			}
			b := p.Begin()
			change(b)
			if err := errors.Join(b.err, p.db.Apply(b.raw, pebble.NoSync), p.Close()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Partition(0); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("open: %v, want ErrCorrupt", err)
			}
			if err := s.Discard(0); err != nil {
				t.Fatal(err)
			}
			if p = mustPartition(t, s, 0); p.Last() != (Boundary{}) {
				t.Fatalf("after Discard: %+v", p.Last())
			}
		})
	}
}

// TestCorruptionStopsItsPartitionAlone: a table goes bad under a running partition. Its calls say so, its neighbour goes on, the process lives (E6),
// and the checkpoint brings it back.
func TestCorruptionStopsItsPartitionAlone(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := mustOpen(t, onMem(t, fs)) // whose Fatal fails the test
	defer mustClose(t, s)
	p, neighbour := mustPartition(t, s, 0), mustPartition(t, s, 1)
	commit(t, p, 10, true)
	if err := p.Checkpoint(10); err != nil {
		t.Fatal(err)
	}
	b := p.Begin()
	for i := range 2000 {
		b.Set(0x41, fmt.Append(nil, i), make([]byte, 200))
	}
	if err := errors.Join(b.Commit(boundaryOf('a', 20), nil, true), p.db.Flush()); err != nil {
		t.Fatal(err)
	}
	overwrite(t, fs, p.home.path(liveName(p.live)), ".sst")

	err := p.Scan(0x41, nil, func(_, _ []byte) error { return nil })
	if !errors.Is(err, ErrCorrupt) {
		t.Fatalf("scan of a spoilt table: %v, want ErrCorrupt", err)
	}
	if err := p.Begin().Commit(boundaryOf('a', 30), nil, false); !errors.Is(err, ErrCorrupt) {
		t.Errorf("commit: %v, want ErrCorrupt", err)
	}
	commit(t, neighbour, 5, true)
	found, err := p.Rollback(20, func(int64, schemas.Hash) (bool, error) { return true, nil })
	if !found || err != nil || p.Last() != boundaryOf('a', 10) {
		t.Fatalf("rollback: %v, %v, last %d", found, err, p.Last().Seq)
	}
	commit(t, p, 11, true)
}

// TestSpoiltTableWaitsForItsReader: nobody reads tables behind the partition's back, so one that went bad is found by whoever wants
// something of it, and until then the partition works (E6).
func TestSpoiltTableWaitsForItsReader(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := mustOpen(t, onMem(t, fs))
	defer mustClose(t, s)
	p := mustPartition(t, s, 0)
	commit(t, p, 10, true)
	if err := p.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.db.Set([]byte{0x41, 1}, make([]byte, 200), nil), p.db.Flush(), p.Close()); err != nil {
		t.Fatal(err)
	}
	overwrite(t, fs, p.home.path(liveName(p.live)), newestTable(t, fs, p.home.path(liveName(p.live))))

	p = mustPartition(t, s, 0)
	for seq := int64(20); seq < 3000; seq += 10 {
		commit(t, p, seq, false)
	}
	if err := p.Scan(0x41, nil, func(_, _ []byte) error { return nil }); !errors.Is(err, ErrCorrupt) {
		t.Errorf("scan of the spoilt table: %v, want ErrCorrupt", err)
	}
}

func newestTable(t *testing.T, fs vfs.FS, dir string) string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	newest := ""
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			newest = max(newest, name)
		}
	}
	return newest
}

// overwrite changes the bytes of open files.
func overwrite(t *testing.T, fs vfs.FS, dir, suffix string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		if !strings.HasSuffix(name, suffix) {
			continue
		}
		f, err := fs.OpenReadWrite(fs.PathJoin(dir, name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, info.Size()), 0); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		n++
	}
	if n == 0 {
		t.Fatalf("no %s in %s", suffix, dir)
	}
}
