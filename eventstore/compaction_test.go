package eventstore

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// busy is a database that would always compact.
type busy struct{ pebble.DBForCompaction }

func (busy) GetAllowedWithoutPermission() int { return 1 }

// TestCorruptPartitionCompactsNoMore: a table that cannot be read would be tried without end (E6).
func TestCorruptPartitionCompactsNoMore(t *testing.T) {
	t.Parallel()
	p := &Partition{}
	c := p.compactions()
	c.Register(1, busy{})
	if ok, _ := c.TrySchedule(); !ok {
		t.Fatal("a sound partition may not compact")
	}
	broken := errors.New("a block does not read")
	p.broken.Store(&broken)
	c = p.compactions()
	c.Register(1, busy{})
	if ok, _ := c.TrySchedule(); ok {
		t.Fatal("a corrupt partition compacts")
	}
}
