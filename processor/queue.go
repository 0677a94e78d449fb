package processor

import (
	"context"
	"sync"
	"sync/atomic"
)

// Bounds of a lane (X9): deep enough that fetching goes on while a transaction runs, not so deep that arenas grow cold.
// Events are counted by weight, so that each is a bound in bytes too.
const (
	unpublishedMax    = 32 << 10 // events read and not yet in a committed transaction
	transactionEvents = 32 << 10 // events a transaction
	transactionBytes  = 64 << 20 // of entries, a transaction
	pollRecordsMax    = 16 << 10
	fetchBytesMax     = 16 << 20 // of a broker's answer; a client holds one a broker
	recordBytesMax    = 2 << 20  // max.message.bytes of the output topics
)

// queue holds a lane's sealed steps until they are published. Its depth is bounded by what dispatch lets in.
type queue struct {
	wake   chan struct{} // a step came
	room   chan struct{} // events left
	events atomic.Int64  // weight of the queued steps, those of the running transaction included

	mu      sync.Mutex
	steps   []*step
	pending map[*partition]int             // steps queued or in the running transaction
	waiting map[*partition][]chan struct{} // who waits for pending to be none
}

func (q *queue) push(s *step) {
	q.mu.Lock()
	if q.pending == nil {
		q.pending = map[*partition]int{}
	}
	q.pending[s.partition]++
	q.steps = append(q.steps, s)
	q.mu.Unlock()
	q.events.Add(int64(s.events))
	signal(q.wake)
}

// takeInto moves whole steps in order, up to the transaction's bound.
func (q *queue) takeInto(dst []*step) []*step {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, events, bytes := 0, 0, 0
	for n < len(q.steps) && events < transactionEvents && bytes < transactionBytes {
		events += q.steps[n].events
		bytes += len(q.steps[n].entry)
		n++
	}
	dst = append(dst, q.steps[:n]...)
	rest := copy(q.steps, q.steps[n:])
	clear(q.steps[rest:])
	q.steps = q.steps[:rest]
	return dst
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.steps) == 0
}

// done marks a step as published or dropped.
func (q *queue) done(s *step) {
	q.events.Add(-int64(s.events))
	q.mu.Lock()
	p := s.partition
	if q.pending[p]--; q.pending[p] <= 0 {
		delete(q.pending, p)
		for _, w := range q.waiting[p] {
			close(w)
		}
		delete(q.waiting, p)
	}
	q.mu.Unlock()
	signal(q.room)
}

// drained waits until no step of p is queued or under way.
func (q *queue) drained(ctx context.Context, p *partition) error {
	q.mu.Lock()
	if q.pending[p] == 0 {
		q.mu.Unlock()
		return nil
	}
	w := make(chan struct{})
	if q.waiting == nil {
		q.waiting = map[*partition][]chan struct{}{}
	}
	q.waiting[p] = append(q.waiting[p], w)
	q.mu.Unlock()
	select {
	case <-w:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
