package admission

import (
	"context"
	"slices"
	"time"

	"hongbao/internal/crashpoint"
)

// trip sends what is waiting, up to BatchMax asks, in one round trip. While it is under way the
// next asks gather: the busier Redis is, the larger the batches, without any timer.
func (g *Gate) trip(ctx context.Context) (bool, error) {
	b := g.batch
	e := g.fill(b)
	defer func() { clear(b.spans) }()
	if len(b.spans) == 0 {
		return false, nil
	}
	b.sort()
	crashpoint.Hit("admission.ask.before")
	ok, err := g.server.admit(ctx, e, b)
	if err != nil {
		g.failed(ctx, writing, err) // the calls are still in the queue: asked again, they get the same answers
		return false, err
	}
	crashpoint.Hit("admission.ask.after")
	if !ok {
		g.lost()
		return true, nil
	}
	g.look = time.Now().Add(g.cfg.Poll) // the script looked
	g.finish(b)
	return true, nil
}

// fill takes spans from the head of the queue, if anybody may be admitted.
func (g *Gate) fill(b *batch) epoch {
	g.mu.Lock()
	defer g.mu.Unlock()
	b.spans = b.spans[:0]
	if !g.view.complete() {
		return epoch{}
	}
	room := g.cfg.BatchMax
	for _, c := range g.queue {
		n := min(room, len(c.ops)-c.done)
		if n == 0 {
			break
		}
		b.spans = append(b.spans, span{call: c, n: n})
		room -= n
	}
	return g.view
}

// finish hands answered calls back to their owners.
func (g *Gate) finish(b *batch) {
	var s Stats
	for i := range b.size() {
		a := &b.at(i).answer
		s.count(a)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.worked(writing)
	g.stats.Trips++
	g.stats.Asks += int64(b.size())
	g.stats.ClaimsYes += s.ClaimsYes
	g.stats.ClaimsNo += s.ClaimsNo
	g.stats.SharesYes += s.SharesYes
	g.stats.SharesNo += s.SharesNo
	for _, sp := range b.spans {
		c := sp.call
		c.done += sp.n
		if c.done == len(c.ops) {
			c.ready <- struct{}{}
		}
	}
	g.queue = slices.DeleteFunc(g.queue, func(c *call) bool { return c.done == len(c.ops) })
}

func (s *Stats) count(a *Answer) {
	switch a.Claim {
	case Yes:
		s.ClaimsYes++
	case No:
		s.ClaimsNo++
	}
	switch a.Share {
	case Yes:
		s.SharesYes++
	case No:
		s.SharesNo++
	}
}

// submit puts c in the queue, unless its owner does not stand in the epoch in force.
func (g *Gate) submit(o *Owner, c *call) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.view.known() || g.view.nonce != o.epoch {
		return false
	}
	g.queue = append(g.queue, c)
	g.wake()
	return true
}

// withdraw takes c out of the queue. A round trip may still carry it; nobody will look at it.
func (g *Gate) withdraw(c *call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue = slices.DeleteFunc(g.queue, func(q *call) bool { return q == c })
}
