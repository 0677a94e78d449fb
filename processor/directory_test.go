package processor_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"hongbao/eventstore"
	"hongbao/internal/topiclog"
	"hongbao/internal/verify"
	"hongbao/processor"
	"hongbao/schemas"
)

// boundary is where a partition's history stands, and what its state is.
type boundary struct {
	seq   int64
	state [16]byte
}

// liveStates are the states in a stopped data directory.
func (f *fleet) liveStates(dir string) []boundary {
	f.t.Helper()
	store, err := eventstore.Open(eventstore.Config{Dir: dir, Partitions: f.partitions})
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	all := make([]boundary, f.partitions)
	for p := range all {
		part, err := store.Partition(int32(p))
		if err != nil {
			f.t.Fatal(err)
		}
		state, err := processor.StateOf(part)
		if err != nil {
			f.t.Fatal(err)
		}
		all[p].seq = state.Seq()
		if all[p].state, err = state.Hash(); err != nil {
			f.t.Fatal(err)
		}
		if err := part.Close(); err != nil {
			f.t.Fatal(err)
		}
	}
	return all
}

// foldedStates are a fold of all committed facts from zero, without any store.
func (f *fleet) foldedStates() []boundary {
	f.t.Helper()
	folds := make([]*processor.Folding, f.partitions)
	for p := range folds {
		var err error
		if folds[p], err = processor.NewFolding(); err != nil {
			f.t.Fatal(err)
		}
	}
	err := f.topics.Read(f.t.Context(), schemas.TopicFacts, topiclog.ReadOptions{}, func(r *topiclog.Record) error {
		return folds[r.Partition].Fold(r)
	})
	if err != nil {
		f.t.Fatal(err)
	}
	all := make([]boundary, f.partitions)
	for p, fold := range folds {
		all[p].seq = fold.State.Seq()
		if all[p].state, err = fold.State.Hash(); err != nil {
			f.t.Fatal(err)
		}
	}
	return all
}

// sameStates compares a stopped directory with a fold from zero, and the log's ends with what they were.
func (f *fleet) sameStates(dir string, before *verify.Report) {
	f.t.Helper()
	live, folded, now := f.liveStates(dir), f.foldedStates(), f.report()
	for p := range live {
		if live[p] != folded[p] {
			f.t.Errorf("partition %d: seq %d, state %x; folded from zero: seq %d, state %x", p, live[p].seq, live[p].state, folded[p].seq, folded[p].state)
		}
		if before != nil && now.Partitions[p] != before.Partitions[p] {
			f.t.Errorf("partition %d ends with %+v, before it was %+v", p, now.Partitions[p], before.Partitions[p])
		}
	}
}

// foreign makes a data directory whose partitions hold steps that no fact log has.
func (f *fleet) foreign(dir string) {
	f.t.Helper()
	store, err := eventstore.Open(eventstore.Config{Dir: dir, Partitions: f.partitions})
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	for p := range f.partitions {
		part, err := store.Partition(p)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, seq := range []int64{1, 3, 40} {
			b := part.Begin()
			b.Set(0x40, []byte("of another"), []byte("history"))
			if err := b.Commit(eventstore.Boundary{Seq: seq, Hash: schemas.Hash{byte(seq)}}, []byte{0, 0}, true); err != nil {
				f.t.Fatal(err)
			}
		}
		if err := part.Close(); err != nil {
			f.t.Fatal(err)
		}
	}
}

// TestDataDirectory: a lost, older, second or foreign data directory ends in the state that a fold of facts from
// zero gives, at the same seq with the same hash as before (X5e, X8).
func TestDataDirectory(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(4))
	stream := demoStreamOver(t, 4, 4)
	parts := chunks(stream, 4)
	dir, older := f.dir("a"), f.dir("older")
	round := func(dir string, more int) *verify.Report { // a run of a process under the one name
		p := f.startWith(f.config("a", dir))
		f.send(parts[more])
		f.working(4, p)
		r := f.mustVerify()
		f.end("a")
		return r
	}
	round(dir, 0)
	if err := os.CopyFS(older, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	before := round(dir, 1)
	f.sameStates(dir, before)

	remove := func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name string
		dir  string
		make func()
	}{
		{"removed", dir, remove},
		{"older copy", dir, func() {
			remove()
			if err := os.CopyFS(dir, os.DirFS(older)); err != nil {
				t.Fatal(err)
			}
		}},
		{"second directory", f.dir("second"), func() {}},
		{"foreign", f.dir("foreign"), func() { f.foreign(f.dir("foreign")) }},
	}
	for _, c := range cases {
		c.make()
		p := f.startWith(f.config("a", c.dir))
		f.working(4, p)
		f.end("a")
		t.Log(c.name)
		f.sameStates(c.dir, before)
	}
	round(f.dir("foreign"), 2)
	last := round(f.dir("second"), 3)
	f.sameStates(f.dir("second"), last)
	checkCounts(t, last, stream.Counts())
}

