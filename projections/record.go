package projections

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// errRecord is wrapped by every error about bytes in the store that are no record.
var errRecord = errors.New("damaged record")

// Records are uvarints and strings preceded by their length, one encoding for one content, so
// that the bytes themselves can be hashed.

func appendInt(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, uint64(v)) //nolint:gosec // hardly ever negative; read back as it was
}

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendString[T string | []byte](dst []byte, v T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
}

// recordReader reads a record field by field. After the first mistake every field is zero and
// end tells.
type recordReader struct {
	b   []byte
	bad bool
}

func (r *recordReader) int() int64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int64(v) //nolint:gosec // as written
}

// small reads a number that must be 0 to most.
func (r *recordReader) small(most int64) int64 {
	v := r.int()
	if v < 0 || v > most {
		r.bad = true
		return 0
	}
	return v
}

// int32 reads a number as written from an int32.
func (r *recordReader) int32() int32 {
	v := r.int()
	if v < math.MinInt32 || v > math.MaxInt32 {
		r.bad = true
		return 0
	}
	return int32(v)
}

func (r *recordReader) uint32() uint32 { return uint32(r.small(math.MaxUint32)) } //nolint:gosec // bounded

func (r *recordReader) bool() bool { return r.small(1) == 1 }

// bytes aliases the record.
func (r *recordReader) bytes() []byte {
	n := r.small(int64(len(r.b)))
	if r.bad || n > int64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	field := r.b[:n:n]
	r.b = r.b[n:]
	return field
}

func (r *recordReader) string() string { return string(r.bytes()) }

// end checks that the record was read to its last byte.
func (r *recordReader) end(what string) error {
	if r.bad || len(r.b) > 0 {
		return fmt.Errorf("%w: %s", errRecord, what)
	}
	return nil
}

// Keys. Big endian, so that key order is number order.

func appendKey(dst []byte, parts ...uint64) []byte {
	for _, p := range parts {
		dst = binary.BigEndian.AppendUint64(dst, p)
	}
	return dst
}

func campaignKey(dst []byte, campaign int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(campaign)) //nolint:gosec // ids are positive
}

// pageKeyLen is campaign and page.
const pageKeyLen = 8 + 4

func pageKey(dst []byte, campaign int64, page uint32) []byte {
	return binary.BigEndian.AppendUint32(campaignKey(dst, campaign), page)
}
