package eventstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestSwapCrash takes an image of the disk before every write of a swap, with none, some or all of what was not synced, and opens each: the
// partition is the old one or the new one, whole (E5).
func TestSwapCrash(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds() {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			disk := &crashDisk{FS: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, 1)), every: 1}
			s := mustOpen(t, onMem(t, disk))
			fill(t, s, 20)
			shadow := onMem(t, disk)
			shadow.Dir = "data/shadow"
			other := mustOpen(t, shadow)
			fill(t, other, 35)

			disk.images = nil
			if err := s.Swap(2, shadow.Dir); err != nil {
				t.Fatal(err)
			}
			images := disk.images
			ends := map[int64]int{}
			for i, image := range images {
				ends[wholeAt(t, fmt.Sprintf("image %d of %d, before %s", i, len(images), image.before), image.fs)]++
			}
			if len(images) < 20 || ends[20] == 0 || ends[35] == 0 || ends[20]+ends[35] != len(images) {
				t.Errorf("of %d images so many stand at each seq: %v; only 20 and 35 may be, and both", len(images), ends)
			}
			p := mustPartition(t, s, 2)
			if last := p.Last(); last != boundaryOf('a', 35) {
				t.Errorf("after the swap the partition stands at %+v", last)
			}
			commit(t, p, 36, true)
			mustClose(t, other)
			mustClose(t, s)
		})
	}
}

// fill commits steps up to a seq in partition 2, half of them flushed, and closes it.
func fill(t *testing.T, s *Store, to int64) {
	t.Helper()
	p := mustPartition(t, s, 2)
	for seq := int64(1); seq <= to; seq++ {
		b := p.Begin()
		b.Set(0x40, []byte("last"), fmt.Append(nil, seq))
		b.Boundary(boundaryOf('a', seq))
		if err := b.CommitRestored(); err != nil {
			t.Fatal(err)
		}
		if seq == to/2 {
			if err := p.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// wholeAt opens partition 2 of an image, sees that boundary and content agree, and says at which seq.
func wholeAt(t *testing.T, name string, fs vfs.FS) int64 {
	t.Helper()
	s := mustOpen(t, onMem(t, fs))
	defer mustClose(t, s)
	p, err := s.Partition(2)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	last := p.Last()
	value, _, err := p.Get(0x40, []byte("last"), nil)
	if err != nil || string(value) != fmt.Sprint(last.Seq) || last != boundaryOf('a', last.Seq) {
		t.Errorf("%s: the last step is %+v, the content is of %q: %v", name, last, value, err)
	}
	return last.Seq
}

// TestSwapRefusals: what cannot be swapped in leaves everything as it was.
func TestSwapRefusals(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	s := mustOpen(t, onMem(t, disk))
	defer mustClose(t, s)
	fill(t, s, 5)
	few := onMem(t, disk)
	few.Dir, few.Partitions = "few", 3
	mustClose(t, mustOpen(t, few))
	empty := onMem(t, disk)
	empty.Dir = "empty"
	mustClose(t, mustOpen(t, empty))

	for dir, words := range map[string]string{
		"nowhere": "STORE", "few": "was made for 3 partitions", "empty": "holds nothing of partition 2",
	} {
		if err := s.Swap(2, dir); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), words) {
			t.Errorf("swap of %s: %v", dir, err)
		}
	}
	p := mustPartition(t, s, 2)
	if err := s.Swap(2, "empty"); err == nil || !strings.Contains(err.Error(), "is open already") {
		t.Errorf("swap of an open partition: %v", err)
	}
	if last := p.Last(); last.Seq != 5 {
		t.Errorf("the partition stands at %+v", last)
	}
}
