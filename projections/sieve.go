package projections

import "math/bits"

// sieve is a blocked Bloom filter that grows: it says "certainly not" of most users that have
// never been cold, so that a join of an unknown user rarely asks the store. Nothing ever leaves
// it. Each generation is four times as large as the one before, so there are few.
type sieve struct {
	generations []sieveGeneration
}

type sieveGeneration struct {
	blocks []sieveBlock
	room   int
}

// sieveBlock is one cache line.
type sieveBlock [8]uint64

const (
	sieveRoomMin      = 1 << 12
	sieveKeysPerBlock = 40 // 12.8 bits a key: about 1 of 200 strangers passes
	sieveProbes       = 6
)

func (v *sieve) add(h uint64) {
	n := len(v.generations)
	if n == 0 || v.generations[n-1].room == 0 {
		room := sieveRoomMin << (2 * n)
		v.generations = append(v.generations, sieveGeneration{blocks: make([]sieveBlock, room/sieveKeysPerBlock+1), room: room})
		n++
	}
	g := &v.generations[n-1]
	g.room--
	b, k := g.block(h)
	for range sieveProbes {
		b[k>>6&7] |= 1 << (k & 63)
		k >>= 9
	}
}

// may says whether h may have been added.
func (v *sieve) may(h uint64) bool {
	for i := range v.generations {
		b, k := v.generations[i].block(h)
		hit := true
		for range sieveProbes {
			hit = hit && b[k>>6&7]>>(k&63)&1 == 1
			k >>= 9
		}
		if hit {
			return true
		}
	}
	return false
}

// block is the block of h, and nine bits for each probe in it.
func (g *sieveGeneration) block(h uint64) (*sieveBlock, uint64) {
	at, _ := bits.Mul64(h, uint64(len(g.blocks)))
	return &g.blocks[at], h * 0xa0761d6478bd642f >> 8
}
