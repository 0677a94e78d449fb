package cascade

import (
	"math"
	"math/rand/v2"
)

// dice is the seeded source of every choice (K4).
type dice struct{ pcg rand.PCG }

func newDice(seed, stream uint64) *dice {
	d := &dice{}
	d.pcg.Seed(seed, stream)
	return d
}

func (d *dice) next() uint64 { return d.pcg.Uint64() }

// unit is uniform in (0, 1]: never 0, so that its logarithm and negative powers are finite.
func (d *dice) unit() float64 { return float64(d.pcg.Uint64()>>11+1) / (1 << 53) }

// below is uniform in 0..n-1, n > 0. The bias of the multiplication is below n/2^32.
func (d *dice) below(n int) int { return int(d.pcg.Uint64() >> 32 * uint64(n) >> 32) } //nolint:gosec // n > 0

// normal is standard normal.
func (d *dice) normal() float64 { return normalQuantile(d.unit() - 1.0/(1<<54)) }

// normalQuantile is the standard normal quantile of p in (0, 1).
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// ids hands out ids that are all different and look like random 63-bit numbers: a bijection
// of the 63-bit numbers, keyed by the seed, applied to 1, 2, 3 ... (K3). So an id can be kept
// as its number.
type ids struct {
	last uint32
	key  uint64
}

const mask63 = 1<<63 - 1

func newIDs(seed uint64) ids { return ids{key: newDice(seed, 1).next() & mask63} }

// number takes the next number, whose id is not 0.
func (s *ids) number() uint32 {
	s.last++
	if s.of(s.last) == 0 {
		s.last++
	}
	return s.last
}

func (s *ids) next() int64 { return s.of(s.number()) }

// of is made of steps that can each be undone on 63-bit numbers: xor with a key, xor with
// itself shifted right, multiplication by an odd number (those of MurmurHash3's finaliser).
func (s *ids) of(n uint32) int64 {
	x := uint64(n) ^ s.key
	x ^= x >> 32
	x = x * 0xff51afd7ed558ccd & mask63
	x ^= x >> 29
	x = x * 0xc4ceb9fe1a85ec53 & mask63
	return int64(x ^ x>>32) //nolint:gosec // 63 bits
}
