package verify

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"hongbao/schemas"
)

// graph is the forest of one partition, folded from its accepted facts. No element holds a
// pointer, so that the collector passes it by.
type graph struct {
	members   []member
	shares    map[[16]byte]share // campaign, chain, ce_source, ce_id
	orders    map[[16]byte]order // campaign, order_id
	watermark int64              // highest accepted event time
}

// member is a user of a chain. Indexes are into graph.members.
type member struct {
	user     int64
	seq      int64 // of the fact that accepted the user
	expiresS int64 // latest expiry of the codes of accepted shares; 0 without a share
	inviter  int32 // -1 for a seed
	seed     int32
	depth    int32
	direct   int32
	total    int32 // descendants within max_depth hops
}

type share struct {
	seq      int64 // of the fact that accepted it
	expiresS int64
}

type order struct {
	settled, reversed int64 // seq of the facts that accepted it; 0: not
	chain             int64
}

func (g *graph) chainOf(m *member) int64 { return g.members[m.seed].user }

func (g *graph) user(campaign int64, i int32) User {
	m := &g.members[i]
	u := User{Campaign: campaign, Chain: g.chainOf(m), ID: m.user, Depth: m.depth, Direct: m.direct, Total: m.total}
	if m.inviter >= 0 {
		u.Inviter = g.members[m.inviter].user
	}
	return u
}

// member is the user's place in the campaign, nil without one. It is good until the next add.
func (p *partition) member(c *campaign, user int64) *member {
	i, ok := c.members[user]
	if !ok {
		return nil
	}
	return &p.graph.members[i]
}

func (p *partition) shareKey(campaign, chain int64, source, id []byte) [16]byte {
	b := binary.AppendVarint(p.scratch[:0], campaign)
	b = binary.AppendVarint(b, chain)
	b = binary.AppendUvarint(b, uint64(len(source)))
	b = append(append(b, source...), id...)
	p.scratch = b
	return xxh3.Hash128(b).Bytes()
}

func (p *partition) orderKey(campaign int64, id []byte) [16]byte {
	p.scratch = binary.AppendVarint(p.scratch[:0], campaign)
	p.scratch = append(p.scratch, id...)
	return xxh3.Hash128(p.scratch).Bytes()
}

// fold takes an accepted fact into the graph as it stands (V3) and checks what it grants.
func (p *partition) fold(f *schemas.Fact) {
	if f.Kind != schemas.FactAccepted {
		return
	}
	v := &f.Verdict
	c := p.campaigns[v.Campaign]
	if c == nil {
		p.bad(CheckGraph, "accepted for campaign %d, which no fact has activated", v.Campaign)
		return
	}
	p.graph.watermark = max(p.graph.watermark, v.TimeMS)
	p.rewards = p.rewards[:0]
	switch v.Event {
	case schemas.EventShare:
		p.foldShare(c, v)
	case schemas.EventJoin:
		p.foldJoin(c, v)
	case schemas.EventPurchase:
		p.foldPurchase(c, v)
	case schemas.EventReversal:
		key := p.orderKey(v.Campaign, v.OrderID)
		o := p.graph.orders[key]
		o.reversed = p.at
		p.setOrder(key, o)
		p.coupons.reverse(orderSum(key))
	}
	p.checkRewards(c, v)
}

func (p *partition) foldShare(c *campaign, v *schemas.Verdict) {
	p.tally.shares++
	g := &p.graph
	i, ok := c.members[v.User]
	if !ok {
		if v.User != v.Chain {
			p.bad(CheckGraph, "user %d shares in chain %d without being in it", v.User, v.Chain)
			return
		}
		i = p.add(c, member{user: v.User, seq: p.at, inviter: -1, seed: p.next()})
	} else if at := g.chainOf(&g.members[i]); at != v.Chain {
		p.bad(CheckAcross, "user %d shares in chain %d and is in chain %d of campaign %d", v.User, v.Chain, at, v.Campaign)
	}
	m := &g.members[i]
	m.expiresS = max(m.expiresS, v.CodeExpiresS)
	if g.shares == nil {
		g.shares = make(map[[16]byte]share)
	}
	g.shares[p.shareKey(v.Campaign, v.Chain, v.Source, v.ID)] = share{p.at, v.CodeExpiresS}
}

// foldJoin hangs a new user under its inviter. As only users without a place are hung, and only
// under users with one, a tree cannot close upon itself.
func (p *partition) foldJoin(c *campaign, v *schemas.Verdict) {
	p.tally.join(v.Depth)
	g := &p.graph
	if old := p.member(c, v.User); old != nil {
		check := CheckGraph
		if g.chainOf(old) != v.Chain {
			check = CheckAcross
		}
		p.bad(check, "user %d joins chain %d under %d and is in chain %d of campaign %d since seq %d; one inviter per user and campaign",
			v.User, v.Chain, v.Inviter, g.chainOf(old), v.Campaign, old.seq)
		return
	}
	at, ok := c.members[v.Inviter]
	if !ok || g.chainOf(&g.members[at]) != v.Chain {
		p.bad(CheckGraph, "user %d joins chain %d under %d, who is not in it", v.User, v.Chain, v.Inviter)
		return
	}
	inviter := g.members[at]
	if v.Depth != inviter.depth+1 {
		p.bad(CheckGraph, "user %d has depth %d under an inviter of depth %d", v.User, v.Depth, inviter.depth)
	}
	p.add(c, member{user: v.User, seq: p.at, inviter: at, seed: inviter.seed, depth: inviter.depth + 1})
	g.members[at].direct++
	for hop := int32(0); hop < c.rules.MaxDepth && at >= 0; hop++ {
		g.members[at].total++
		at = g.members[at].inviter
	}
}

func (p *partition) foldPurchase(c *campaign, v *schemas.Verdict) {
	if p.member(c, v.User) == nil {
		p.bad(CheckGraph, "buyer %d is not in the graph", v.User)
	}
	p.setOrder(p.orderKey(v.Campaign, v.OrderID), order{settled: p.at, chain: v.Chain})
}

func (p *partition) setOrder(key [16]byte, o order) {
	if p.graph.orders == nil {
		p.graph.orders = make(map[[16]byte]order)
	}
	p.graph.orders[key] = o
}

// next is the index of the member that is added next.
func (p *partition) next() int32 {
	return int32(len(p.graph.members)) //nolint:gosec // 2^31 members would need 86 GB
}

func (p *partition) add(c *campaign, m member) int32 {
	i := p.next()
	p.graph.members = append(p.graph.members, m)
	c.members[m.user] = i
	return i
}

// orderSum names an order in a coupon.
func orderSum(key [16]byte) uint64 { return max(binary.LittleEndian.Uint64(key[:]), 1) }
