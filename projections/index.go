package projections

import "math/bits"

// index maps hashes to ordinals: open addressing with linear probing over uint32 slots. A slot is
// tag<<shift | ordinal, 0 when empty; the tag is the low bits of the hash, so that nearly every
// other entry on the way is passed without a look at its record. Home slots are found by
// multiplication ("fast range"), so that the array can grow in small steps.
type index struct {
	slots []uint32
	shift uint8 // bits of an ordinal
	used  int   // slots that are not empty: entries and graves
	live  int   // entries
}

// Slots are used up to 7/8; a new array is filled to 3/4. That is 4.6 to 5.4 bytes an entry, and
// about 15 slots of a search in vain.
const (
	indexFillNum, indexFillDen = 7, 8
	indexSlotsMin              = 64
)

// prepare makes an empty index for n entries with ordinals up to top. It is to be filled at once.
func (x *index) prepare(n int, top uint32) {
	x.shift = uint8(min(max(bits.Len32(top)+1, 8), 31))
	x.slots = make([]uint32, max(n+n/3, indexSlotsMin))
	x.used, x.live = 0, 0
}

// full says that prepare must come before so many more are added, ord the first of them.
func (x *index) full(more int, ord uint32) bool {
	return x.used+more > len(x.slots)*indexFillNum/indexFillDen || (ord+uint32(more))>>x.shift != 0 //nolint:gosec // more is at most a page
}

// cursor is a search under way.
type cursor struct {
	slot int
	tag  uint32
}

func (x *index) seek(h uint64) cursor {
	home, _ := bits.Mul64(h, uint64(len(x.slots)))
	return cursor{slot: int(home), tag: uint32(h) << x.shift} //nolint:gosec // home < len(slots); the tag is cut on purpose
}

// next is the next candidate, 0 after the last. The caller compares its record.
func (x *index) next(c *cursor) uint32 {
	slots, low, i := x.slots, uint32(1)<<(x.shift&31)-1, c.slot
	for {
		slot := slots[i]
		if slot == 0 {
			return 0
		}
		if i++; i == len(slots) {
			i = 0
		}
		if (slot^c.tag)&^low == 0 && slot&low != 0 {
			c.slot = i
			return slot & low
		}
	}
}

// add enters an ordinal that is not in the index. The index must not be full.
func (x *index) add(h uint64, ord uint32) {
	c := x.seek(h)
	i := c.slot
	for x.slots[i] != 0 {
		if i++; i == len(x.slots) {
			i = 0
		}
	}
	x.slots[i] = c.tag | ord
	x.used++
	x.live++
}

// remove takes an ordinal out and leaves a grave, which searches pass; graves go with the next
// prepare.
func (x *index) remove(h uint64, ord uint32) {
	c := x.seek(h)
	for i := c.slot; x.slots[i] != 0; {
		next := i + 1
		if next == len(x.slots) {
			next = 0
		}
		if x.slots[i] == c.tag|ord {
			x.slots[i] = 1 << x.shift // ordinal 0: nobody
			x.live--
			if x.slots[next] == 0 {
				x.slots[i] = 0
				x.used--
			}
			return
		}
		i = next
	}
}

// mixID spreads an id over 64 bits.
func mixID(id int64) uint64 {
	hi, lo := bits.Mul64(uint64(id)^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93) //nolint:gosec // bits, not a number
	return hi ^ lo
}
