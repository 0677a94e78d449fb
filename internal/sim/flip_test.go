//go:build synctests

package sim

import (
	"io"
	"math/rand/v2"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"hongbao/eventstore"
)

// flipped is a bit of a file that was turned.
type flipped struct {
	path string
	at   int64
	read bool
}

// flippedFile counts the flip when somebody reads what was turned.
type flippedFile struct {
	vfs.File
	d  *disk
	at int64 // where Read stands
}

// Read is part of vfs.File.
func (f *flippedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.read(f.at, n)
	f.at += int64(n)
	return n, err
}

// ReadAt is part of vfs.File.
func (f *flippedFile) ReadAt(b []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(b, at)
	f.read(at, n)
	return n, err
}

func (f *flippedFile) read(from int64, n int) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	x := f.d.flipped
	if x == nil || f.d.l.dead.Load() || x.at < from || x.at >= from+int64(n) {
		return
	}
	f.d.l.torn.Store(true)
	if !x.read {
		x.read = true
		f.d.l.of.s.hit("bit flip")
	}
}

// flip turns one bit of one table or log of a partition, and says which.
func flip(m *eventstore.Memory, rng *rand.Rand) *flipped {
	fs := m.FS()
	var files []string
	var walk func(dir string)
	walk = func(dir string) {
		names, err := fs.List(dir)
		if err != nil {
			return
		}
		for _, name := range names {
			path := fs.PathJoin(dir, name)
			if strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".log") {
				files = append(files, path)
			} else if info, err := fs.Stat(path); err == nil && info.IsDir() {
				walk(path)
			}
		}
	}
	walk("data")
	if len(files) == 0 {
		return nil
	}
	path := files[rng.IntN(len(files))]
	f, err := fs.Open(path)
	if err != nil {
		return nil
	}
	b, err := io.ReadAll(f)
	_ = f.Close()
	if err != nil || len(b) == 0 {
		return nil
	}
	at := rng.IntN(len(b))
	b[at] ^= 1 << rng.IntN(8)
	if f, err = fs.Create(path, vfs.WriteCategoryUnspecified); err != nil {
		return nil
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	_ = f.Close()
	if err != nil {
		return nil
	}
	return &flipped{path: path, at: int64(at)}
}
