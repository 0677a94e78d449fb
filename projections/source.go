package projections

import (
	"fmt"
	"math"
)

// source is the way to the store that all tables of a state share. The first failure stays in
// err: whoever reads a page gets an empty one then, walks end by their bounds, and Decide and
// Fold tell at their end. So the many small steps of a walk need no error of their own.
type source struct {
	store Store
	err   error
	key   []byte
	value []byte
	today uint16 // day of the watermark
}

// fail keeps the first error.
func (o *source) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// get reads the key in o.key. The value lives until the next get.
func (o *source) get(space Space) ([]byte, bool) {
	if o.err != nil {
		return nil, false
	}
	value, ok, err := o.store.Get(space, o.key, o.value)
	if err != nil {
		o.fail(fmt.Errorf("read key %x of space %#x: %w", o.key, byte(space), err))
		return nil, false
	}
	if cap(value) > cap(o.value) {
		o.value = value
	}
	return value, ok
}

const dayMS = 24 * 60 * 60 * 1000

// dayOf is the day since 1970 that a time falls into, as touches are kept; they end in 2149.
func dayOf(timeMS int64) uint16 {
	return uint16(min(max(timeMS, 0)/dayMS, math.MaxUint16))
}
