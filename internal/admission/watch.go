package admission

import (
	"context"
	"fmt"
	"time"

	"hongbao/internal/crashpoint"
)

// watch looks at the epoch, begins another one where judge says so, and adopts what it finds.
func (g *Gate) watch(ctx context.Context) error {
	s, err := g.server.begin(ctx, "", "", 0)
	if err == nil {
		err = g.settle(ctx, s)
	}
	if err != nil {
		g.failed(ctx, looking, err)
	}
	return err
}

// settle makes a sight the epoch in force. Whoever else begins one at the same moment is found by
// the second sight: begin changes the key only while it holds what was seen.
func (g *Gate) settle(ctx context.Context, s sight) error {
	g.mu.Lock()
	highest := g.highest
	g.mu.Unlock()
	e, begin, err := judge(s, highest, g.cfg.Partitions)
	if err != nil {
		return err
	}
	if begin {
		head := epochHead(max(highest, e.number)+1, max(g.cfg.Rand.Uint64(), 1))
		crashpoint.Hit("admission.epoch.before")
		if s, err = g.server.begin(ctx, s.raw, head, g.cfg.Partitions); err != nil {
			return err
		}
		crashpoint.Hit("admission.epoch.after")
		if e, begin, err = judge(s, highest, g.cfg.Partitions); err != nil {
			return err
		}
		if begin { // the server changed between the two: look again
			return fmt.Errorf("admission: the epoch key changed to %q while a new epoch was begun", s.raw)
		}
	}
	g.adopt(e)
	return nil
}

// adopt puts e in force. Within one epoch marks only ever grow, so a look that was answered
// before a mark does not take it away.
func (g *Gate) adopt(e epoch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.worked(looking)
	if g.view.known() && g.view.nonce == e.nonce {
		e = g.view.with(e.marks)
	} else {
		g.stats.Epochs++
	}
	g.replace(e)
	idle := len(g.queue)+len(g.releases) == 0
	for _, o := range g.owners {
		idle = !g.want(o) && idle
	}
	if idle { // nothing is left that could show whether writes work again
		g.worked(writing)
	}
}

// marked takes over what a mark of e answered, if e is still in force, and says whether p is marked.
func (g *Gate) marked(e epoch, s sight, p int32) bool {
	seen, err := parseEpoch(s.raw)
	if err != nil || seen.nonce != e.nonce || s.server != e.server || !seen.marked(p) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.worked(writing)
	if g.view.nonce != e.nonce || !g.view.known() {
		return false
	}
	g.replace(g.view.with(seen.marks))
	g.wake()
	return true
}

// lost says that an ask met another epoch or server than the one in force: nobody is admitted
// until the next look, and all calls go back to their owners, whatever answers they have.
func (g *Gate) lost() {
	g.look = time.Time{}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.replace(epoch{})
}

// doubt says that an owner met another epoch or server. The view is changed by Run alone, between
// two round trips: a call that goes back to its owner must not be in one.
func (g *Gate) doubt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.doubted = true
	g.wake()
}

// replace changes the view and tells everyone whom it concerns. The caller holds the lock.
func (g *Gate) replace(e epoch) {
	if g.view.raw == e.raw {
		return
	}
	moved := g.view.nonce != e.nonce
	g.view, g.highest = e, max(g.highest, e.number)
	if moved {
		for _, c := range g.queue {
			c.again = true
			c.ready <- struct{}{}
		}
		g.queue = g.queue[:0]
	}
	g.turnState()
	close(g.changed)
	g.changed = make(chan struct{})
}
