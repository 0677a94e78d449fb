//go:build synctests

package sim

import (
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"hongbao/eventstore"
)

// disk is the file system of one life of a process, which can be made to fail.
type disk struct {
	vfs.FS
	l       *life
	mu      sync.Mutex
	left    int // writes or syncs until it fails; negative: never
	kind    string
	writes  int
	flipped *flipped // nil: no bit is turned
}

// wrote says how often, so that a directory shows to have changed.
func (d *disk) wrote() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writes
}

func newDisk(l *life, m *eventstore.Memory) *disk { return &disk{FS: m.FS(), l: l, left: -1} }

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
	d.l.torn.Store(true)
	d.l.of.s.torn()
	if !d.l.dead.Load() {
		d.l.of.s.hit(kind)
	}
	if kind == "disk full" {
		return syscall.ENOSPC
	}
	return syscall.EIO
}

// torn notes that what is on a disk is not what was written.
func (s *sim) torn() {
	s.hitMu.Lock()
	defer s.hitMu.Unlock()
	s.result.torn = true
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

// Open is part of vfs.FS.
func (d *disk) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.FS.Open(name, opts...)
	if err != nil || d.flipped == nil || d.flipped.path != name {
		return f, err
	}
	return &flippedFile{File: f, d: d}, nil
}

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
		f.d.l.fatal(err)
		return nil
	}
	return err
}

// Write is part of vfs.File.
func (f *diskFile) Write(b []byte) (int, error) {
	if err := f.fails("disk full"); err != nil {
		return 0, err
	}
	f.d.mu.Lock()
	f.d.writes++
	f.d.mu.Unlock()
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
