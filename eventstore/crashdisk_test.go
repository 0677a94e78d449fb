package eventstore

import (
	"math/rand/v2"
	"os"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashDisk is a file system that takes an image of itself before some of its writes.
type crashDisk struct {
	vfs.FS
	every int // one write in so many

	mu      sync.Mutex // also keeps an image from falling between the two locks that MemFS.Link takes
	rng     *rand.Rand
	images  []crashImage
	past    []*version // every version that was live, in order
	sure    int        // index of the first that may be live after a crash
	removed []removal  // since the last sync of their directories
}

// removal is a name that went and may be back after a crash. vfs.MemFS brings all of them back: here a crash may also keep a removal, of a tree
// some files without the others, and lose what was created later beside it.
type removal struct {
	path string
	to   string // of a rename: it is atomic, so the name goes only if the new one is there
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
	d.remove(fs, percent)
	d.images = append(d.images, crashImage{fs, d.sure, len(d.past), percent, before})
}

// remove lets an image forget names.
func (d *crashDisk) remove(fs *vfs.MemFS, percent int) {
	lost := func() bool { return percent > 0 && d.rng.IntN(100) < percent }
	for _, r := range d.removed {
		if r.to != "" {
			if _, err := fs.Stat(r.to); err == nil && lost() {
				_ = fs.RemoveAll(r.path)
			}
			continue
		}
		left := false
		if names, err := fs.List(r.path); err == nil { // a directory
			for _, name := range names {
				if lost() {
					_ = fs.RemoveAll(fs.PathJoin(r.path, name))
				} else {
					left = true
				}
			}
		}
		if !left && lost() {
			_ = fs.RemoveAll(r.path)
		}
	}
}

func (d *crashDisk) gone(r removal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removed = append(d.removed, r)
}

// settle forgets the removals that a sync of their directory, or a new file of that name, makes irrelevant.
func (d *crashDisk) settle(done func(r removal) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removed = slices.DeleteFunc(d.removed, done)
}

func (d *crashDisk) created(name string) { d.settle(func(r removal) bool { return r.path == name }) }

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
	d.created(name)
	f, err := d.FS.Create(name, c)
	return d.file(name, f, err)
}

func (d *crashDisk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	return d.file(name, f, err)
}

func (d *crashDisk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	d.write("reuseforwrite " + from)
	d.created(to)
	f, err := d.FS.ReuseForWrite(from, to, c)
	d.gone(removal{from, to})
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
	d.created(to)
	err := d.FS.Rename(from, to)
	d.gone(removal{from, to})
	return err
}

func (d *crashDisk) Remove(name string) error {
	d.write("remove " + name)
	err := d.FS.Remove(name)
	d.gone(removal{path: name})
	return err
}

func (d *crashDisk) RemoveAll(name string) error {
	d.write("removeall " + name)
	err := d.FS.RemoveAll(name)
	d.gone(removal{path: name})
	return err
}

func (d *crashDisk) MkdirAll(name string, mode os.FileMode) error {
	d.write("mkdirall " + name)
	d.created(name)
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
	err := f.File.Sync()
	f.d.settle(func(r removal) bool { return f.d.PathDir(r.path) == f.path })
	return err
}

func (f *crashFile) SyncData() error {
	f.d.write("sync " + f.path)
	return f.File.SyncData()
}
