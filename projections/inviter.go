package projections

import (
	"encoding/binary"
	"fmt"
	"math"
)

// inviter is the record of a user who has shared, seeds included: half a cache line, so that a
// walk up the tree costs one line an ancestor.
type inviter struct {
	parent uint32 // record of who invited this user; 0 of a seed
	member uint32
	direct uint32
	total  uint32 // descendants within max_depth hops
	chain  uint32
	depth  uint32 // hops below the seed
	until  uint32 // Unix seconds: the latest expiry of an accepted share; forever saturates
	share  uint32 // the user's last accepted share
}

// forever is an expiry that 32 bits of seconds cannot hold (after February 2106).
const forever = math.MaxUint32

func secondsOf(expiresS int64) uint32 {
	return uint32(min(max(expiresS, 0), forever))
}

// before says whether an event time lies before an expiry.
func before(timeMS int64, until uint32) bool {
	return until == forever || timeMS/1000 < int64(until)
}

const (
	inviterShift   = 5
	inviterPageLen = 1 << inviterShift
	inviterBytes   = 8 * 4
)

type inviterPage [inviterPageLen]inviter

func (p *inviterPage) appendTo(dst []byte) []byte {
	for i := range p {
		dst = p[i].appendTo(dst)
	}
	return dst
}

func (v *inviter) appendTo(dst []byte) []byte {
	for _, f := range [...]uint32{v.parent, v.member, v.direct, v.total, v.chain, v.depth, v.until, v.share} {
		dst = binary.LittleEndian.AppendUint32(dst, f)
	}
	return dst
}

func (p *inviterPage) readFrom(src []byte) error {
	if len(src) != inviterPageLen*inviterBytes {
		return fmt.Errorf("%w: inviter page of %d bytes, want %d", errRecord, len(src), inviterPageLen*inviterBytes)
	}
	for i := range p {
		v, b := &p[i], src[inviterBytes*i:]
		for k, f := range [...]*uint32{&v.parent, &v.member, &v.direct, &v.total, &v.chain, &v.depth, &v.until, &v.share} {
			*f = binary.LittleEndian.Uint32(b[4*k:])
		}
	}
	return nil
}

// inviter is a record, brought back if need be. It is to be changed only after changeInviter.
func (c *campaign) inviter(own uint32) *inviter {
	return &c.inviters.at(own >> inviterShift)[own&(inviterPageLen-1)]
}

func (c *campaign) changeInviter(own uint32) *inviter {
	v := c.inviter(own)
	c.inviters.change(own >> inviterShift)
	return v
}

func (c *campaign) addInviter(v inviter) uint32 {
	own := c.inviters.next
	c.inviters.extend(own >> inviterShift)[own&(inviterPageLen-1)] = v
	return own
}

// above is the user some hops up from an inviter record, 0 above the seed.
func (c *campaign) above(own uint32, hops int32) int64 {
	for ; hops > 0 && own != 0; hops-- {
		own = c.inviter(own).parent
	}
	if own == 0 {
		return 0
	}
	p, i := c.member(c.inviter(own).member)
	return p.id[i]
}
