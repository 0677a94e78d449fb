package eventstore

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS sees each write before Pebble does (E6). Pebble meets a failed write in many ways: Fatalf in a commit, a retry in a background flush, and
// while it rotates its log a panic under a mutex, which no recover survives. Here the process ends in one way, with one sentence.
//
// It also closes a gap of Pebble's (E5): a new manifest is created, a marker that names it is created, the marker before is removed, and only
// then is the directory synced. A disk that keeps the order of such changes, as ext4 and XFS do, shows nothing; one that does not may
// keep a marker without its manifest, or no marker: then Pebble begins an empty database over the old logs. So the directory is synced
// after the first of the three and before the last.
type guardFS struct {
	vfs.FS
	failed func(operation, path string, err error)
}

// check lets through what is an answer rather than a failure.
func (g *guardFS) check(operation, path string, err error) error {
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) {
		g.failed(operation, path, err)
	}
	return err
}

func (g *guardFS) file(operation, path string, f vfs.File, err error) (vfs.File, error) {
	if g.check(operation, path, err) != nil {
		return nil, err
	}
	return &guardFile{File: f, fs: g, path: path}, nil
}

// Unwrap is part of vfs.FS.
func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// Create is part of vfs.FS.
func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, c)
	if f, err = g.file("create", name, f, err); err != nil {
		return nil, err
	}
	if strings.HasPrefix(g.PathBase(name), "MANIFEST-") {
		err = syncDir(g, g.PathDir(name))
	}
	return f, err
}

// Remove is part of vfs.FS.
func (g *guardFS) Remove(name string) error {
	if strings.HasPrefix(g.PathBase(name), "marker.") {
		if err := syncDir(g, g.PathDir(name)); err != nil {
			return err
		}
	}
	return g.FS.Remove(name)
}

// OpenReadWrite is part of vfs.FS.
func (g *guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := g.FS.OpenReadWrite(name, c, opts...)
	return g.file("open", name, f, err)
}

// OpenDir is part of vfs.FS: a directory is opened to be synced.
func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	return g.file("open", name, f, err)
}

// ReuseForWrite is part of vfs.FS.
func (g *guardFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(from, to, c)
	return g.file("reuse", to, f, err)
}

// MkdirAll is part of vfs.FS.
func (g *guardFS) MkdirAll(dir string, mode os.FileMode) error {
	return g.check("make", dir, g.FS.MkdirAll(dir, mode))
}

// Lock is part of vfs.FS. A lock that somebody holds is an answer; a lock file that cannot be made is a failure.
func (g *guardFS) Lock(name string) (io.Closer, error) {
	lock, err := g.FS.Lock(name)
	if _, ok := errors.AsType[*os.PathError](err); ok {
		err = g.check("lock", name, err)
	}
	return lock, err
}

// Rename is part of vfs.FS.
func (g *guardFS) Rename(from, to string) error { return g.check("rename", to, g.FS.Rename(from, to)) }

type guardFile struct {
	vfs.File
	fs   *guardFS
	path string
}

// Write is part of vfs.File.
func (f *guardFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.fs.check("write", f.path, err)
}

// WriteAt is part of vfs.File.
func (f *guardFile) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
	return n, f.fs.check("write", f.path, err)
}

// Sync is part of vfs.File.
func (f *guardFile) Sync() error { return f.fs.check("sync", f.path, f.File.Sync()) }

// SyncData is part of vfs.File.
func (f *guardFile) SyncData() error { return f.fs.check("sync", f.path, f.File.SyncData()) }

// SyncTo is part of vfs.File.
func (f *guardFile) SyncTo(length int64) (full bool, err error) {
	full, err = f.File.SyncTo(length)
	return full, f.fs.check("sync", f.path, err)
}

// Close is part of vfs.File: a late write error may show here.
func (f *guardFile) Close() error { return f.fs.check("close", f.path, f.File.Close()) }
