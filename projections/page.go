package projections

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// pageCodec is what a page of fixed size must be able to do. appendTo and readFrom are each
// other's inverse; readFrom accepts exactly what appendTo writes.
type pageCodec[P any] interface {
	*P
	appendTo(dst []byte) []byte
	readFrom(src []byte) error
}

// table is an array of records in pages without pointers, owned by one worker. Records have
// ordinals 1, 2, 3 ... that never change and are never reused, so a page can leave memory and
// come back (P5). Ordinal 0 is nobody.
type table[P any, C pageCodec[P]] struct {
	*source
	space    Space
	campaign int64
	next     uint32 // ordinal of the next record
	pages    []*P   // nil: only in the store
	spare    []*P   // blank pages: what is left of a slab, and some that have left memory
	meta     []pageMeta
	dirty    []uint32 // pages changed since the last flush
}

// pageMeta stands beside the page so that a page fills its size class of the allocator.
type pageMeta struct {
	day   uint16 // of the watermark when last touched
	flags uint8
}

const (
	pageDirty uint8 = 1 << iota
	pageKeyed       // members: each has its key in SpaceCold; stored with the page
)

// Header of a stored page: format and flags, day.
const (
	pageFormat    = 0x10
	pageHeaderLen = 3
)

// pageSlab is how many pages a large table allocates at once; a small one takes them by ones, lest the spare ones count.
const pageSlab = 16

// blank is a page of zeros.
func (t *table[P, C]) blank() *P {
	if len(t.spare) == 0 {
		slab := make([]P, min(pageSlab, 1+len(t.pages)/64))
		for i := range slab {
			t.spare = append(t.spare, &slab[i])
		}
	}
	last := len(t.spare) - 1
	p := t.spare[last]
	t.spare = t.spare[:last]
	*p = *new(P)
	return p
}

// leave takes a page out of memory; it is in the store, or needed no more.
func (t *table[P, C]) leave(pg uint32) {
	if p := t.pages[pg]; p != nil && len(t.spare) < pageSlab {
		t.spare = append(t.spare, p)
	}
	t.pages[pg] = nil
}

func (t *table[P, C]) at(pg uint32) *P {
	if int(pg) < len(t.pages) && t.pages[pg] != nil {
		return t.pages[pg]
	}
	return t.fetch(pg)
}

// fetch brings a page back.
func (t *table[P, C]) fetch(pg uint32) *P {
	p := t.blank()
	if t.read(pg, p) {
		t.pages[pg] = p
		t.meta[pg].day = t.today
	}
	return p
}

// peek is at without bringing the page back: an absent one is read into scratch.
func (t *table[P, C]) peek(pg uint32, scratch *P) *P {
	if int(pg) < len(t.pages) && t.pages[pg] != nil {
		return t.pages[pg]
	}
	t.read(pg, scratch)
	return scratch
}

func (t *table[P, C]) read(pg uint32, p *P) bool {
	*p = *new(P)
	if int(pg) >= len(t.pages) {
		t.fail(fmt.Errorf("%w: page %d of space %#x, campaign %d: there are %d", errRecord, pg, byte(t.space), t.campaign, len(t.pages)))
		return false
	}
	t.key = pageKey(t.key[:0], t.campaign, pg)
	value, ok := t.get(t.space)
	if !ok {
		t.fail(fmt.Errorf("%w: page %d of space %#x, campaign %d is missing", errRecord, pg, byte(t.space), t.campaign))
		return false
	}
	if _, err := decodePage[P, C](value, p); err != nil {
		t.fail(fmt.Errorf("page %d of space %#x, campaign %d: %w", pg, byte(t.space), t.campaign, err))
		*p = *new(P)
		return false
	}
	return true
}

func decodePage[P any, C pageCodec[P]](value []byte, p *P) (pageMeta, error) {
	if len(value) < pageHeaderLen || value[0]&^pageKeyed != pageFormat {
		return pageMeta{}, fmt.Errorf("%w: a page of %d bytes", errRecord, len(value))
	}
	m := pageMeta{flags: value[0] & pageKeyed, day: binary.LittleEndian.Uint16(value[1:])}
	return m, C(p).readFrom(value[pageHeaderLen:])
}

