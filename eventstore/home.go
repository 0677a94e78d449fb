package eventstore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"hongbao/internal/crashpoint"
	"hongbao/schemas"
)

// home is the directory of one partition. Everything that counts in it got its name by one rename (E5).
type home struct {
	fs  vfs.FS
	dir string
}

// mark is a checkpoint as its directory's name tells it.
type mark struct {
	Seq  int64
	Hash schemas.Hash
}

const (
	livePrefix       = "live-"
	checkpointPrefix = "at-"
	tmpPrefix        = "tmp-"
)

func partitionDir(p int32) string { return fmt.Sprintf("p%03d", p) }

func isPartitionDir(name string) bool {
	n, err := strconv.ParseInt(strings.TrimPrefix(name, "p"), 10, 32)
	return err == nil && name == partitionDir(int32(n))
}

func liveName(n int64) string { return fmt.Sprintf("%s%06d", livePrefix, n) }

func parseLive(name string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimPrefix(name, livePrefix), 10, 64)
	return n, err == nil && n > 0 && name == liveName(n)
}

// name is the mark's directory: names sort as seqs do.
func (m mark) name() string { return fmt.Sprintf("%s%019d-%x", checkpointPrefix, m.Seq, m.Hash) }

func parseMarkName(name string) (m mark, ok bool) {
	seq, hash, _ := strings.Cut(strings.TrimPrefix(name, checkpointPrefix), "-")
	n, err := strconv.ParseInt(seq, 10, 64)
	raw, herr := hex.DecodeString(hash)
	if err != nil || herr != nil || len(raw) != len(m.Hash) {
		return mark{}, false
	}
	m.Seq = n
	copy(m.Hash[:], raw)
	return m, n > 0 && m.name() == name
}

func (h home) path(name string) string { return h.fs.PathJoin(h.dir, name) }

// prepare makes the directory, sweeps what a crash left, and names the live directory; 0 when there is none yet.
func (h home) prepare() (live int64, err error) {
	if err := h.fs.MkdirAll(h.dir, dirMode); err != nil {
		return 0, err
	}
	if err := syncDir(h.fs, h.fs.PathDir(h.dir)); err != nil {
		return 0, err
	}
	names, err := h.fs.List(h.dir)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if n, ok := parseLive(name); ok {
			live = max(live, n)
		}
	}
	return live, h.sweep(live)
}

// sweep removes half-built directories and live ones below the newest.
func (h home) sweep(live int64) error {
	names, err := h.fs.List(h.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		n, old := parseLive(name)
		if (old && n < live) || strings.HasPrefix(name, tmpPrefix) {
			if err := h.fs.RemoveAll(h.path(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// build fills a temporary directory and gives it its name, which must be new.
func (h home) build(name string, fill func(tmp string) error) error {
	tmp := h.path(tmpPrefix + name)
	if err := h.fs.RemoveAll(tmp); err != nil {
		return err
	}
	if err := fill(tmp); err != nil {
		return errors.Join(err, h.fs.RemoveAll(tmp))
	}
	if err := h.fs.Rename(tmp, h.path(name)); err != nil {
		return err
	}
	crashpoint.Hit("store.renamed")
	return syncDir(h.fs, h.dir)
}

// empty is a fill for a live directory in which Pebble begins anew.
func (h home) empty(tmp string) error {
	if err := h.fs.MkdirAll(tmp, dirMode); err != nil {
		return err
	}
	return syncDir(h.fs, tmp)
}

// clone is a fill with a checkpoint's content.
func (h home) clone(name string) func(tmp string) error { return h.copyOf(h.path(name)) }

// copyOf is a fill with what a directory of Pebble's holds that nobody writes to. Tables are immutable and linked; the rest is copied, so that a checkpoint never
// depends on what Pebble does to a log or a manifest later. ErrCorrupt: a file cannot be read; guardFS has ended the process if it was the copy that could not be written.
func (h home) copyOf(dir string) func(tmp string) error {
	return func(tmp string) error {
		if err := h.empty(tmp); err != nil {
			return err
		}
		names, err := h.fs.List(dir)
		if err != nil {
			return err
		}
		for _, file := range names {
			from, to := h.fs.PathJoin(dir, file), h.fs.PathJoin(tmp, file)
			if strings.HasSuffix(file, ".sst") {
				err = vfs.LinkOrCopy(h.fs, from, to)
			} else if file != lockFile {
				_, err = vfs.Clone(h.fs, h.fs, from, to, vfs.CloneSync)
			}
			if err != nil {
				return fmt.Errorf("copy %s: %w: %w", from, ErrCorrupt, err)
			}
		}
		return syncDir(h.fs, tmp)
	}
}

// remove takes a directory's name away before its content, so that no half of it ever counts.
func (h home) remove(name string) error {
	tmp := h.path(tmpPrefix + name)
	if err := h.fs.RemoveAll(tmp); err != nil {
		return err
	}
	if err := h.fs.Rename(h.path(name), tmp); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := syncDir(h.fs, h.dir); err != nil {
		return err
	}
	return h.fs.RemoveAll(tmp)
}

// marks lists the checkpoints, oldest first.
func (h home) marks() ([]mark, error) {
	names, err := h.fs.List(h.dir)
	if err != nil {
		return nil, err
	}
	var out []mark
	for _, name := range names {
		if m, ok := parseMarkName(name); ok {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b mark) int { return strings.Compare(a.name(), b.name()) })
	return out, nil
}
