package cascade

import (
	"fmt"
	"math"
)

// waiters is how many members of a rung wait to share: see Fit.
const waiters = 16

// rung is one depth of a growing chain: who invites there, and who may next. A member is a
// number from 1 that its owner turns into an id.
type rung struct {
	inviter uint32          // 0: nobody has shared at this depth
	waiting [waiters]uint32 // members of this depth who have not shared
	waits   int32           // how many of them there are
	left    int32           // joins until another takes over
	direct  int32           // joins by inviter so far
	hour    int32           // the inviter's last share: hours since 1970
	shares  int32           // its shares within that hour
}

// take removes one of the waiting.
func (r *rung) take(d *dice) uint32 {
	i := d.below(int(r.waits))
	r.waits--
	member := r.waiting[i]
	r.waiting[i] = r.waiting[r.waits]
	return member
}

// ladder is a growing chain, one rung per depth; the seed stands on rung 0 for ever.
type ladder struct {
	rungs []rung
	climb int32 // depth to which joins follow one another; 0: none
}

func seeded(seed uint32) ladder {
	return ladder{rungs: []rung{{inviter: seed, left: math.MaxInt32}}}
}

// height is the number of rungs, at most DepthMax + 1.
func (l *ladder) height() int32 { return int32(len(l.rungs)) } //nolint:gosec // at most DepthMax + 1

// next draws the depth of the next join.
func (l *ladder) next(s *Shape, d *dice) int32 {
	deepest := l.height()
	if deepest <= l.climb {
		return deepest
	}
	depth := s.Depth.draw(d.unit(), s.DepthMax)
	if depth > deepest && d.unit() < s.Climb {
		l.climb = depth
	}
	return min(depth, deepest)
}

// ready says that somebody at depth can invite right now; otherwise one who waits must share first.
func (l *ladder) ready(depth int32) bool {
	r := &l.rungs[depth]
	return r.inviter != 0 && (r.left > 0 || r.waits == 0)
}

// promote makes a waiting member of a rung its inviter.
func (l *ladder) promote(depth int32, s *Shape, d *dice) {
	r := &l.rungs[depth]
	r.inviter = r.take(d)
	r.left = s.Fanout.draw(d.unit(), s.FanMax)
	r.direct, r.hour, r.shares = 0, 0, 0
}

// join puts a new member at depth, invited by the inviter above.
func (l *ladder) join(depth int32, member uint32) {
	above := &l.rungs[depth-1]
	above.direct++
	if above.left > 0 && depth > 1 {
		above.left--
	}
	if int(depth) == len(l.rungs) {
		l.rungs = append(l.rungs, rung{})
	}
	if r := &l.rungs[depth]; r.waits < waiters {
		r.waiting[r.waits] = member
		r.waits++
	}
}

// grow makes one cascade of n joins.
func (s *Shape) grow(d *dice, ids *ids, n int64) Cascade {
	c := Cascade{Nodes: make([]Node, 1, n+1)}
	c.Nodes[0] = Node{ID: ids.next(), Parent: -1}
	l := seeded(1) // members are numbered by their index + 1
	slow := s.AgeBetween * d.normal()
	for i := range n {
		depth := l.next(s, d)
		if !l.ready(depth - 1) {
			l.promote(depth-1, s, d)
		}
		parent := int32(l.rungs[depth-1].inviter) - 1          //nolint:gosec // an index
		atMS := s.ageMS(slow, quantile(d, i, n)) / 1000 * 1000 // whole seconds, as in the data
		c.Nodes = append(c.Nodes, Node{ID: ids.next(), Parent: parent, Depth: depth, AtMS: atMS})
		l.join(depth, uint32(len(c.Nodes))) //nolint:gosec // indexes are 32 bits
	}
	c.Name = fmt.Sprintf("treefile_%d.txt", c.Root())
	return c
}

// quantile is a random place in the i-th of n equal parts of (0, 1), so that quantiles drawn
// one after the other are in order.
func quantile(d *dice, i, n int64) float64 {
	return (float64(i) + min(d.unit(), 1-0x1p-20)) / float64(n)
}

// Grow makes n cascades with so many joins in all. The same seed gives the same cascades.
func (s *Shape) Grow(seed uint64, n int, joins int64) []Cascade {
	d, ids := newDice(seed, 0), newIDs(seed)
	cascades := make([]Cascade, n)
	for i, size := range s.sizes(d, n, joins) {
		cascades[i] = s.grow(d, &ids, size)
	}
	return cascades
}
