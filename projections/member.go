package projections

import (
	"encoding/binary"
	"fmt"
)

// memberPage holds 64 users of a campaign, columns first: 18 bytes a user, 1,152 in all, which
// is a size class of the allocator.
type memberPage struct {
	id    [memberPageLen]int64
	ref   [memberPageLen]uint32 // see ownBit
	seqLo [memberPageLen]uint32 // of the fact that accepted the join, or the seed's first share
	seqHi [memberPageLen]uint16
}

const (
	memberShift   = 6
	memberPageLen = 1 << memberShift
	memberPageMax = memberPageLen * (8 + 4 + 4 + 2)

	// ownBit in a ref: it is the user's own inviter record, else that of who invited the user.
	ownBit = 1 << 31

	seqMax = 1<<48 - 1
)

func (p *memberPage) seq(i uint32) int64 { return int64(p.seqHi[i])<<32 | int64(p.seqLo[i]) }

func (p *memberPage) appendTo(dst []byte) []byte {
	for _, v := range p.id {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v)) //nolint:gosec // ids are positive
	}
	for _, v := range p.ref {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	for _, v := range p.seqLo {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	for _, v := range p.seqHi {
		dst = binary.LittleEndian.AppendUint16(dst, v)
	}
	return dst
}

func (p *memberPage) readFrom(src []byte) error {
	if len(src) != memberPageMax {
		return fmt.Errorf("%w: member page of %d bytes, want %d", errRecord, len(src), memberPageMax)
	}
	for i := range p.id {
		p.id[i] = int64(binary.LittleEndian.Uint64(src[8*i:])) //nolint:gosec // as written
	}
	src = src[8*memberPageLen:]
	for i := range p.ref {
		p.ref[i] = binary.LittleEndian.Uint32(src[4*i:])
	}
	src = src[4*memberPageLen:]
	for i := range p.seqLo {
		p.seqLo[i] = binary.LittleEndian.Uint32(src[4*i:])
	}
	src = src[4*memberPageLen:]
	for i := range p.seqHi {
		p.seqHi[i] = binary.LittleEndian.Uint16(src[2*i:])
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
	for i, id := range p.id {
		if id != 0 {
			c.users.add(mixID(id), pg<<memberShift|uint32(i)) //nolint:gosec // a place on a page
		}
	}
}

// rebuildUsers makes the index anew from the pages in memory, with room for so many more.
func (c *campaign) rebuildUsers(more int) {
	c.users.prepare(c.users.live+more, c.members.next)
	for pg, p := range c.members.pages {
		if p == nil {
			continue
		}
		for i, id := range p.id {
			if id != 0 {
				c.users.add(mixID(id), uint32(pg)<<memberShift|uint32(i)) //nolint:gosec // an ordinal
			}
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

// addMember brings a user into the campaign.
func (c *campaign) addMember(user int64, ref uint32, seq int64) uint32 {
	ord := c.members.next
	if c.users.full(1, ord) {
		c.rebuildUsers(1)
	}
	p := c.members.extend(ord >> memberShift)
	i := ord & (memberPageLen - 1)
	p.id[i], p.ref[i] = user, ref
	p.seqLo[i], p.seqHi[i] = uint32(seq), uint16(seq>>32) //nolint:gosec // cut on purpose; seq <= seqMax
	c.users.add(mixID(user), ord)
	return ord
}
