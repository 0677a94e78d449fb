package eventstore

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// nodesKey holds the nodes mark.
const nodesKey = string(rune(spaceMeta)) + "n"

// get appends a key's value to dst[:0].
func get(r pebble.Reader, key, dst []byte) ([]byte, bool, error) {
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dst[:0], false, nil
	}
	if err != nil {
		return dst[:0], false, err
	}
	return append(dst[:0], value...), true, closer.Close()
}

// scan walks the keys of a space that begin with prefix. stop, when not nil, ends it early with ErrClosed.
func scan(r pebble.Reader, space byte, prefix []byte, stop *atomic.Bool, fn func(key, value []byte) error) error {
	low := append([]byte{space}, prefix...)
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: successor(low)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if stop != nil && stop.Load() {
			return errors.Join(ErrClosed, it.Close())
		}
		value, err := it.ValueAndErr()
		if err == nil {
			err = fn(it.Key()[1:], value)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close() // with the iterator's own error
}

// successor is the first key that does not begin with prefix. Spaces end below 0x80, so there is one.
func successor(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// readLast is the highest boundary.
func readLast(r pebble.Reader) (b Boundary, err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceSteps}, UpperBound: []byte{spaceSteps + 1}})
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return b, it.Error()
	}
	seq, err := parseSeqKey(it.Key())
	if err != nil {
		return b, err
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return b, err
	}
	return parseBoundary(seq, value)
}

func readBoundary(r pebble.Reader, seq int64) (Boundary, bool, error) {
	key := seqKey(spaceSteps, seq)
	value, ok, err := get(r, key[:], nil)
	if !ok || err != nil {
		return Boundary{}, false, err
	}
	b, err := parseBoundary(seq, value)
	return b, err == nil, err
}

// readMark is the nodes mark; 0 when nothing has been written.
func readMark(r pebble.Reader) (int64, error) {
	value, ok, err := get(r, []byte(nodesKey), nil)
	if !ok || err != nil {
		return 0, err
	}
	return parseMark(value)
}

// entryFn sees one outbox entry: the step's last seq, the seq before the step, the client's bytes.
type entryFn func(seq, prev int64, entry []byte) error

// readEntries walks the entries above a seq and checks that they follow each other (E2).
func readEntries(r pebble.Reader, above int64, fn entryFn) error {
	low := seqKey(spaceOutbox, above+1)
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: low[:], UpperBound: []byte{spaceOutbox + 1}})
	if err != nil {
		return err
	}
	before := int64(-1) // the entry before; none yet
	for ok := it.First(); ok; ok = it.Next() {
		if before, err = readEntry(it, before, fn); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}

func readEntry(it *pebble.Iterator, before int64, fn entryFn) (seq int64, err error) {
	if seq, err = parseSeqKey(it.Key()); err != nil {
		return 0, err
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return 0, err
	}
	prev, entry, err := parseEntry(seq, value)
	if err != nil {
		return 0, err
	}
	if before >= 0 && prev != before {
		return 0, fmt.Errorf("outbox entry %d says it follows %d, the entry before it is %d (X8): %w", seq, prev, before, ErrCorrupt)
	}
	return seq, fn(seq, prev, entry)
}
