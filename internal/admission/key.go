package admission

import (
	"encoding/binary"
	"unsafe"
)

// Keys and values, all under the hash tag, ids in binary because a claim should cost 128 B of
// Redis at most:
//
//	{p}:c:<campaign uvarint><user 8 bytes>  ->  tag 2 | chain 8 | partition 2 | event 8 | offset uvarint
//	{p}:s:<shard><bucket uvarint>           ->  hash: user 8 bytes -> event 8 | asker 4 per accepted share
//	{p}:epoch                               ->  epoch.go
//
// A bucket's shares lie in a few hashes and not in a key each: so those of one round trip are looked up and written with two
// commands a hash, and one expiry serves them all. A hash of a busy hour is large; lazyfree-lazy-expire lets Redis free it beside its work.
//
// The tag is zero when an event asked for the claim, and the low bits of the epoch's nonce when a
// fact put it back: so a second fact that finds it knows whether it met a fact of this epoch or a
// leftover. What follows the tag names the holder; a claim rebuilt without its event ends after
// the partition, and the scripts compare as far as the stored value goes. A uvarint is no prefix of
// another, so that comparison is exact.
//
// The asker of a share is the low bits of one more than the offset of the copy that asked last, zero where a fact put it there: copies of one event use
// one place, and what a refused copy gives back late is not taken from a later copy that was accepted.
const (
	tagBytes    = 2
	chainEnd    = tagBytes + 8
	eventStart  = chainEnd + 2
	eventBytes  = 8
	claimMax    = eventStart + eventBytes + binary.MaxVarintLen64
	keyIDsMax   = 8 + binary.MaxVarintLen64
	shareIDSize = eventBytes + 4
	shareFields = 8  // bytes of a field: the user
	shareShards = 16 // hashes a bucket
)

// keys makes the keys of one prefix.
type keys struct {
	claim string // "{p}:c:"
	share string // "{p}:s:"
	epoch string
}

func newKeys(prefix string) keys {
	tag := "{" + prefix + "}:"
	return keys{claim: tag + "c:", share: tag + "s:", epoch: tag + "epoch"}
}

func (k *keys) appendClaim(dst []byte, campaign, user int64) []byte {
	dst = append(dst, k.claim...)
	dst = binary.AppendUvarint(dst, bits(campaign))
	return binary.BigEndian.AppendUint64(dst, bits(user))
}

// appendShare appends the key of the hash that holds the user's shares of a bucket.
func (k *keys) appendShare(dst []byte, user, bucket int64) []byte {
	dst = append(dst, k.share...)
	dst = append(dst, byte(bits(user)*0x9e3779b97f4a7c15>>56)%shareShards)
	return binary.AppendUvarint(dst, bits(bucket))
}

// appendField appends the user's field in it.
func appendField(dst []byte, user int64) []byte {
	return binary.BigEndian.AppendUint64(dst, bits(user))
}

// appendValue appends a claim's value. known tells whether the event is.
func appendValue(dst []byte, tag uint16, chain int64, p int32, event EventID, offset int64, known bool) []byte {
	dst = binary.BigEndian.AppendUint16(dst, tag)
	dst = binary.BigEndian.AppendUint64(dst, bits(chain))
	return appendEvent(dst, p, event, offset, known)
}

// appendEvent appends the part of a value that names the event, which is what a release compares.
func appendEvent(dst []byte, p int32, event EventID, offset int64, known bool) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(p)) //nolint:gosec // below partitionsMax
	if !known {
		return dst
	}
	dst = append(dst, event[:eventBytes]...)
	return binary.AppendUvarint(dst, bits(offset))
}

// parseHolder reads a value that a script returned; false means that it is none of ours.
func parseHolder(v string) (Holder, bool) {
	if len(v) < eventStart {
		return Holder{}, false
	}
	b := unsafe.Slice(unsafe.StringData(v), len(v))
	h := Holder{
		Chain:     int64(binary.BigEndian.Uint64(b[tagBytes:])), //nolint:gosec // as bits made it
		Partition: int32(binary.BigEndian.Uint16(b[chainEnd:])),
	}
	if len(v) == eventStart {
		return h, true
	}
	if len(v) <= eventStart+eventBytes {
		return Holder{}, false
	}
	copy(h.Event[:], b[eventStart:])
	offset, n := binary.Uvarint(b[eventStart+eventBytes:])
	h.Offset = int64(offset) //nolint:gosec // as bits made it
	return h, n == len(b)-eventStart-eventBytes
}

// appendPlace appends an event's place in its user's bucket.
func appendPlace(dst []byte, event EventID, offset int64) []byte {
	return binary.BigEndian.AppendUint32(append(dst, event[:eventBytes]...), uint32(bits(offset+1))) //nolint:gosec // the low bits are meant
}

// factOffset makes the asker of a place that a fact put there.
const factOffset = -1

// text is the string form of bytes that nobody changes while it lives.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bits is an id or offset as it is stored.
func bits(id int64) uint64 { return uint64(id) } //nolint:gosec // all 64 bits are kept
