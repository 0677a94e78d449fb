package eventstore

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"hongbao/schemas"
)

// TestCrash takes images of the disk at random writes of a random run, with none, some or all of what was not synced, and opens each: a batch is
// there as a whole or not at all, what was durable is there, Last, entries and nodes belong together, checkpoints hold what they were
// taken of, and the partition goes on (X2, E1, E2, E5).
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds() {
		for _, mode := range []SyncMode{SyncNever, SyncStep} {
			t.Run(fmt.Sprintf("seed=%d,sync=%v", seed, mode), func(t *testing.T) {
				t.Parallel()
				disk := &crashDisk{FS: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, 1)), every: 12}
				cfg := onMem(t, disk)
				cfg.Sync, cfg.MemTableBytes = mode, 1
				pl := newPlayer(t, seed, cfg)
				pl.started, pl.durable = disk.started, disk.durable
				disk.past = []*version{pl.now}
				pl.open()
				for range 60 {
					pl.step()
				}
				pl.close()
				for i, image := range disk.images {
					image.check(t, fmt.Sprintf("image %d of %d", i, len(disk.images)), disk.past, pl.kept)
				}
			})
		}
	}
}

// crashDisk is a file system that takes an image of itself before some of its writes.
type crashDisk struct {
	vfs.FS
	every int // one write in so many

	mu     sync.Mutex // also keeps an image from falling between the two locks that MemFS.Link takes
	rng    *rand.Rand
	images []crashImage
	past   []*version // every version that was live, in order
	sure   int        // index of the first that may be live after a crash
}

// crashImage is what a crash left, and which versions it may hold: past[from:to].
type crashImage struct {
	fs       *vfs.MemFS
	from, to int
	unsynced int    // percent of what was not synced
	before   string // the write that the crash came before
}

func (d *crashDisk) started(v *version) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.past = append(d.past, v)
}

func (d *crashDisk) durable() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sure = len(d.past) - 1
}

// write runs before each write.
func (d *crashDisk) write(before string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rng.IntN(d.every) > 0 {
		return
	}
	percent := []int{0, 20, 50, 80, 100}[d.rng.IntN(5)]
	fs := d.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: d.rng})
	d.images = append(d.images, crashImage{fs, d.sure, len(d.past), percent, before})
}

// check opens an image.
func (i crashImage) check(t *testing.T, name string, past []*version, kept map[mark][]*version) {
	t.Helper()
	name = fmt.Sprintf("%s, before %s, with %d %% of what was not synced", name, i.before, i.unsynced)
	cfg := onMem(t, i.fs)
	cfg.MemTableBytes = 1
	s := mustOpen(t, cfg)
	defer mustClose(t, s)
	p, err := s.Partition(2)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	n := liveVersion(t, p)
	at := slices.IndexFunc(past[i.from:i.to], func(v *version) bool { return v.n == n })
	if at < 0 {
		t.Fatalf("%s: version %d is live; it may be one of %d from %d on", name, n, i.to-i.from, past[i.from].n)
	}
	comparePartition(t, p, past[i.from+at])
	compareBoundaries(t, p, past[i.from+at])

	marks, err := p.home.marks()
	if err != nil {
		t.Fatal(err)
	}
	if found, err := p.Rollback(math.MaxInt64, func(int64, schemas.Hash) (bool, error) { return true, nil }); err != nil || found != (len(marks) > 0) {
		t.Fatalf("%s: rollback to one of %v: %v, %v", name, marks, found, err)
	} else if found {
		n, of := liveVersion(t, p), kept[marks[len(marks)-1]]
		at := slices.IndexFunc(of, func(v *version) bool { return v.n == n })
		if at < 0 {
			t.Fatalf("%s: the checkpoint holds version %d", name, n)
		}
		comparePartition(t, p, of[at])
	}
	commit(t, p, p.Last().Seq+1, true)
}

// liveVersion is the number that the last batch wrote; 0 when there was none.
func liveVersion(t *testing.T, p *Partition) (n int) {
	t.Helper()
	text, ok, err := p.Get(0x41, []byte(versionKey), nil)
	if ok {
		n, err = strconv.Atoi(string(text))
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What follows is vfs.FS, for the calls that change something.

func (d *crashDisk) file(path string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &crashFile{f, d, path}, nil
}

func (d *crashDisk) Unwrap() vfs.FS { return d.FS }

func (d *crashDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	d.write("create " + name)
	f, err := d.FS.Create(name, c)
	return d.file(name, f, err)
}

func (d *crashDisk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	return d.file(name, f, err)
}

func (d *crashDisk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	d.write("reuseforwrite " + from)
	f, err := d.FS.ReuseForWrite(from, to, c)
	return d.file(to, f, err)
}

func (d *crashDisk) Link(from, to string) error {
	d.write("link " + from)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.FS.Link(from, to)
}

func (d *crashDisk) Rename(from, to string) error {
	d.write("rename " + from)
	return d.FS.Rename(from, to)
}

func (d *crashDisk) Remove(name string) error {
	d.write("remove " + name)
	return d.FS.Remove(name)
}

func (d *crashDisk) RemoveAll(name string) error {
	d.write("removeall " + name)
	return d.FS.RemoveAll(name)
}

func (d *crashDisk) MkdirAll(name string, mode os.FileMode) error {
	d.write("mkdirall " + name)
	return d.FS.MkdirAll(name, mode)
}

type crashFile struct {
	vfs.File
	d    *crashDisk
	path string
}

func (f *crashFile) Write(b []byte) (int, error) {
	f.d.write("write " + f.path)
	return f.File.Write(b)
}

func (f *crashFile) Sync() error {
	f.d.write("sync " + f.path)
	return f.File.Sync()
}

func (f *crashFile) SyncData() error {
	f.d.write("sync " + f.path)
	return f.File.SyncData()
}
