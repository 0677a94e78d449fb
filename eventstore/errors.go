package eventstore

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// At open.
var (
	// ErrLocked: another process, or another Store of this one, holds the data directory.
	ErrLocked = errors.New("eventstore: data directory is held")
	// ErrRefused: the data directory is not one that this configuration may use; the sentence says why and what to do.
	ErrRefused = errors.New("eventstore: data directory refused")
)

// At any time.
var (
	// ErrCorrupt: what is on the disk is not what was written. The answer is Store.Discard (or Partition.Reset), then Rollback, then folding from facts.
	ErrCorrupt = errors.New("eventstore: corrupt")
	// ErrClosed: the Store, Partition or Snapshot is closed, or its directory was replaced under it.
	ErrClosed = errors.New("eventstore: closed")
	// ErrFatal: Config.Fatal has been called and has returned.
	ErrFatal = errors.New("eventstore: disk failed")
	// ErrGap: the outbox no longer holds the entry after the given seq, so the tail from there cannot be published.
	ErrGap = errors.New("eventstore: outbox does not reach back")
)

// classify marks as ErrCorrupt what Pebble calls a corruption.
func classify(err error) error {
	if err == nil || errors.Is(err, ErrCorrupt) {
		return err
	}
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// refusals are the system's ways to say no that tell nothing about the content: throwing the state away would not help.
var refusals = [...]syscall.Errno{
	syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOSPC, syscall.EDQUOT, syscall.EAGAIN,
}

// classifyOpen marks as ErrCorrupt whatever stops Pebble from opening a directory, an unreadable or missing file too, unless the system refused.
func classifyOpen(err error) error {
	for _, no := range refusals {
		if errors.Is(err, no) {
			return err
		}
	}
	if errors.Is(err, ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}
