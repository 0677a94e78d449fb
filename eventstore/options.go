package eventstore

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// options are Pebble's for one partition. Everything bounded is bounded here (E7).
func (p *Partition) options() *pebble.Options {
	s := p.store
	memTable := min(max(s.cfg.MemTableBytes/int64(s.id.Partitions), memTableMin), memTableMax)
	o := &pebble.Options{
		FS:                          s.fs,
		Cache:                       s.cache,
		FileCache:                   s.files,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                uint64(memTable),
		MemTableStopWritesThreshold: memTablesQueued,
		L0CompactionThreshold:       l0Compaction,
		L0StopWritesThreshold:       l0StopWrites,
		MaxManifestFileSize:         manifestBytesMax,
		CompactionConcurrencyRange:  func() (int, int) { return 1, compactionsAtOnce },
		WALBytesPerSync:             walBytesPerSync,
		Logger:                      pebbleLog{p},
		EventListener:               p.events(),
		// Pebble reads tables for them in a goroutine of its own: beside an open that fails it panics, and a table that it cannot read it
		// reads again and again. They choose tables for compactions that only take out deleted keys, and here the ordinary ones do.
		DisableTableStats: true,
	}
	o.Experimental.CompactionScheduler = p.compactions()
	o.LBaseMaxBytes = max(lBaseBytesMin, 4*memTable)
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBitsPerKey)
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	return o
}

// events turns Pebble's into log lines, and its failures into the end of the process or of the partition (E6).
func (p *Partition) events() *pebble.EventListener {
	log := p.log
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if pebble.IsCorruptionError(err) {
				p.corrupt(err)
				return
			}
			// Pebble would flush again and again: an fsync that failed once must not be believed the second time.
			_ = p.store.fatal(fmt.Errorf("partition %d, in the background: %w", p.n, err))
		},
		DataCorruption: func(i pebble.DataCorruptionInfo) { p.corrupt(fmt.Errorf("%s: %w", i.Path, i.Details)) },
		FlushEnd:       func(i pebble.FlushInfo) { log.Debug("flushed", "info", slog.AnyValue(i)) },
		CompactionEnd:  func(i pebble.CompactionInfo) { log.Debug("compacted", "info", slog.AnyValue(i)) },
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
			p.stalls.Add(1)
			log.Warn("commits wait for the disk", "reason", i.Reason)
		},
		WriteStallEnd: func() { log.Warn("commits go on") },
		LowDiskSpace:  func(i pebble.LowDiskSpaceInfo) { log.Warn("disk is nearly full", "info", slog.AnyValue(i)) },
	}
}

// corrupt stops the partition: every later call answers ErrCorrupt. Its neighbours go on.
func (p *Partition) corrupt(err error) {
	err = fmt.Errorf("eventstore: partition %d: %w: %w", p.n, ErrCorrupt, err)
	if p.broken.CompareAndSwap(nil, &err) {
		p.log.Error("partition is corrupt", "error", err)
	}
}

// pebbleLog is Pebble's logger.
type pebbleLog struct{ p *Partition }

func (l pebbleLog) Infof(format string, args ...any) {
	l.p.log.Debug("pebble", "says", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.p.log.Warn("pebble", "says", fmt.Sprintf(format, args...))
}

// Fatalf must not return in Pebble's eyes; Store.fatal ends the process.
func (l pebbleLog) Fatalf(format string, args ...any) {
	_ = l.p.store.fatal(errors.New(fmt.Sprintf("partition %d: ", l.p.n) + fmt.Sprintf(format, args...)))
}