// refusingFS is a disk that refuses to read what has a name that begins with under.
type refusingFS struct {
	vfs.FS
	under   string
	refuses atomic.Bool
	refused atomic.Int32
}

func (r *refusingFS) refuse(op, name string) error {
	if !r.refuses.Load() || !strings.HasPrefix(name, r.under) {
		return nil
	}
	r.refused.Add(1)
	return &fs.PathError{Op: op, Path: name, Err: syscall.EACCES}
}

// List is part of vfs.FS.
func (r *refusingFS) List(dir string) ([]string, error) {
	if err := r.refuse("list", dir); err != nil {
		return nil, err
	}
	return r.FS.List(dir)
}

// Open is part of vfs.FS.
func (r *refusingFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := r.refuse("open", name); err != nil {
		return nil, err
	}
	return r.FS.Open(name, opts...)
}

// TestDirectoryRefused: a partition whose files the system does not let be read waits alone; the others of its lane go on, and
// it goes on when it is let (X5e).
func TestDirectoryRefused(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(4))
	d := f.feed()
	share := func(p int32, n int) { d.put(d.share(1, f.chainIn(p, n), f.chainIn(p, n))) }
	disk := &refusingFS{FS: vfs.Default, under: filepath.Join(f.dir("a"), "p001") + string(filepath.Separator)}
	reg := prometheus.NewRegistry()
	begin := func() *process {
		cfg := f.config("a", f.dir("a"))
		cfg.Store.FS, cfg.Lanes, cfg.Metrics = disk, 1, reg
		return f.startWith(cfg)
	}
	f.working(4, begin())
	share(0, 1)
	share(1, 1)
	f.mustVerify()
	f.end("a")

	disk.refuses.Store(true)
	reg = prometheus.NewRegistry()
	p := begin()
	share(0, 2)
	share(1, 2)
	f.await("the others to go on", func() bool {
		s := p.x.Status()
		return len(s.Working) == 3 && !slices.Contains(s.Working, 1)
	})
	for n := range 2 { // each in a step of its own
		share(0, 3+n)
		f.await("a share of another partition to be judged", func() bool { return f.report().SharesAccepted == int64(4+n) })
	}
	if n := counter(t, reg, "hongbao_lane_restarts_total"); n != 0 {
		t.Errorf("the lane began again %.0f times", n)
	}
	disk.refuses.Store(false)
	f.working(4, p)
	if r := f.mustVerify(); r.SharesAccepted != 6 {
		t.Errorf("%d shares accepted of 6", r.SharesAccepted)
	}
}

// TestDirectoryRefusedInRestore: the system refuses the new database with which a restore replaces another history's. The partition opens its directory
// again, and not what it had open, which has no database any more (X5e).
func TestDirectoryRefusedInRestore(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	d := f.feed()
	d.put(d.share(1, f.chainIn(0, 1), f.chainIn(0, 1)), d.share(1, f.chainIn(1, 1), f.chainIn(1, 1)))
	f.start("a")
	f.mustVerify()
	f.end("a")
	f.foreign(f.dir("foreign"))
	disk := &refusingFS{FS: vfs.Default, under: filepath.Join(f.dir("foreign"), "p001", "live-000002")}
	disk.refuses.Store(true)
	cfg := f.config("a", f.dir("foreign"))
	cfg.Store.FS, cfg.Lanes = disk, 1
	p := f.startWith(cfg)
	f.await("the new database to be refused twice", func() bool { return disk.refused.Load() >= 2 })
	disk.refuses.Store(false)
	f.working(2, p)
	d.put(d.share(1, f.chainIn(1, 2), f.chainIn(1, 2)))
	if r := f.mustVerify(); r.SharesAccepted != 3 {
		t.Errorf("%d shares accepted of 3", r.SharesAccepted)
	}
}
