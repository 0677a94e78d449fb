package admission

import (
	"fmt"
	"strconv"
	"strings"
)

// epoch is the value of {p}:epoch as last seen: "<number> <nonce> <server> <marks>", one mark per
// partition, '1' when it was rebuilt. Number grows; nonce makes two epochs of one number differ
// (an emptied Redis is begun at 1 again by a process that knows no better); server is the
// identity of the Redis process that the epoch was begun on.
type epoch struct {
	raw    string // the whole value; "" means that no epoch is known
	number uint64
	nonce  uint64
	server string
	marks  string
}

// id is the part of the value that marks leave alone, with its final space.
func (e epoch) id() string { return e.raw[:len(e.raw)-len(e.marks)] }

func (e epoch) known() bool { return e.raw != "" }

func (e epoch) complete() bool { return e.known() && strings.IndexByte(e.marks, '0') < 0 }

func (e epoch) marked(p int32) bool { return e.marks[p] == '1' }

// with is e with the marks of both.
func (e epoch) with(marks string) epoch {
	both := []byte(e.marks)
	for p := range both {
		both[p] |= marks[p] // '0' is 0x30, '1' is 0x31
	}
	e.raw = e.id() + string(both)
	e.marks = e.raw[len(e.raw)-len(both):]
	return e
}

// tag is what rebuilt claims of this epoch carry; never zero, which means "asked".
func (e epoch) tag() uint16 { return uint16(e.nonce) | 1 } //nolint:gosec // the low bits

func (e epoch) missing() []int32 {
	var ps []int32
	for p := range len(e.marks) {
		if e.marks[p] == '0' {
			ps = append(ps, int32(p))
		}
	}
	return ps
}

func epochHead(number, nonce uint64) string { return fmt.Sprintf("%d %016x ", number, nonce) }

func parseEpoch(raw string) (epoch, error) {
	f := strings.Split(raw, " ")
	if len(f) != 4 || strings.Trim(f[3], "01") != "" || f[3] == "" {
		return epoch{}, fmt.Errorf("admission: the epoch key holds %q: that is no epoch of hongbao", raw)
	}
	number, err1 := strconv.ParseUint(f[0], 10, 64)
	nonce, err2 := strconv.ParseUint(f[1], 16, 64)
	if err1 != nil || err2 != nil {
		return epoch{}, fmt.Errorf("admission: the epoch key holds %q: that is no epoch of hongbao", raw)
	}
	return epoch{raw: raw, number: number, nonce: nonce, server: f[2], marks: f[3]}, nil
}

// sight is what one look at Redis saw: the epoch key ("" when missing) and who answered.
type sight struct {
	raw    string
	server string
}

// judge says what a look means to a gate that has seen epochs up to number highest: adopt e, or
// begin a new epoch in its place (e is zero when there is none). An error is for people: waiting alone mends nothing.
func judge(s sight, highest uint64, partitions int32) (e epoch, begin bool, err error) {
	if s.raw == "" {
		return epoch{}, true, nil // never started, emptied, or a failover lost the key itself
	}
	if e, err = parseEpoch(s.raw); err != nil {
		return epoch{}, false, err
	}
	if len(e.marks) != int(partitions) {
		return epoch{}, false, fmt.Errorf("admission: the epoch key counts %d partitions, this process %d: "+
			"all processes under one prefix must have the same partition count", len(e.marks), partitions)
	}
	if e.server != s.server {
		return e, true, nil // the key survived into another process, perhaps without the last writes
	}
	if e.number < highest {
		return e, true, nil // going back would let two epochs admit at once
	}
	return e, false, nil
}
