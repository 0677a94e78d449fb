package schemas

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Wire types, the low three bits of a tag.
const (
	wireVarint = uint32(protowire.VarintType)
	wireBytes  = uint32(protowire.BytesType)
)

// wire walks the fields of one Protobuf message without reflection or allocation. After next
// returned true, tag is (field number << 3 | wire type) and v (varints) or s (length-delimited,
// aliasing the message) is the value; other wire types are stepped over. After next returned
// false, why says what is wrong with the message, if anything.
type wire struct {
	b   []byte
	s   []byte
	v   uint64
	tag uint32
	why string
}

func (w *wire) next() bool {
	b := w.b
	if len(b) < 2 {
		return len(b) > 0 && w.nextAny()
	}
	// Nearly every field: a tag of one byte, then a varint of up to 63 bits or fewer than 128 bytes.
	tag := uint32(b[0])
	switch {
	case tag >= 0x80 || tag < 1<<3:
	case tag&7 == wireBytes:
		if size := int(b[1]); size < 0x80 && size <= len(b)-2 {
			w.tag, w.s, w.b = tag, b[2:2+size], b[2+size:]
			return true
		}
	case tag&7 == wireVarint:
		v := uint64(0)
		for i := 1; i < len(b) && i <= 9; i++ {
			v |= uint64(b[i]&0x7f) << (7 * (i - 1))
			if b[i] < 0x80 {
				w.tag, w.v, w.b = tag, v, b[i+1:]
				return true
			}
		}
	}
	return w.nextAny()
}

// nextAny is next for every field there may be.
func (w *wire) nextAny() bool {
	tag, n := protowire.ConsumeVarint(w.b)
	if num := tag >> 3; n < 0 || num < 1 || num > uint64(protowire.MaxValidNumber) {
		return w.stop()
	}
	w.tag, w.b = uint32(tag), w.b[n:]
	switch w.tag & 7 {
	case wireVarint:
		w.v, n = protowire.ConsumeVarint(w.b)
	case wireBytes:
		w.s, n = protowire.ConsumeBytes(w.b)
	default:
		n = protowire.ConsumeFieldValue(protowire.Number(tag>>3), protowire.Type(tag&7), w.b)
	}
	if n < 0 {
		return w.stop()
	}
	w.b = w.b[n:]
	return true
}

// stop is next's answer to a message that ends inside a field or has an impossible tag.
func (w *wire) stop() bool {
	w.fail("it is malformed or cut short")
	return false
}

// unknown steps over a field that the message's reader does not know, unless its number is one of
// the known ones: then it has a wire type that its number does not have, and the message is
// another one or no Protobuf at all.
func (w *wire) unknown(known uint32) {
	if w.tag>>3 <= known {
		w.fail("a field has another wire type than its number")
	}
}

// fail ends the walk: what was read last cannot be right. why is a constant.
func (w *wire) fail(why string) { w.b, w.why = nil, why }

// inherit fails the walk of a message if that of a message inside it failed.
func (w *wire) inherit(inner *wire) {
	if inner.why != "" {
		w.fail(inner.why)
	}
}

// int64 is the value at hand as a proto3 int64, which a varint carries in two's complement.
func (w *wire) int64() int64 { return int64(w.v) } //nolint:gosec // the wrap is the format

// int32 is the value at hand as a proto3 int32 or enum, of which Protobuf keeps the low 32 bits.
func (w *wire) int32() int32 { return int32(w.v) } //nolint:gosec // the wrap is the format

// text is the value at hand as a proto3 string, which is UTF-8.
func (w *wire) text() []byte {
	if !utf8.Valid(w.s) {
		w.fail("a string is no UTF-8")
	}
	return w.s
}

// sentence says why the walk of a message failed.
func (w *wire) sentence(message string) string {
	return fmt.Sprintf("the value is no Protobuf %s: %s (field %d, wire type %d)", message, w.why, w.tag>>3, w.tag&7)
}

// The append functions write one field and leave out what proto3 leaves out: zero and empty.
// tag is below 16<<3, one byte, in every message of this package.

func appendInt(dst []byte, num byte, v int64) []byte {
	if v == 0 {
		return dst
	}
	return binary.AppendUvarint(append(dst, num<<3|byte(wireVarint)), uint64(v)) //nolint:gosec // two's complement
}

func appendBool(dst []byte, num byte, v bool) []byte {
	if !v {
		return dst
	}
	return append(dst, num<<3|byte(wireVarint), 1)
}

func appendBytes(dst []byte, num byte, v []byte) []byte {
	if len(v) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(append(dst, num<<3|byte(wireBytes)), uint64(len(v)))
	return append(dst, v...)
}

func appendString(dst []byte, num byte, v string) []byte {
	dst = binary.AppendUvarint(append(dst, num<<3|byte(wireBytes)), uint64(len(v)))
	return append(dst, v...)
}

// openMessage begins a nested message; what is appended until closeMessage is its content. One
// byte is kept for the length: almost every message of this package is shorter than 128 bytes, and
// moving a longer one by a byte costs less than measuring each before writing it.
func openMessage(dst []byte, num byte) (opened []byte, at int) {
	return append(dst, num<<3|byte(wireBytes), 0), len(dst) + 2
}

func closeMessage(dst []byte, at int) []byte {
	size := len(dst) - at
	if size < 0x80 {
		dst[at-1] = byte(size) //nolint:gosec // below 128
		return dst
	}
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(size))
	dst = append(dst, length[1:n]...) // room; overwritten by the move
	copy(dst[at-1+n:], dst[at:at+size])
	copy(dst[at-1:], length[:n])
	return dst
}
