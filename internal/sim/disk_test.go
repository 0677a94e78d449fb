//go:build synctests

package sim

import (
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"hongbao/eventstore"
)

// disk is the file system of one life of a process, which can be made to fail.
type disk struct {
	vfs.FS
	s    *sim
	dead func(error) // what ends the process
	mu   sync.Mutex
	left int // writes or syncs until it fails; negative: never
	kind string
}

func newDisk(s *sim, m *eventstore.Memory) *disk { return &disk{FS: m.FS(), s: s, left: -1} }

// failAfter lets the nth of the next writes (disk full) or syncs (failed sync) fail.
func (d *disk) failAfter(n int, kind string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left, d.kind = n, kind
}

func (d *disk) mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = -1
}

func (d *disk) fails(kind string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left < 0 || d.kind != kind {
		return nil
	}
	if d.left > 0 {
		d.left--
		return nil
	}
	d.left = -1 // it has ended the process, and what is left of that would try for ever
	d.s.hit(kind)
	if kind == "disk full" {
		return syscall.ENOSPC
	}
	return syscall.EIO
}

func (d *disk) file(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &diskFile{f, d, !survives(d.FS.PathBase(name))}, nil
}

// survives says that Pebble goes on after an error of this file: a table is written again, and what is hongbao's own it does not know. Of others it
// panics, or it closes what its own compactions still use: it rests on the process having ended, which here it has not.
func survives(base string) bool {
	for _, own := range []string{".log", ".dbtmp", "MANIFEST-", "OPTIONS-", "marker."} {
		if strings.Contains(base, own) {
			return false
		}
	}
	return true
}

func (d *disk) opened(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) { return d.file(name, f, err) }
}

// Unwrap is part of vfs.FS.
func (d *disk) Unwrap() vfs.FS { return d.FS }

// Create is part of vfs.FS.
func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.opened(name)(d.FS.Create(name, c))
}

// OpenReadWrite is part of vfs.FS.
func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return d.opened(name)(d.FS.OpenReadWrite(name, c, opts...))
}

// ReuseForWrite is part of vfs.FS.
func (d *disk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.opened(to)(d.FS.ReuseForWrite(from, to, c))
}

// OpenDir is part of vfs.FS.
func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &diskFile{f, d, true}, nil
}

type diskFile struct {
	vfs.File
	d    *disk
	ends bool // an error of it ends the process here, before hongbao's own guard does
}

// fails is the disk's error.
func (f *diskFile) fails(kind string) error {
	err := f.d.fails(kind)
	if err != nil && f.ends {
		f.d.dead(err)
		return nil
	}
	return err
}

// Write is part of vfs.File.
func (f *diskFile) Write(b []byte) (int, error) {
	if err := f.fails("disk full"); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

// Sync is part of vfs.File.
func (f *diskFile) Sync() error {
	if err := f.fails("failed sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

// SyncData is part of vfs.File.
func (f *diskFile) SyncData() error {
	if err := f.fails("failed sync"); err != nil {
		return err
	}
	return f.File.SyncData()
}

// flip turns one bit of one table or log of a partition.
func flip(m *eventstore.Memory, rng *rand.Rand) bool {
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
		return false
	}
	path := files[rng.IntN(len(files))]
	f, err := fs.Open(path)
	if err != nil {
		return false
	}
	b, err := io.ReadAll(f)
	_ = f.Close()
	if err != nil || len(b) == 0 {
		return false
	}
	b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
	if f, err = fs.Create(path, vfs.WriteCategoryUnspecified); err != nil {
		return false
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	_ = f.Close()
	return err == nil
}
