package eventstore

// Stats are what a partition costs, for metrics.
type Stats struct {
	DiskBytes      uint64 // tables, logs and what waits to be removed; checkpoints not counted
	MemTableBytes  uint64 // of all memtables
	Tables         int64  // on all levels
	ReadAmp        int    // places a read may have to look at
	CompactionDebt uint64 // bytes that wait to be compacted
	Stalls         int64  // times that commits waited for the disk since open
}

// Stats may be called from any goroutine; zero when the partition is closed.
func (p *Partition) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.db == nil || p.usable() != nil {
		return Stats{}
	}
	m := p.db.Metrics()
	total := m.Total()
	return Stats{
		DiskBytes: m.DiskSpaceUsage(), MemTableBytes: m.MemTable.Size, Tables: total.TablesCount, ReadAmp: m.ReadAmp(),
		CompactionDebt: m.Compact.EstimatedDebt, Stalls: p.stalls.Load(),
	}
}
