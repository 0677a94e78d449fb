package sim

import (
	"sync/atomic"
	"testing"
	"time"
)

// clock is a process's own: how far it is beside the true time.
type clock struct {
	beside atomic.Int64 // nanoseconds
	jumped atomic.Bool  // and nobody has read it since
	ahead  atomic.Int64 // the most that somebody has read: timers were set by it
}

// jump puts the clock beside the true time.
func (c *clock) jump(d time.Duration) {
	c.beside.Store(int64(d))
	c.jumped.Store(d != 0)
}

// now reads the clock. met says that this is the first reading since a jump, where it counts.
func (c *clock) now(counts bool) (at time.Time, met bool) {
	d := c.beside.Load()
	if met = counts && c.jumped.CompareAndSwap(true, false); met {
		c.ahead.Store(max(c.ahead.Load(), d))
	}
	return time.Now().Add(time.Duration(d)), met
}

// TestClock: a jump counts when it is read, and as far as it was ahead then.
func TestClock(t *testing.T) {
	t.Parallel()
	var c clock
	read := func(want time.Duration, wantMet bool) {
		t.Helper()
		if _, met := c.now(true); met != wantMet || c.ahead.Load() != int64(want) {
			t.Errorf("met %v, ahead %v; want %v, %v", met, time.Duration(c.ahead.Load()), wantMet, want)
		}
	}
	read(0, false)
	c.jump(9 * time.Second)
	c.now(false) // by a process that is dead
	c.jump(0)
	read(0, false)
	c.jump(3 * time.Second)
	read(3*time.Second, true)
	read(3*time.Second, false)
	c.jump(-time.Second)
	read(3*time.Second, true)
}
