package eventstore

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
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
				playAndCrash(t, seed, mode)
			})
		}
	}
}

// playAndCrash plays a random run, takes images on the way and opens each. It says how many there were.
func playAndCrash(t *testing.T, seed uint64, mode SyncMode) int {
	t.Helper()
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
	return len(disk.images)
}

// TestTornLog cuts the log after any byte, as a crash may: a step is there with all it changed or not at all (X2, E1).
func TestTornLog(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds() {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			disk := vfs.NewCrashableMem()
			pl := newPlayer(t, seed, onMem(t, disk)) // no flush: the log holds everything
			past := []*version{pl.now}
			pl.started = func(v *version) { past = append(past, v) }
			pl.valueMax = 20 // so that a cut often falls between two of our records
			pl.open()
			for range 20 {
				pl.commit()
				pl.publish()
			}
			pl.p.sync()
			dir := pl.p.home.path(liveName(pl.p.live))
			names, err := disk.List(dir)
			pl.must(err)
			log := names[slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, ".log") })]
			text := readFile(t, disk, disk.PathJoin(dir, log))
			for range 25 {
				fs := disk.CrashClone(vfs.CrashCloneCfg{})
				cut := pl.rng.IntN(len(text))
				pl.must(writeSmall(fs, dir, log, text[:cut]))
				image := crashImage{fs, 0, len(past), 100, "the end"}
				image.check(t, fmt.Sprintf("log of %d bytes cut after %d", len(text), cut), past, nil)
			}
			pl.close()
		})
	}
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
