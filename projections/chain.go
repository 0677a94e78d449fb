package projections

import (
	"encoding/binary"
	"fmt"
)

// chain counts one invite tree. Its size is joins + 1.
type chain struct {
	seed     int64 // the chain's id
	joins    uint32
	shares   uint32
	maxDepth uint32
}

const (
	chainShift   = 5
	chainPageLen = 1 << chainShift
	chainBytes   = 8 + 3*4
)

type chainPage [chainPageLen]chain

func (p *chainPage) appendTo(dst []byte) []byte {
	for i := range p {
		dst = p[i].appendTo(dst)
	}
	return dst
}

func (v *chain) appendTo(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(v.seed)) //nolint:gosec // ids are positive
	dst = binary.LittleEndian.AppendUint32(dst, v.joins)
	dst = binary.LittleEndian.AppendUint32(dst, v.shares)
	return binary.LittleEndian.AppendUint32(dst, v.maxDepth)
}

func (p *chainPage) readFrom(src []byte) error {
	if len(src) != chainPageLen*chainBytes {
		return fmt.Errorf("%w: chain page of %d bytes, want %d", errRecord, len(src), chainPageLen*chainBytes)
	}
	for i := range p {
		v, b := &p[i], src[chainBytes*i:]
		v.seed = int64(binary.LittleEndian.Uint64(b)) //nolint:gosec // as written
		v.joins = binary.LittleEndian.Uint32(b[8:])
		v.shares = binary.LittleEndian.Uint32(b[12:])
		v.maxDepth = binary.LittleEndian.Uint32(b[16:])
	}
	return nil
}

func (c *campaign) chain(ch uint32) *chain {
	return &c.chains.at(ch >> chainShift)[ch&(chainPageLen-1)]
}

func (c *campaign) changeChain(ch uint32) *chain {
	v := c.chain(ch)
	c.chains.change(ch >> chainShift)
	return v
}

func (c *campaign) addChain(seed int64) uint32 {
	ch := c.chains.next
	c.chains.extend(ch >> chainShift)[ch&(chainPageLen-1)] = chain{seed: seed}
	return ch
}
