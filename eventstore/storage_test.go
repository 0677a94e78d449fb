package eventstore

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// storageFlag asks for the numbers of `make storage`; without it the same tests are short.
var storageFlag = flag.Bool("storage", false, "play crash images, failed writes and bit flips in the numbers of make storage")

// Numbers of make storage.
const (
	storageImages = 5_000
	storageFlips  = 10_000
	flipsShort    = 400
)

func sumOf(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// TestCrashImages is TestCrash until there were enough images.
func TestCrashImages(t *testing.T) {
	t.Parallel()
	want := int64(100)
	if *storageFlag {
		want = storageImages
	}
	var images atomic.Int64
	var seed atomic.Uint64
	seed.Store(1000)
	t.Run("players", func(t *testing.T) {
		t.Parallel()
		for range 4 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for images.Load() < want && !t.Failed() {
					s := seed.Add(1)
					images.Add(int64(playAndCrash(t, s, []SyncMode{SyncNever, SyncStep}[s%2])))
				}
			})
		}
	})
	t.Cleanup(func() { t.Logf("storage: %d crash images, each opened", images.Load()) })
}

// TestBitFlips turns one bit of one file and opens what is left: the directory is refused, or the partition is corrupt and can be thrown away
// for facts, or it holds, to the last key, a state that was there once. One that is behind shows by (seq, hash), which X5 compares at every open.
func TestBitFlips(t *testing.T) {
	t.Parallel()
	n, seedsOf := flipsShort, 8
	if *storageFlag {
		n, seedsOf = storageFlips, 40
	}
	counts := make([]map[string]int, seedsOf)
	t.Run("seeds", func(t *testing.T) {
		t.Parallel()
		for i := range seedsOf {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				counts[i] = flipBits(t, uint64(i)+1, n/seedsOf)
			})
		}
	})
	t.Cleanup(func() {
		all := map[string]int{}
		for _, c := range counts {
			for k, v := range c {
				all[k] += v
			}
		}
		t.Logf("storage: %d bit flips: %v", sumOf(all), all)
		if all["corrupt"] == 0 || all["harmless"] == 0 || all["behind"] == 0 {
			t.Error("an outcome never came, so the test does not see what it is for")
		}
	})
}

// flipBits builds a disk once and spoils n copies of it.
func flipBits(t *testing.T, seed uint64, n int) map[string]int {
	t.Helper()
	disk := vfs.NewCrashableMem()
	cfg := onMem(t, disk)
	cfg.MemTableBytes = 1
	pl := newPlayer(t, seed, cfg)
	past := map[int]*version{0: pl.now}
	pl.started = func(v *version) { past[v.n] = v }
	pl.open()
	for range 80 {
		pl.step()
	}
	for pl.now.last.Seq == 0 {
		pl.commit()
	}
	pl.commit()
	pl.close()
	counts := map[string]int{}
	rng := rand.New(rand.NewPCG(seed, 4))
	for range n {
		fs := disk.CrashClone(vfs.CrashCloneCfg{})
		where := flip(t, fs, rng)
		counts[outcome(t, fs, past, pl.now, where)]++
	}
	return counts
}

