package processor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// moves counts how often the group took each partition away, so that a swap, which takes one away by itself, never gives
// back what has gone meanwhile.
type moves struct {
	mu sync.Mutex
	n  map[int32]int
}

func (m *moves) note(ps []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n == nil {
		m.n = map[int32]int{}
	}
	for _, p := range ps {
		m.n[p]++
	}
}

func (m *moves) of(p int32) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n[p]
}

// Refusals of a command about one partition.
var (
	ErrElsewhere = errors.New("the partition is not owned by this instance")
	ErrBusy      = errors.New("the partition is being taken over")
)

// swapPatience bounds how long a swap waits for the worker's present step and its tail.
const swapPatience = 30 * time.Second

// Swap stops partition p, puts what the data directory dir holds of it in place of its store, and lets X5 settle it again: what
// the other store lacks is folded from facts, and one of another history is thrown away. It returns once the partition works or has stopped.
// The group notices nothing. ErrElsewhere, ErrBusy, eventstore.ErrRefused: nothing has changed.
func (x *Processor) Swap(ctx context.Context, p int32, dir string) error {
	x.swapping.Lock() // one at a time: its neighbours on the lane wait for the fold
	defer x.swapping.Unlock()
	if err := x.mine(p); err != nil {
		return err
	}
	since, l, old := x.moves.of(p), x.laneOf(p), x.running(p)
	began := time.Now()
	// What has begun is finished, whoever stops waiting for it.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), swapPatience)
	defer cancel()
	part := l.opened(p) // a worker that ends leaves the lane's list before its store is closed
	tail, enough := context.WithTimeout(whole, revokePatience)
	l.release(tail, p)
	enough()
	err := part.atRest(whole)
	if err == nil {
		err = x.store.Swap(p, dir)
	}
	if !x.retake(l, p, since) {
		return errors.Join(fmt.Errorf("partition %d moved to another instance meanwhile: %w", p, ErrElsewhere), err)
	}
	if err != nil {
		return fmt.Errorf("the partition goes on with the store that it had: %w", err)
	}
	if err := x.settledAgain(ctx, p, old); err != nil {
		return err
	}
	x.log.Info("partition swapped", "partition", p, "from", dir, "took", time.Since(began))
	return nil
}

// mine says why a command about p is not for this instance, or not now.
func (x *Processor) mine(p int32) error {
	if p < 0 || p >= x.cfg.Partitions {
		return fmt.Errorf("partition %d: there are 0..%d", p, x.cfg.Partitions-1)
	}
	if !x.opened.Load() || !x.member.owns(p) {
		return fmt.Errorf("partition %d: %w", p, ErrElsewhere)
	}
	if x.running(p) == nil && !x.isStopped(p) {
		return fmt.Errorf("partition %d: %w; its restore may be under way, ask again", p, ErrBusy)
	}
	return nil
}

func (l *lane) opened(p int32) *partition {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[p]
}

// atRest waits until nobody works on the partition and its store is closed. The lane owns it no more. nil rests.
func (p *partition) atRest(ctx context.Context) error {
	if p == nil {
		return nil
	}
	select {
	case <-p.rested():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("partition %d does not come to rest within %s", p.id, swapPatience)
	}
}

// retake gives p back to its lane, unless the group has taken it away since. A callback notes the move before it asks the lane,
// so one of the two always sees the other.
func (x *Processor) retake(l *lane, p int32, since int) bool {
	x.moves.mu.Lock()
	defer x.moves.mu.Unlock()
	if x.moves.n[p] != since || !x.member.owns(p) {
		return false
	}
	x.clearStop(p)
	l.assign(p)
	return true
}

// settledAgain waits until p works again, under another worker than old, or has stopped.
func (x *Processor) settledAgain(ctx context.Context, p int32, old *partition) error {
	for {
		if part := x.running(p); part != nil && part != old {
			return nil
		}
		x.mu.Lock()
		stop := x.stops[p]
		x.mu.Unlock()
		switch {
		case stop != nil:
			return stop
		case !x.member.owns(p):
			return fmt.Errorf("partition %d moved to another instance after the swap: %w", p, ErrElsewhere)
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("partition %d is swapped and not at work yet: %w", p, err)
		}
	}
}
