package schemas

import (
	"github.com/zeebo/xxh3"
	"google.golang.org/protobuf/encoding/protowire"
)

// A StepEnded's hash is field 15 of Fact and the last on the wire: two bytes of tag and length,
// then the hash.
const (
	hashTag      = 15<<3 | byte(wireBytes)
	hashFieldLen = 2 + len(Hash{})
)

// IsZero says that there is no hash: the one before the first step, or none yet.
func (h Hash) IsZero() bool { return h == Hash{} }

// AppendStepHash appends the hash field to an encoded StepEnded fact that has none.
func AppendStepHash(dst []byte, h Hash) []byte {
	dst = append(dst, hashTag, byte(len(h)))
	return append(dst, h[:]...)
}

// SplitStepHash parts an encoded StepEnded fact into the bytes that its hash covers and the hash.
// ok is false when the value does not end in exactly one hash field; then unhashed is value.
// unhashed aliases value.
func SplitStepHash(value []byte) (unhashed []byte, h Hash, ok bool) {
	at := len(value) - hashFieldLen
	if at < 0 {
		return value, h, false
	}
	// Walk the top level rather than look at the last bytes: offsets and clocks in the positions
	// could spell the same 18 bytes.
	w := wire{b: value[:at]}
	for w.next() {
		if w.tag == uint32(hashTag) {
			return value, h, false
		}
	}
	if w.why != "" || value[at] != hashTag || int(value[at+1]) != len(h) {
		return value, h, false
	}
	copy(h[:], value[at+2:])
	return value[:at], h, true
}

// HashStep is xxh3-128, big-endian, over buf, which holds the previous step's 16 bytes and then
// each fact of the step as AppendHashed writes it, StepEnded last and without its hash field.
func HashStep(buf []byte) Hash { return xxh3.Hash128(buf).Bytes() }

// AppendHashed appends a fact's value as HashStep covers it: its length as uvarint, then itself.
func AppendHashed(dst, value []byte) []byte {
	return append(protowire.AppendVarint(dst, uint64(len(value))), value...)
}

// StepHasher is HashStep for readers, which see one fact at a time. It gathers the step, since
// hashing once costs a tenth of hashing fact by fact. Not safe for concurrent use. Begin must be
// called first; the value of StepEnded is added without its hash (SplitStepHash).
type StepHasher struct{ buf []byte }

// Begin starts the step that follows the one whose hash is prev; zero before the first.
func (h *StepHasher) Begin(prev Hash) { h.buf = append(h.buf[:0], prev[:]...) }

// Add takes the next fact's value, which is copied.
func (h *StepHasher) Add(value []byte) { h.buf = AppendHashed(h.buf, value) }

// Sum is the step's hash over what was added since Begin.
func (h *StepHasher) Sum() Hash { return HashStep(h.buf) }