// flip turns one bit of a file, chosen by its size.
func flip(t *testing.T, fs *vfs.MemFS, rng *rand.Rand) string {
	t.Helper()
	var names []string
	var sizes []int64
	var total int64
	var walk func(dir string)
	walk = func(dir string) {
		list, err := fs.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(list)
		for _, name := range list {
			info, err := fs.Stat(path.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.IsDir() {
				walk(path.Join(dir, name))
			} else if info.Size() > 0 {
				names, sizes = append(names, path.Join(dir, name)), append(sizes, info.Size())
				total += info.Size()
			}
		}
	}
	walk("data")
	at := rng.Int64N(total)
	i := 0
	if rng.IntN(2) == 0 { // small files in half of the cases
		i = rng.IntN(len(names))
		at = rng.Int64N(sizes[i])
	} else {
		for at >= sizes[i] {
			at -= sizes[i]
			i++
		}
	}
	text := readFile(t, fs, names[i])
	bit := rng.IntN(8)
	text[at] ^= 1 << bit
	if err := writeSmall(fs, path.Dir(names[i]), path.Base(names[i]), text); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("bit %d of byte %d of %s", bit, at, names[i])
}

// outcome opens a spoilt disk and says what came of it. A wrong value fails the test.
func outcome(t *testing.T, fs *vfs.MemFS, past map[int]*version, newest *version, where string) string {
	t.Helper()
	cfg := onMem(t, fs)
	cfg.MemTableBytes = 1
	s, err := Open(cfg)
	if errors.Is(err, ErrRefused) {
		return "refused"
	}
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	defer mustClose(t, s)
	p, err := s.Partition(2)
	var v *version
	if err == nil {
		v, err = sameAs(p, past)
	}
	switch {
	case errors.Is(err, ErrCorrupt):
		throwAway(t, s, p, newest, where)
		return "corrupt"
	case err != nil:
		t.Errorf("%s: %v", where, err)
		return "wrong"
	case v.n == newest.n:
		return "harmless"
	case v.last == newest.last:
		t.Errorf("%s: version %d of %d, and (seq, hash) do not tell", where, v.n, newest.n)
		return "silent"
	}
	return "behind"
}

// throwAway throws the partition away and fills it again as a restore from facts does: in batches that end where a step ends, up to the newest
// version, which it must hold then, to the last key, after another open too. What the facts are is the pipeline's: here they are the version.
func throwAway(t *testing.T, s *Store, p *Partition, newest *version, where string) {
	t.Helper()
	if p != nil {
		_ = p.Close() // what it could still say does not matter
	}
	if err := s.Discard(2); err != nil {
		t.Fatalf("%s: discard: %v", where, err)
	}
	if p = mustPartition(t, s, 2); p.Last() != (Boundary{}) {
		t.Fatalf("%s: after Discard: %+v", where, p.Last())
	}
	want := newest.clone()
	want.entries, want.nodes = nil, want.last.Seq
	keys, seqs := slices.Sorted(maps.Keys(want.keys)), slices.Sorted(maps.Keys(want.bounds))
	for i, seq := range seqs {
		b := p.Begin()
		for _, key := range keys[i*len(keys)/len(seqs) : (i+1)*len(keys)/len(seqs)] {
			b.Set(0x40, []byte(key), []byte(want.keys[key]))
		}
		b.Set(0x41, []byte(versionKey), fmt.Append(nil, want.n))
		at := Boundary{Seq: seq, Hash: want.bounds[seq]}
		if seq == want.last.Seq {
			at = want.last
		}
		b.Boundary(at)
		if err := b.CommitRestored(); err != nil {
			t.Fatalf("%s: restore to seq %d: %v", where, seq, err)
		}
	}
	for range 2 {
		if _, err := sameAs(p, map[int]*version{want.n: want}); err != nil {
			t.Fatalf("%s: restored: %v", where, err)
		}
		if err := p.Close(); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		p = mustPartition(t, s, 2)
	}
}

// sameAs finds the version that a partition says it holds, and holds it to every key, entry and boundary of it.
func sameAs(p *Partition, past map[int]*version) (*version, error) {
	text, ok, err := p.Get(0x41, []byte(versionKey), nil)
	if err != nil {
		return nil, err
	}
	n := 0
	if ok {
		if n, err = strconv.Atoi(string(text)); err != nil {
			return nil, err
		}
	}
	v := past[n]
	if v == nil || p.Last() != v.last || p.NodesSeq() != v.nodes {
		return nil, fmt.Errorf("version %d with last %+v and nodes %d was never there", n, p.Last(), p.NodesSeq())
	}
	got := map[string]string{}
	if err := p.Scan(0x40, nil, func(key, value []byte) error {
		got[string(key)] = string(value)
		return nil
	}); err != nil {
		return nil, err
	}
	if !maps.Equal(got, v.keys) {
		return nil, fmt.Errorf("version %d: %d keys are not the %d that it had", n, len(got), len(v.keys))
	}
	entries := map[int64]string{}
	for _, e := range v.entries {
		entries[e.seq] = e.text
	}
	above := p.deleted
	return v, p.Entries(above, func(at Boundary, entry []byte) error {
		if entries[at.Seq] != string(entry) || at.Hash != v.bounds[at.Seq] {
			return fmt.Errorf("version %d: entry %d is %q", n, at.Seq, entry)
		}
		return nil
	})
}
