package schemas

import (
	"encoding/binary"
	"strconv"
)

// AppendKey appends a chain's Kafka key: its id in ASCII decimal, so that every client's
// murmur2 partitioner sees the same bytes whatever its integer serialiser does.
func AppendKey(dst []byte, chain int64) []byte { return strconv.AppendInt(dst, chain, 10) }

// Partition is the partition of n that owns key, as the Java client's default partitioner
// answers for a keyed record: (murmur2(key) & 0x7fffffff) % n. n must be at least 1.
func Partition(key []byte, n int32) int32 {
	return int32(murmur2(key)&0x7fffffff) % n
}

// murmur2 is the hash of org.apache.kafka.common.utils.Utils: MurmurHash2 for 32 bits by Austin
// Appleby with seed 0x9747b28c, words little-endian. The original is public domain.
func murmur2(b []byte) uint32 {
	const (
		m = 0x5bd1e995
		r = 24
	)
	h := 0x9747b28c ^ uint32(len(b)) //nolint:gosec // keys are short; the original takes an int32
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k ^= k >> r
		h = h*m ^ k*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
