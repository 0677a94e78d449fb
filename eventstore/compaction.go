package eventstore

import "github.com/cockroachdb/pebble/v2"

// compactions lets a partition compact one thing at a time, and nothing once it is corrupt: Pebble would try the table that it cannot read again
// and again, without a pause, until the partition is thrown away. It is Pebble's own scheduler without the goroutine that looks ten times a second
// whether more may run at once, because never more than one may; that goroutine also outlived an Open that failed.
type compactions struct {
	*pebble.ConcurrencyLimitScheduler
	p *Partition
}

func (p *Partition) compactions() *compactions {
	return &compactions{pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest(), p}
}

// Register is part of pebble.CompactionScheduler.
func (c *compactions) Register(goroutines int, db pebble.DBForCompaction) {
	c.ConcurrencyLimitScheduler.Register(goroutines, compacted{db, c.p})
}

// compacted is the database as its scheduler sees it.
type compacted struct {
	pebble.DBForCompaction
	p *Partition
}

// GetAllowedWithoutPermission is part of pebble.DBForCompaction.
func (c compacted) GetAllowedWithoutPermission() int {
	if c.p.broken.Load() != nil {
		return 0
	}
	return c.DBForCompaction.GetAllowedWithoutPermission()
}
