package eventstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// SyncMode says when committed steps reach the disk. A lost tail is folded again from Kafka, so SyncNever loses time, never facts.
type SyncMode uint8

// The modes of the configuration key `sync`.
const (
	SyncNever    SyncMode = iota // when the system writes its pages, at checkpoints and at Close
	SyncInterval                 // every SyncEvery, by one goroutine for all partitions
	SyncStep                     // before Commit returns
)

var syncModes = [...]string{"never", "interval", "step"}

// String is the mode as the configuration writes it.
func (m SyncMode) String() string {
	if int(m) < len(syncModes) {
		return syncModes[m]
	}
	return fmt.Sprintf("SyncMode(%d)", uint8(m))
}

// ParseSyncMode reads the configuration key `sync`.
func ParseSyncMode(s string) (SyncMode, error) {
	for i, name := range syncModes {
		if s == name {
			return SyncMode(i), nil
		}
	}
	return 0, fmt.Errorf("sync %q: want never, interval or step", s)
}

const (
	partitionsMax       = 4096
	cacheBytesDefault   = 64 << 20
	memTableDefault     = 128 << 20
	memTableMin         = 512 << 10 // of one partition: below it Pebble flushes more often than it folds
	memTableMax         = 1 << 30   // of one partition: Pebble's arenas are addressed by 32 bits
	syncEveryDefault    = 100 * time.Millisecond
	openFilesMax        = 1000
	memTablesQueued     = 3 // full ones and the one in use, before commits wait: a burst finds room while one is flushed
	l0Compaction        = 4
	l0StopWrites        = 24
	walBytesPerSync     = 1 << 20 // spreads the kernel's write-back; promises nothing
	diskSlowAfter       = 5 * time.Second
	batchRetainedBytes  = 4 << 20
	snapshotsMax        = 64
	deleteEverySteps    = 16 // a range deletion costs the same however much it covers: published entries go with every 16th step or so
	checkpointsKept     = 2
	formatVersion       = 1
	bloomBitsPerKey     = 10
	lBaseBytesMin       = 64 << 20
	compactionsAtOnce   = 1
	manifestBytesMax    = 16 << 20
	dirMode             = 0o755
	identityReadMaxSize = 4 << 10
)

// Config says where a Store lives and what it may use.
type Config struct {
	// Dir is the data directory, created when missing. Required.
	Dir string
	// FS is the file system; nil is the disk.
	FS vfs.FS
	// Partitions is the number of partitions of the topics. It is written into the store; another number at the next open is refused. 0 takes
	// what an existing store says, for tools that have no broker to ask.
	Partitions int32
	// CacheBytes is the block cache of all partitions together; 0 is 64 MiB.
	CacheBytes int64
	// MemTableBytes are the memtables of all partitions together while nothing waits to be flushed; 0 is 128 MiB. Three times that is the limit, at
	// which commits wait.
	MemTableBytes int64
	// Sync says when steps reach the disk; the zero value is never.
	Sync SyncMode
	// SyncEvery is the pace of SyncInterval; 0 is 100 ms.
	SyncEvery time.Duration
	// Logger gets Pebble's events; nil is slog.Default().
	Logger *slog.Logger
	// Fatal is called once, with the first error of the disk that makes it unsafe to go on (no space, a failed fsync). nil logs it and
	// ends the process. It may be called with Pebble's locks held: it must not call back. If it returns, every later call on the Store
	// answers ErrFatal.
	Fatal func(error)
	// Random gives the 16 bytes of a new store's id; nil is crypto/rand.
	Random io.Reader
}

// Validate answers with one sentence per mistake.
func (c *Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("eventstore: Dir is empty: name a data directory"))
	}
	if c.Partitions < 0 || c.Partitions > partitionsMax {
		errs = append(errs, fmt.Errorf("eventstore: %d partitions: want 1 to %d, or 0 for what the data directory says", c.Partitions, partitionsMax))
	}
	if c.CacheBytes < 0 || c.MemTableBytes < 0 {
		errs = append(errs, fmt.Errorf("eventstore: cache of %d and memtables of %d bytes: neither may be negative", c.CacheBytes, c.MemTableBytes))
	}
	if int(c.Sync) >= len(syncModes) {
		errs = append(errs, fmt.Errorf("eventstore: %v: want never, interval or step", c.Sync))
	}
	if c.SyncEvery < 0 {
		errs = append(errs, fmt.Errorf("eventstore: sync every %v: want a positive duration", c.SyncEvery))
	}
	return errors.Join(errs...)
}

// defaults fills what was left zero.
func (c *Config) defaults() {
	if c.CacheBytes == 0 {
		c.CacheBytes = cacheBytesDefault
	}
	if c.MemTableBytes == 0 {
		c.MemTableBytes = memTableDefault
	}
	if c.SyncEvery == 0 {
		c.SyncEvery = syncEveryDefault
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
}
