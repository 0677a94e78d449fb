//go:build synctests

package sim

import (
	"time"

	pb "hongbao/schemas/invitepb"
)

// clash makes events for which Redis says yes and the state no (X10): a member of one chain joins another, where his claim is refused, shares there, and
// somebody new joins by that share, in one batch. The newcomer's claim is granted and must be given back. Half of them join properly a burst later.
func (f *feed) clash() {
	for _, v := range f.later {
		if c := f.pick(); len(c.sharers) > 0 {
			f.join(c.seed, c.codes[member(f.rng, c.sharers)], v)
			c.members = append(c.members, v)
		}
	}
	f.later = f.later[:0]
	c, d := f.pick(), f.pick()
	if c == d || len(d.sharers) == 0 {
		return
	}
	m, v := member(f.rng, c.members), f.user()
	f.join(d.seed, d.codes[member(f.rng, d.sharers)], m)
	code := f.code(1, d.seed, m, time.Hour)
	f.add("ShareCreated", d.seed, &pb.ShareCreated{EventTimeMs: f.now(), Campaign: 1, Chain: d.seed, User: m, Code: code})
	f.join(d.seed, code, v)
	if f.rng.IntN(2) == 0 {
		f.later = append(f.later, v)
	}
}
