package processor

import (
	"slices"

	"hongbao/fsm"
	"hongbao/internal/admission"
)

// Status is what a Processor says of itself to health pages and people.
type Status struct {
	Owned   []int32 // by the group's word
	Working []int32 // taken over, with a worker
	Stopped []*Stop
	Gate    admission.Status
	Pool    fsm.PoolStats
	Seqs    map[int32]int64 // committed seq of the working partitions
}

// Status may be called at any time after Run has begun.
func (x *Processor) Status() Status {
	s := Status{Seqs: map[int32]int64{}, Gate: x.cfg.Gate.Status()}
	if x.opened.Load() {
		s.Owned, s.Pool = x.member.held(), x.pool.Stats()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for p, part := range x.live {
		s.Working = append(s.Working, p)
		s.Seqs[p] = part.committed.Load()
	}
	for _, stop := range x.stops {
		s.Stopped = append(s.Stopped, stop)
	}
	slices.Sort(s.Working)
	slices.SortFunc(s.Stopped, func(a, b *Stop) int { return int(a.Partition - b.Partition) })
	return s
}
