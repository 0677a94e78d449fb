package eventstore

import (
	"encoding/binary"
	"fmt"

	"hongbao/schemas"
)

// Boundary is the end of a step: what StepEnded says, and what the committed metadata says of the last step in a transaction.
// The zero Boundary stands before the first step.
type Boundary struct {
	Seq       int64             // of the step's last fact
	Hash      schemas.Hash      // running hash after that fact
	Positions schemas.Positions // next offsets to read of the inputs
	ClockMS   int64             // worker clock, Unix milliseconds
}

// Key spaces. A key is a space byte and the client's bytes, so that one Pebble directory holds them all and one batch changes them all.
const (
	spaceMeta   byte = 0x01
	spaceOutbox byte = 0x02
	spaceSteps  byte = 0x03

	// ClientSpaceFirst and ClientSpaceLast bound the spaces that clients may use.
	ClientSpaceFirst byte = 0x40
	ClientSpaceLast  byte = 0x7f
)

const (
	seqKeyLen    = 1 + 8
	seqLen       = 8
	boundaryLen  = 1 + 16 + 8 + 8*schemas.Inputs
	boundaryForm = 1 // first byte of a boundary; another number is another form
)

// putInt and readInt keep all 64 bits; positive numbers sort as their bytes do.
func putInt(dst []byte, n int64) {
	binary.BigEndian.PutUint64(dst, uint64(n)) //nolint:gosec // the bits are meant
}

func readInt(src []byte) int64 {
	return int64(binary.BigEndian.Uint64(src)) //nolint:gosec // the bits are meant
}

// putSeqKey fills the seqKeyLen bytes of a key. Keys of a space are ordered as their seqs are.
func putSeqKey(dst []byte, space byte, seq int64) {
	dst[0] = space
	putInt(dst[1:], seq)
}

func seqKey(space byte, seq int64) [seqKeyLen]byte {
	var k [seqKeyLen]byte
	putSeqKey(k[:], space, seq)
	return k
}

func parseSeqKey(key []byte) (int64, error) {
	if len(key) != seqKeyLen {
		return 0, fmt.Errorf("key %x has %d bytes, want %d: %w", key, len(key), seqKeyLen, ErrCorrupt)
	}
	seq := readInt(key[1:])
	if seq < 1 {
		return 0, fmt.Errorf("key %x: seq %d is not positive: %w", key, seq, ErrCorrupt)
	}
	return seq, nil
}

// putBoundary fills the boundaryLen bytes of a boundary's value; the seq is in its key. Fixed width: one form per boundary.
func putBoundary(dst []byte, b *Boundary) {
	dst[0] = boundaryForm
	copy(dst[1:], b.Hash[:])
	putInt(dst[17:], b.ClockMS)
	for i, pos := range b.Positions {
		putInt(dst[25+8*i:], pos)
	}
}

func parseBoundary(seq int64, value []byte) (Boundary, error) {
	b := Boundary{Seq: seq}
	if len(value) != boundaryLen || value[0] != boundaryForm {
		return b, fmt.Errorf("boundary %d: %d bytes %.8x, want %d of form %d: %w", seq, len(value), value, boundaryLen, boundaryForm, ErrCorrupt)
	}
	copy(b.Hash[:], value[1:])
	b.ClockMS = readInt(value[17:])
	for i := range b.Positions {
		b.Positions[i] = readInt(value[25+8*i:])
	}
	return b, nil
}

// parseEntry splits an outbox value into the seq before its step and the client's bytes, which alias value.
func parseEntry(seq int64, value []byte) (prev int64, entry []byte, err error) {
	if len(value) < seqLen {
		return 0, nil, fmt.Errorf("outbox entry %d: %d bytes, want at least %d: %w", seq, len(value), seqLen, ErrCorrupt)
	}
	prev = readInt(value)
	if prev < 0 || prev >= seq {
		return 0, nil, fmt.Errorf("outbox entry %d says it follows %d: %w", seq, prev, ErrCorrupt)
	}
	return prev, value[seqLen:], nil
}

func parseMark(value []byte) (int64, error) {
	if len(value) != seqLen {
		return 0, fmt.Errorf("nodes mark: %d bytes, want %d: %w", len(value), seqLen, ErrCorrupt)
	}
	seq := readInt(value)
	if seq < 1 {
		return 0, fmt.Errorf("nodes mark %d is not positive: %w", seq, ErrCorrupt)
	}
	return seq, nil
}
