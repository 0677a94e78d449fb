package projections

import (
	"encoding/binary"
	"fmt"
	"math"
)

// memberPage holds 63 users of a campaign, columns first: 16 bytes a user, 1,024 in all, which is
// a size class of the allocator. Place 0 is nobody's; its id is the page's first seq.
type memberPage struct {
	id    [memberPageLen]int64
	ref   [memberPageLen]uint32 // see ownBit
	later [memberPageLen]uint32 // seq after the page's first, of the fact that brought the user in
}

const (
	memberShift     = 6
	memberPageLen   = 1 << memberShift
	memberPageBytes = memberPageLen * (8 + 4 + 4)

	// ownBit in a ref: it is the user's own inviter record, else that of who invited the user.
	ownBit = 1 << 31
)

func (p *memberPage) seq(i uint32) int64 { return p.id[0] + int64(p.later[i]) }

// each calls fn for every member of page pg.
func (p *memberPage) each(pg uint32, fn func(ord uint32, id int64)) {
	for i, id := range p.id {
		if i > 0 && id != 0 {
			fn(pg<<memberShift|uint32(i), id)
		}
	}
}

func (p *memberPage) appendTo(dst []byte) []byte {
	for _, v := range p.id {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v)) //nolint:gosec // ids are positive
	}
	for _, v := range p.ref {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	for _, v := range p.later {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	return dst
}

func (p *memberPage) readFrom(src []byte) error {
	if len(src) != memberPageBytes {
		return fmt.Errorf("%w: member page of %d bytes, want %d", errRecord, len(src), memberPageBytes)
	}
	for i := range p.id {
		p.id[i] = int64(binary.LittleEndian.Uint64(src[8*i:])) //nolint:gosec // as written
	}
	src = src[8*memberPageLen:]
	for i := range p.ref {
		p.ref[i] = binary.LittleEndian.Uint32(src[4*i:])
	}
	src = src[4*memberPageLen:]
	for i := range p.later {
		p.later[i] = binary.LittleEndian.Uint32(src[4*i:])
	}
	return nil
}

// member is the page of a member and the place on it, brought back if need be.
func (c *campaign) member(ord uint32) (*memberPage, uint32) {
	pg, i := ord>>memberShift, ord&(memberPageLen-1)
	if int(pg) < len(c.members.pages) && c.members.pages[pg] != nil {
		return c.members.pages[pg], i
	}
	p := c.members.at(pg)
	if c.members.err == nil {
		c.indexPage(pg, p)
	}
	return p, i
}

// indexPage enters the members of a page that has come back: who is in memory is in the index.
func (c *campaign) indexPage(pg uint32, p *memberPage) {
	if c.users.full(memberPageLen, pg<<memberShift) {
		c.rebuildUsers(memberPageLen) // finds them on the page
		return
	}
	p.each(pg, func(ord uint32, id int64) { c.users.add(mixID(id), ord) })
}

// rebuildUsers makes the index anew from the pages in memory, with room for so many more.
func (c *campaign) rebuildUsers(more int) {
	c.users.prepare(c.users.live+more, c.members.next)
	for pg, p := range c.members.pages {
		if p != nil {
			p.each(uint32(pg), func(ord uint32, id int64) { c.users.add(mixID(id), ord) })
		}
	}
}

// find is the ordinal of a user, 0 of one that the campaign does not know here.
func (c *campaign) find(user int64) uint32 {
	if ord := c.findIndexed(user); ord != 0 {
		return ord
	}
	if len(c.cold.generations) == 0 || !c.cold.may(mixID(user)) {
		return 0
	}
	return c.findCold(user)
}

func (c *campaign) findIndexed(user int64) uint32 {
	for k := c.users.seek(mixID(user)); ; {
		ord := c.users.next(&k)
		if ord == 0 || c.members.pages[ord>>memberShift].id[ord&(memberPageLen-1)] == user {
			return ord
		}
	}
}

// findCold asks the store for a user whose page is not in memory, and brings the page back.
func (c *campaign) findCold(user int64) uint32 {
	c.key = appendKey(c.key[:0], uint64(c.id), uint64(user)) //nolint:gosec // ids are positive
	value, ok := c.get(SpaceCold)
	if !ok {
		return 0
	}
	if len(value) != 4 {
		c.fail(fmt.Errorf("%w: cold key of user %d, campaign %d", errRecord, user, c.id))
		return 0
	}
	ord := binary.BigEndian.Uint32(value)
	p, i := c.member(ord)
	if p.id[i] != user {
		c.fail(fmt.Errorf("%w: member %d of campaign %d is user %d, the cold key says %d", errRecord, ord, c.id, p.id[i], user))
		return 0
	}
	return ord
}

// nextMember is the ordinal of a member that fact seq brings in: the next one, on a new page if
// the present one is full or its seqs would lie too far apart.
func (c *campaign) nextMember(seq int64) uint32 {
	ord := c.members.next
	if ord&(memberPageLen-1) > 1 && seq-c.members.at(ord >> memberShift).id[0] > math.MaxUint32 {
		ord |= memberPageLen - 1
		ord++
	}
	return ord + uint32(count(ord&(memberPageLen-1) == 0)) //nolint:gosec // 0 or 1
}

// addMember brings a user into the campaign.
func (c *campaign) addMember(user int64, ref uint32, seq int64) {
	ord := c.nextMember(seq)
	if c.users.full(1, ord) {
		c.rebuildUsers(1)
	}
	c.members.next = ord
	p, i := c.members.extend(ord>>memberShift), ord&(memberPageLen-1)
	if i == 1 {
		p.id[0] = seq
	}
	p.id[i], p.ref[i], p.later[i] = user, ref, uint32(seq-p.id[0]) //nolint:gosec // bounded by nextMember
	c.users.add(mixID(user), ord)
}
