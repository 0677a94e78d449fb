package verify

import (
	"strings"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// answer is the set of verdicts that domain.md section 2 allows for an event in the present state. It has
// one member, but where Redis decides, or where two readings of one rule both hold.
type answer struct {
	accept bool
	first  int64  // seq of the fact that accepted the same event; 0: no Duplicate
	refuse uint64 // a bit per reason
}

func (a answer) allows(f *schemas.Fact) bool {
	switch f.Kind {
	case schemas.FactAccepted:
		return a.accept
	case schemas.FactDuplicate:
		return a.first != 0 && f.Verdict.FirstSeq == a.first
	}
	return a.refuse&bit(f.Verdict.Reason) != 0
}

// String lists the allowed verdicts.
func (a answer) String() string {
	var out []string
	if a.accept {
		out = append(out, "ACCEPTED")
	}
	if a.first != 0 {
		out = append(out, "DUPLICATE of seq "+itoa(a.first))
	}
	if a.refuse != 0 {
		out = append(out, reasonNames(a.refuse))
	}
	return strings.Join(out, " or ")
}

func refuse(reasons ...schemas.Reason) (a answer) {
	for _, r := range reasons {
		a.refuse |= bit(r)
	}
	return a
}

func verdictName(f *schemas.Fact) string {
	switch f.Kind {
	case schemas.FactAccepted:
		return "ACCEPTED"
	case schemas.FactDuplicate:
		return "DUPLICATE of seq " + itoa(f.Verdict.FirstSeq)
	}
	return reasonName(f.Verdict.Reason)
}

func kindName(k schemas.EventKind) string {
	return strings.ToLower(strings.TrimPrefix(k.String(), "EVENT_KIND_"))
}

// judge recomputes the verdict on p.event, whose campaign is active, in the order of checks of
// domain.md section 2: the first failure wins.
func (p *partition) judge() answer {
	e := &p.event
	c := p.campaigns[e.Campaign]
	late, same := p.same(c)
	if same.first != 0 || same.refuse != 0 {
		if !late {
			return same
		}
		// The share's id may have been forgotten when its code expired: then it is judged anew.
		anew := p.judgeNew(c)
		anew.first = same.first
		return anew
	}
	return p.judgeNew(c)
}

// same finds the event that this one repeats. late says that it may have been forgotten.
func (p *partition) same(c *campaign) (late bool, a answer) {
	e := &p.event
	switch e.Kind {
	case schemas.EventShare:
		sh := p.graph.shares[p.shareKey(e.Campaign, e.Chain, e.Source, e.ID)]
		return p.graph.watermark/1000 >= sh.expiresS, answer{first: sh.seq}
	case schemas.EventJoin:
		return false, p.sameJoin(c)
	}
	o := p.graph.orders[p.orderKey(e.Campaign, e.OrderID)]
	if e.Kind == schemas.EventPurchase {
		return false, answer{first: o.settled}
	}
	return false, answer{first: o.reversed}
}

// sameJoin: one inviter per user and campaign, the first accepted (domain.md section 4).
func (p *partition) sameJoin(c *campaign) answer {
	e := &p.event
	i, ok := c.members[e.User]
	if !ok {
		return answer{}
	}
	m := &p.graph.members[i]
	switch {
	case m.inviter < 0:
		return answer{} // a seed joined nobody
	case p.graph.members[m.inviter].user == e.Inviter && p.graph.chainOf(m) == e.Chain:
		return answer{first: m.seq}
	case p.graph.chainOf(m) != e.Chain:
		return refuse(pb.Reason_REASON_ALREADY_INVITED, pb.Reason_REASON_CLAIMED_ELSEWHERE)
	}
	return refuse(pb.Reason_REASON_ALREADY_INVITED)
}

// judgeNew is every check after "same event".
func (p *partition) judgeNew(c *campaign) answer {
	e := &p.event
	if e.Kind == schemas.EventShare || e.Kind == schemas.EventJoin {
		if e.Code == schemas.CodeForged || e.Code == schemas.CodeMalformed {
			return refuse(pb.Reason_REASON_BAD_CODE)
		}
		if e.Code == schemas.CodeMissing && p.fact.Verdict.Reason == pb.Reason_REASON_BAD_CODE && p.fact.Kind == schemas.FactRefused {
			return refuse(pb.Reason_REASON_BAD_CODE) // no keys: taken as the fact took it
		}
		// Seconds are compared so that an expiry near 2^63 does not overflow.
		if e.TimeMS/1000 >= e.CodeExpiresS {
			return refuse(pb.Reason_REASON_EXPIRED_CODE)
		}
	}
	closed := c.closed(e.TimeMS)
	if e.Kind == schemas.EventReversal {
		return p.judgeReversal(closed)
	}
	if closed != 0 {
		return answer{refuse: closed}
	}
	switch e.Kind {
	case schemas.EventShare:
		return p.judgeShare(c)
	case schemas.EventJoin:
		return p.judgeJoin(c)
	}
	if m := p.member(c, e.User); m == nil || p.graph.chainOf(m) != e.Chain {
		return refuse(pb.Reason_REASON_UNKNOWN_USER)
	}
	return answer{accept: true}
}

// judgeReversal: the order of checks puts CAMPAIGN_* before UNKNOWN_ORDER for every event, while a
// refund after the end has to count all the same; both readings are allowed.
func (p *partition) judgeReversal(closed uint64) answer {
	a := answer{refuse: closed}
	o := p.graph.orders[p.orderKey(p.event.Campaign, p.event.OrderID)]
	if o.settled == 0 || o.chain != p.event.Chain {
		a.refuse |= bit(pb.Reason_REASON_UNKNOWN_ORDER)
	} else {
		a.accept = true
	}
	return a
}

func (p *partition) judgeShare(c *campaign) answer {
	e := &p.event
	m := p.member(c, e.User)
	if m != nil && p.graph.chainOf(m) == e.Chain {
		return answer{accept: true, refuse: bit(pb.Reason_REASON_SHARE_LIMIT)}
	}
	if e.User != e.Chain {
		return refuse(pb.Reason_REASON_UNKNOWN_USER)
	}
	// The first share of a seed claims the seed; a seed that is in another chain cannot begin one.
	a := refuse(pb.Reason_REASON_SHARE_LIMIT, pb.Reason_REASON_CLAIMED_ELSEWHERE)
	a.accept = m == nil
	return a
}

func (p *partition) judgeJoin(c *campaign) answer {
	e := &p.event
	if e.User == e.Inviter {
		return refuse(pb.Reason_REASON_SELF_INVITE)
	}
	inviter := p.member(c, e.Inviter)
	if inviter == nil || p.graph.chainOf(inviter) != e.Chain {
		return refuse(pb.Reason_REASON_UNKNOWN_INVITER)
	}
	if e.User == e.Chain {
		return refuse(pb.Reason_REASON_CYCLE)
	}
	if e.TimeMS/1000 >= inviter.expiresS {
		return refuse(pb.Reason_REASON_NO_ACTIVE_SHARE)
	}
	if c.rules.Refuse && inviter.depth+1 > c.rules.MaxDepth {
		return refuse(pb.Reason_REASON_DEPTH_EXCEEDED)
	}
	a := refuse(pb.Reason_REASON_CLAIMED_ELSEWHERE)
	a.accept = p.member(c, e.User) == nil
	return a
}
