package eventstore

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestOneProcessHoldsTheDirectory(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	first := mustOpen(t, onMem(t, fs))
	id := first.ID()
	_, err := Open(onMem(t, fs))
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d on host", os.Getpid())) {
		t.Fatalf("second open: %v, want ErrLocked naming the holder", err)
	}
	mustClose(t, first)
	second := mustOpen(t, onMem(t, fs))
	defer mustClose(t, second)
	if second.ID() != id || len(id) != 2*storeIDBytes {
		t.Fatalf("store id %q after a restart, %q before (X1)", second.ID(), id)
	}
}

// TestOtherProcessIsNamed holds the lock in a child process, as a crash-only operator would meet it.
func TestOtherProcessIsNamed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildHoldsLock$")
	cmd.Env = append(os.Environ(), childTest+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("child says %q, %v", line, err)
	}
	cfg := Config{Dir: dir, Partitions: 4, Logger: quiet()}
	_, err = Open(cfg)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d on host", cmd.Process.Pid)) {
		t.Errorf("open beside process %d: %v", cmd.Process.Pid, err)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, cfg)) // the lock dies with its process
}

// TestChildHoldsLock is the child of the test above. It ends with its standard input, without Close.
func TestChildHoldsLock(t *testing.T) {
	dir := os.Getenv(childTest)
	if dir == "" {
		return // it is what another test starts
	}
	t.Parallel()
	mustOpen(t, Config{Dir: dir, Partitions: 4, Logger: quiet()})
	fmt.Println("held")
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	os.Exit(0)
}

// TestOneDirectoryUnderTwoNames would pass the system's own lock, which does not keep a process from itself.
func TestOneDirectoryUnderTwoNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, Config{Dir: dir, Partitions: 1, Logger: quiet()})
	defer mustClose(t, s)
	if _, err := Open(Config{Dir: link, Partitions: 1, Logger: quiet()}); !errors.Is(err, ErrLocked) {
		t.Fatalf("open by a link: %v, want ErrLocked", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const id = "000102030405060708090a0b0c0d0e0f"
	for _, tc := range []struct {
		name, store, partition string
		partitions             int32
		want                   string
	}{
		{"other count", "hongbao-store 1 " + id + " 16\n", "", 8, "was made for 16 partitions, the topics have 8"},
		{"newer format", "hongbao-store 2 " + id + " 8 more\n", "", 8, `has format "2", this program writes format 1`},
		{"not a store", "\x00\x01", "", 8, "does not begin with hongbao-store"},
		{"empty", "", "", 8, "does not begin with hongbao-store"},
		{"short", "hongbao-store 1 " + id, "", 8, "has 3 words, want 4"},
		{"bad id", "hongbao-store 1 ABC 8", "", 8, "is not 16 bytes"},
		{"bad count", "hongbao-store 1 " + id + " 0", "", 8, `"0" partitions`},
		{"partitions without a store", "-", "p003", 8, "has the partition directory p003 but no file STORE"},
		{"nothing to read", "-", "", 0, "has no file STORE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fs := vfs.NewMem()
			if err := fs.MkdirAll("data/"+tc.partition, 0o755); err != nil {
				t.Fatal(err)
			}
			if tc.store != "-" {
				if err := writeSmall(fs, "data", storeFile, []byte(tc.store)); err != nil {
					t.Fatal(err)
				}
			}
			cfg := onMem(t, fs)
			cfg.Partitions = tc.partitions
			if _, err := Open(cfg); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("open: %v\nwant ErrRefused saying %q", err, tc.want)
			}
			// A refusal gives the lock back.
			lock, err := lockDir(fs, "data")
			if err != nil {
				t.Fatal(err)
			}
			_ = lock.Close()
		})
	}
}

func TestConfigSentences(t *testing.T) {
	t.Parallel()
	cfg := Config{Partitions: -1, CacheBytes: -2, Sync: 9, SyncEvery: -1}
	err := cfg.Validate()
	for _, want := range []string{"Dir is empty", "-1 partitions", "cache of -2", "SyncMode(9)", "sync every -1ns"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate: %v, want %q", err, want)
		}
	}
	for _, m := range []SyncMode{SyncNever, SyncInterval, SyncStep} {
		if got, err := ParseSyncMode(m.String()); got != m || err != nil {
			t.Errorf("ParseSyncMode(%q) = %v, %v", m, got, err)
		}
	}
	if _, err := ParseSyncMode("always"); err == nil {
		t.Error("sync: always was accepted")
	}
}

func TestPartitionHasOneUser(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, onMem(t, vfs.NewMem()))
	p := mustPartition(t, s, 1)
	if _, err := s.Partition(1); err == nil {
		t.Error("a partition was opened twice")
	}
	if err := s.Discard(1); err == nil {
		t.Error("an open partition was discarded")
	}
	for _, n := range []int32{-1, 4} {
		if _, err := s.Partition(n); err == nil {
			t.Errorf("partition %d of 4 was opened", n)
		}
	}
	commit(t, p, 5, true)
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Get(0x40, []byte("last"), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	if err := p.Begin().Commit(boundaryOf('a', 6), nil, false); !errors.Is(err, ErrClosed) {
		t.Errorf("commit after Close: %v", err)
	}
	p = mustPartition(t, s, 1)
	if p.Last() != boundaryOf('a', 5) {
		t.Errorf("last after a restart: %+v", p.Last())
	}
	mustClose(t, s)
	mustClose(t, s)
	if _, err := s.Partition(1); !errors.Is(err, ErrClosed) {
		t.Errorf("partition of a closed store: %v", err)
	}
}

func TestMistakesAreAnswered(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, onMem(t, vfs.NewMem()))
	defer mustClose(t, s)
	p := mustPartition(t, s, 0)
	commit(t, p, 5, true)
	for name, try := range map[string]func(b *Batch) error{
		"own space":          func(b *Batch) error { b.Set(0x3f, nil, nil); return b.Commit(boundaryOf('a', 6), nil, false) },
		"space above":        func(b *Batch) error { b.Delete(0x80, nil); return b.Commit(boundaryOf('a', 6), nil, false) },
		"seq again":          func(b *Batch) error { return b.Commit(boundaryOf('a', 5), nil, false) },
		"seq back, restored": func(b *Batch) error { b.Boundary(boundaryOf('a', 4)); return b.CommitRestored() },
		"seqs fall": func(b *Batch) error {
			b.Boundary(boundaryOf('a', 9))
			b.Boundary(boundaryOf('a', 8))
			return b.CommitRestored()
		},
		"restored nothing": func(b *Batch) error { return b.CommitRestored() },
	} {
		if try(p.Begin()) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	b := p.Begin()
	if err := b.CommitNodes(); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(boundaryOf('a', 6), nil, false); !errors.Is(err, errSpent) {
		t.Errorf("a batch was committed twice: %v", err)
	}
	if p.Last().Seq != 5 {
		t.Errorf("last is %d after refused commits, want 5", p.Last().Seq)
	}
}
