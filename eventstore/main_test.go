package eventstore

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"hongbao/schemas"
)

// childTest names the environment variable that makes this test binary run as the child process of one of its tests: a disk that fails
// leaves Pebble's goroutines behind, and ends the process by default.
const childTest = "HONGBAO_EVENTSTORE_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childTest) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// onMem is a configuration on a memory file system whose disk must not fail.
func onMem(t testing.TB, fs vfs.FS) Config {
	return Config{
		Dir: "data", FS: fs, Partitions: 4, CacheBytes: 1 << 20, MemTableBytes: 4 << 20, Logger: quiet(), Random: strings.NewReader(strings.Repeat("seed", 8)),
		Fatal: func(err error) { t.Errorf("the disk failed: %v", err) },
	}
}

func mustOpen(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustPartition(t testing.TB, s *Store, n int32) *Partition {
	t.Helper()
	p, err := s.Partition(n)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// hashOf is a hash that tells its seq, of a history named by a letter.
func hashOf(history byte, seq int64) (h schemas.Hash) {
	copy(h[:], fmt.Sprintf("%c%015d", history, seq))
	return h
}

// boundaryOf is a boundary whose every field follows from its seq.
func boundaryOf(history byte, seq int64) Boundary {
	b := Boundary{Seq: seq, Hash: hashOf(history, seq), ClockMS: 1_700_000_000_000 + seq}
	for i := range b.Positions {
		b.Positions[i] = seq*10 + int64(i)
	}
	return b
}

// commit ends a step with one key and an entry.
func commit(t testing.TB, p *Partition, seq int64, nodes bool) {
	t.Helper()
	b := p.Begin()
	b.Set(0x40, []byte("last"), fmt.Append(nil, seq))
	if err := b.Commit(boundaryOf('a', seq), fmt.Append(nil, "entry ", seq), nodes); err != nil {
		t.Fatal(err)
	}
}
