package eventstore

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"hongbao/schemas"
)

// TestTranscripts plays the files of testdata/eventstore: what a worker says to its partition, and what it hears.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, "../testdata/eventstore", func(t *testing.T, path string) {
		s := &stage{t: t, fs: vfs.NewCrashableMem()}
		datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string {
			s.out.Reset()
			s.play(d)
			return s.out.String()
		})
		if s.store != nil {
			mustClose(t, s.store)
		}
	})
}

// stage is one store with one partition in use.
type stage struct {
	t     *testing.T
	fs    *vfs.MemFS
	store *Store
	p     *Partition
	out   strings.Builder
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *stage) play(d *datadriven.TestData) {
	var err error
	switch d.Cmd {
	case "open":
		err = s.open(d)
	case "close":
		err = s.store.Close()
		s.store = nil
	case "crash": // everything that no fsync has put on the disk is gone
		fs := s.fs.CrashClone(vfs.CrashCloneCfg{})
		mustClose(s.t, s.store)
		s.fs, s.store = fs, nil
	case "spoil":
		s.spoil(d)
	case "discard":
		err = s.store.Discard(0)
	case "commit", "nodes", "restore":
		err = s.commit(d)
	case "published":
		s.p.Published(arg(s.t, d, "seq"))
	case "show":
		err = s.show(d)
	case "entries":
		err = s.entries(arg(s.t, d, "above"))
	case "checkpoint":
		err = s.p.Checkpoint(arg(s.t, d, "committed"))
	case "rollback":
		err = s.rollback(d)
	case "reset":
		err = s.p.Reset()
	case "list":
		err = s.list()
	default:
		d.Fatalf(s.t, "unknown command %s", d.Cmd)
	}
	if err != nil {
		s.say("error: %s", kind(err))
	}
}

func arg(t *testing.T, d *datadriven.TestData, key string) (n int64) {
	d.ScanArgs(t, key, &n)
	return n
}

// kind is the sentinel of an error, and the sentence of one that has none: Pebble's sentences are not ours to keep.
func kind(err error) string {
	for _, e := range []error{ErrCorrupt, ErrGap, ErrClosed, ErrRefused, ErrLocked, ErrFatal} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return err.Error()
}

func (s *stage) open(d *datadriven.TestData) (err error) {
	cfg := onMem(s.t, s.fs)
	if d.HasArg("sync") {
		var mode string
		d.ScanArgs(s.t, "sync", &mode)
		if cfg.Sync, err = ParseSyncMode(mode); err != nil {
			return err
		}
	}
	if s.store == nil {
		if s.store, err = Open(cfg); err != nil {
			return err
		}
	}
	s.p, err = s.store.Partition(0)
	return err
}

// commit reads lines `set key value`, `delete key` and `boundary seq` into a batch.
func (s *stage) commit(d *datadriven.TestData) error {
	history := "a"
	if d.HasArg("history") {
		d.ScanArgs(s.t, "history", &history)
	}
	b := s.p.Begin()
	for line := range strings.Lines(d.Input) {
		switch w := strings.Fields(line); w[0] {
		case "set":
			b.Set(0x40, []byte(w[1]), []byte(w[2]))
		case "delete":
			b.Delete(0x40, []byte(w[1]))
		case "boundary":
			var seq int64
			fmt.Sscan(w[1], &seq)
			b.Boundary(boundaryOf(history[0], seq))
		}
	}
	switch d.Cmd {
	case "nodes":
		return b.CommitNodes()
	case "restore":
		return b.CommitRestored()
	}
	seq := arg(s.t, d, "seq")
	times := int64(1)
	if d.HasArg("times") {
		times = arg(s.t, d, "times")
	}
	for i := range times {
		if i > 0 {
			b = s.p.Begin()
		}
		if err := b.Commit(boundaryOf(history[0], seq+i), fmt.Append(nil, "entry of ", seq+i), d.HasArg("nodes")); err != nil {
			return err
		}
	}
	return nil
}

// show tells where the partition stands, what it holds and which boundaries it knows.
func (s *stage) show(d *datadriven.TestData) error {
	last := s.p.Last()
	s.say("last %d %s, nodes %d", last.Seq, name(last.Hash), s.p.NodesSeq())
	if d.HasArg("boundaries") {
		var known []string
		for seq := range last.Seq + 1 {
			h, ok, err := s.p.BoundaryHash(seq)
			if err != nil {
				return err
			}
			if ok {
				known = append(known, fmt.Sprint(seq, " ", name(h)))
			}
		}
		s.say("boundaries: %s", strings.Join(known, ", "))
	}
	return s.p.Scan(0x40, nil, func(key, value []byte) error {
		s.say("%s = %s", key, value)
		return nil
	})
}

// name makes a test's hash readable: its history.
func name(h schemas.Hash) string {
	if h == (schemas.Hash{}) {
		return "-"
	}
	return string(h[0])
}

func (s *stage) entries(above int64) error {
	return s.p.Entries(above, func(at Boundary, entry []byte) error {
		s.say("%d %s: %s", at.Seq, name(at.Hash), entry)
		return nil
	})
}

// rollback to=SEQ accept=LETTERS: checkpoints of these histories stand in facts.
func (s *stage) rollback(d *datadriven.TestData) error {
	var accept string
	d.ScanArgs(s.t, "accept", &accept)
	found, err := s.p.Rollback(arg(s.t, d, "to"), func(seq int64, hash schemas.Hash) (bool, error) {
		s.say("asked for %d %s", seq, name(hash))
		if accept == "error" {
			return false, errors.New("facts cannot be read")
		}
		return strings.Contains(accept, name(hash)), nil
	})
	s.say("found %v", found)
	return err
}

// list shows the partition's directory.
func (s *stage) list() error {
	names, err := s.fs.List("data/p000")
	slices.Sort(names)
	for _, n := range names {
		if m, ok := parseMarkName(n); ok {
			n = fmt.Sprintf("checkpoint %d %s", m.Seq, name(m.Hash))
		}
		s.say("%s", n)
	}
	return err
}

// spoil breaks files: of the live directory, or of the checkpoint of a seq.
func (s *stage) spoil(d *datadriven.TestData) {
	var suffix string
	d.ScanArgs(s.t, "files", &suffix)
	h := home{fs: s.fs, dir: "data/p000"}
	dir, err := h.prepare()
	if err != nil {
		s.t.Fatal(err)
	}
	path := h.path(liveName(dir))
	if d.HasArg("checkpoint") {
		seq := arg(s.t, d, "checkpoint")
		path = h.path(mark{seq, hashOf('a', seq)}.name())
	}
	s.say("%d files spoiled", spoil(s.t, s.fs, path, suffix))
}

// spoil overwrites the middle of the files whose names contain a word.
func spoil(t *testing.T, fs vfs.FS, dir, word string) (n int) {
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.Contains(name, word) {
			continue
		}
		path := fs.PathJoin(dir, name)
		text := readFile(t, fs, path)
		for i := len(text) / 4; i < len(text)*3/4; i++ {
			text[i] ^= 0x55
		}
		if len(text) > 0 {
			n++
		}
		if err := writeSmall(fs, dir, name, text); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func readFile(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return text
}