// extend makes room for the record t.next on page pg, and counts it.
func (t *table[P, C]) extend(pg uint32) *P {
	if int(pg) == len(t.pages) {
		t.pages = append(t.pages, t.blank())
		t.meta = append(t.meta, pageMeta{})
	}
	p := t.at(pg)
	t.change(pg)
	t.next++
	return p
}

// touch keeps the page in memory for another ColdDays.
func (t *table[P, C]) touch(pg uint32) {
	if int(pg) < len(t.meta) {
		t.meta[pg].day = t.today
	}
}

// change touches the page and has the next flush write it.
func (t *table[P, C]) change(pg uint32) {
	if int(pg) >= len(t.meta) {
		return // at has failed already
	}
	m := &t.meta[pg]
	m.day = t.today
	if m.flags&pageDirty == 0 {
		m.flags |= pageDirty
		t.dirty = append(t.dirty, pg)
	}
}

// flush writes the changed pages in key order.
func (t *table[P, C]) flush(w Writer) {
	slices.Sort(t.dirty)
	for _, pg := range t.dirty {
		m := &t.meta[pg]
		m.flags &^= pageDirty
		t.key = pageKey(t.key[:0], t.campaign, pg)
		t.value = append(t.value[:0], pageFormat|m.flags)
		t.value = binary.LittleEndian.AppendUint16(t.value, m.day)
		t.value = C(t.pages[pg]).appendTo(t.value)
		w.Set(t.space, t.key, t.value)
	}
	t.dirty = t.dirty[:0]
}

// scan reads the stored pages in order. p is lent to fn; one that keeps it answers true.
func (t *table[P, C]) scan(fn func(pg uint32, m pageMeta, p *P) (kept bool, err error)) error {
	p := t.blank()
	err := t.store.Scan(t.space, campaignKey(nil, t.campaign), func(key, value []byte) error {
		if len(key) != pageKeyLen {
			return fmt.Errorf("%w: page key %x", errRecord, key)
		}
		pg := binary.BigEndian.Uint32(key[pageKeyLen-4:])
		m, err := decodePage[P, C](value, p)
		if err != nil {
			return fmt.Errorf("page %d: %w", pg, err)
		}
		kept, err := fn(pg, m, p)
		if kept {
			p = t.blank()
		}
		return err
	})
	t.spare = append(t.spare, p)
	if err != nil {
		return fmt.Errorf("scan space %#x, campaign %d: %w", byte(t.space), t.campaign, err)
	}
	return nil
}

// load makes the table from the stored pages, the first of which is floor. keep says which stay in
// memory.
func (t *table[P, C]) load(floor uint32, shift uint8, keep func(pg uint32, m pageMeta, p *P) bool) error {
	if t.next == 0 || int(floor) > t.count(shift) {
		return fmt.Errorf("%w: %d pages of space %#x, campaign %d, from %d on", errRecord, t.count(shift), byte(t.space), t.campaign, floor)
	}
	t.pages, t.meta = make([]*P, floor), make([]pageMeta, floor)
	err := t.scan(func(pg uint32, m pageMeta, p *P) (bool, error) {
		if int(pg) != len(t.pages) {
			return false, fmt.Errorf("%w: page %d follows page %d", errRecord, pg, len(t.pages)-1)
		}
		t.pages, t.meta = append(t.pages, nil), append(t.meta, m)
		if !keep(pg, m, p) {
			return false, nil
		}
		t.pages[pg] = p
		return true, nil
	})
	if err == nil && len(t.pages) != t.count(shift) {
		err = fmt.Errorf("%w: space %#x, campaign %d ends at page %d of %d", errRecord, byte(t.space), t.campaign, len(t.pages), t.count(shift))
	}
	return err
}

// count is the number of pages of a table with so many records.
func (t *table[P, C]) count(shift uint8) int {
	if t.next <= 1 {
		return 0
	}
	return int(t.next-1)>>shift + 1
}

// absent makes the table one of stored pages of which none is in memory.
func (t *table[P, C]) absent(shift uint8) {
	t.pages, t.meta = make([]*P, t.count(shift)), make([]pageMeta, t.count(shift))
}
