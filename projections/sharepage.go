package projections

import (
	"encoding/binary"
	"fmt"
)

// share is one accepted share. Only the newest pages stay in memory, and an index slot for each
// share whose code has not expired by the watermark (P6). Pages are kept in the store for another
// shareKeepDays, so that a backfill sent twice meets the share limit twice (domain.md section 4).
type share struct {
	hash    [16]byte // EventHash
	timeMS  int64
	seq     int64
	until   uint32 // the code's expiry, as in inviter
	inviter uint32
	next    uint32 // the inviter's accepted share before this one
}

const (
	shareShift   = 6
	sharePageLen = 1 << shareShift
	shareBytes   = 16 + 8 + 8 + 3*4

	shareKeepDays = 30 // of watermark, as long as invite.events keeps its records
)

type sharePage [sharePageLen]share

// sharePageInfo is known of every page, in memory or not.
type sharePageInfo struct {
	until uint32 // latest expiry
	day   uint16 // of the watermark when the last one was accepted
}

func (p *sharePage) appendTo(dst []byte) []byte {
	for i := range p {
		v := &p[i]
		dst = append(dst, v.hash[:]...)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.timeMS)) //nolint:gosec // positive
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.seq))    //nolint:gosec // positive
		dst = binary.LittleEndian.AppendUint32(dst, v.until)
		dst = binary.LittleEndian.AppendUint32(dst, v.inviter)
		dst = binary.LittleEndian.AppendUint32(dst, v.next)
	}
	return dst
}

func (p *sharePage) readFrom(src []byte) error {
	if len(src) != sharePageLen*shareBytes {
		return fmt.Errorf("%w: share page of %d bytes, want %d", errRecord, len(src), sharePageLen*shareBytes)
	}
	for i := range p {
		v, b := &p[i], src[shareBytes*i:]
		copy(v.hash[:], b)
		v.timeMS = int64(binary.LittleEndian.Uint64(b[16:])) //nolint:gosec // as written
		v.seq = int64(binary.LittleEndian.Uint64(b[24:]))    //nolint:gosec // as written
		v.until = binary.LittleEndian.Uint32(b[32:])
		v.inviter = binary.LittleEndian.Uint32(b[36:])
		v.next = binary.LittleEndian.Uint32(b[40:])
	}
	return nil
}

func (v *share) spread() uint64 { return binary.LittleEndian.Uint64(v.hash[:]) }

// lives says that the share's code has not expired by the watermark: only such a share makes
// another one a duplicate.
func (v *share) lives(watermarkMS int64) bool { return v.seq != 0 && before(watermarkMS, v.until) }

func (c *campaign) share(ord uint32) *share {
	return &c.shares.at(ord >> shareShift)[ord&(sharePageLen-1)]
}

// findShare is the seq of the accepted share with that hash, unless its code has expired by the
// watermark.
func (c *campaign) findShare(h [16]byte, watermarkMS int64) (seq int64, ok bool) {
	for k := c.shareIDs.seek(binary.LittleEndian.Uint64(h[:])); ; {
		ord := c.shareIDs.next(&k)
		if ord == 0 {
			return 0, false
		}
		if !before(watermarkMS, c.shareInfo[ord>>shareShift].until) {
			continue // the page may be gone
		}
		if v := c.share(ord); v.hash == h && v.lives(watermarkMS) {
			return v.seq, true
		}
	}
}

// addShare keeps an accepted share.
func (c *campaign) addShare(v share, watermarkMS int64) uint32 {
	ord := c.shares.next
	if c.shareIDs.full(1, ord) {
		c.rebuildShares(watermarkMS)
	}
	pg := ord >> shareShift
	c.shares.extend(pg)[ord&(sharePageLen-1)] = v
	c.noteShare(pg, &v)
	c.shareIDs.add(v.spread(), ord)
	return ord
}

func (c *campaign) noteShare(pg uint32, v *share) {
	for int(pg) >= len(c.shareInfo) {
		c.shareInfo = append(c.shareInfo, sharePageInfo{})
	}
	info := &c.shareInfo[pg]
	info.until = max(info.until, v.until)
	info.day = max(info.day, c.today)
}

// rebuildShares makes the index anew, with the shares that live. It reads every page, most of
// them from the store; that happens when their number has grown by a sixth.
func (c *campaign) rebuildShares(watermarkMS int64) {
	c.shareIDs.prepare(c.shareIDs.live+1, c.shares.next)
	absent := false
	for pg, p := range c.shares.pages {
		switch {
		case !before(watermarkMS, c.shareInfo[pg].until):
		case p == nil:
			absent = true
		default:
			c.indexShares(uint32(pg), p, watermarkMS)
		}
	}
	if !absent {
		return
	}
	err := c.shares.scan(func(pg uint32, _ pageMeta, p *sharePage) (bool, error) {
		if int(pg) < len(c.shares.pages) && c.shares.pages[pg] == nil {
			c.indexShares(pg, p, watermarkMS)
		}
		return false, nil
	})
	if err != nil {
		c.fail(err)
	}
}

func (c *campaign) indexShares(pg uint32, p *sharePage, watermarkMS int64) {
	for i := range p {
		if p[i].lives(watermarkMS) {
			c.shareIDs.add(p[i].spread(), pg<<shareShift|uint32(i))
		}
	}
}

// over says that nobody will ask for the page again.
func (n sharePageInfo) over(watermarkMS int64) bool {
	return !before(watermarkMS, n.until) && int(dayOf(watermarkMS)) > int(n.day)+shareKeepDays
}
