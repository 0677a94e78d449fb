package projections

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"hongbao/schemas"
)

// model is the domain said again with maps and loops, for comparison: slow, and sharing nothing
// with the state but the schemas.
type model struct {
	seq       int64
	watermark int64
	campaigns map[int64]*modelCampaign
}

type modelCampaign struct {
	rules           *schemas.Campaign
	paused, stopped bool
	users           map[int64]*modelUser
	chains          map[int64]*modelChain
	shares          []modelShare
	orders          map[string]*modelOrder
	accepted        map[schemas.EventKind]int64
	refused         map[schemas.Reason]int64
	depths          map[int]int64
	duplicates      int64
	rewards         int64
}

type modelUser struct {
	chain, inviter int64
	depth          int
	until          int64 // Unix seconds
	shared         bool
	direct, total  int64
	seq            int64
}

type modelChain struct {
	joins, shares int64
	maxDepth      int
}

type modelShare struct {
	source, id  string
	chain, user int64
	until       int64
	timeMS, seq int64
}

type modelOrder struct{ seq, chain, buyer, reversed int64 }

// modelVerdict is what the model says of an event.
type modelVerdict struct {
	outcome              Outcome
	reason               schemas.Reason
	first                int64
	asksShare, asksClaim bool
	depth                int
	rewards              []string
}

func newModel() *model { return &model{campaigns: map[int64]*modelCampaign{}} }

func (m *model) activate(rules *schemas.Campaign) {
	c := m.campaigns[rules.ID]
	if c == nil {
		c = &modelCampaign{
			users: map[int64]*modelUser{}, chains: map[int64]*modelChain{}, orders: map[string]*modelOrder{},
			accepted: map[schemas.EventKind]int64{}, refused: map[schemas.Reason]int64{}, depths: map[int]int64{},
		}
		m.campaigns[rules.ID] = c
	}
	c.rules = rules
}

// judge says the verdict if Redis says yes to all that is asked.
func (m *model) judge(e *schemas.Event) (v modelVerdict) {
	if e.Kind == schemas.EventJoin && e.Code == schemas.CodeMalformed {
		return modelVerdict{outcome: Dead, reason: reasonBadCode}
	}
	c := m.campaigns[e.Campaign]
	if c == nil {
		return modelVerdict{outcome: Dead, reason: reasonUnknownCampaign}
	}
	if first, reason := m.same(c, e); first != 0 {
		return modelVerdict{outcome: Duplicate, first: first}
	} else if reason != 0 {
		return modelVerdict{outcome: Refuse, reason: reason}
	}
	v.reason = m.check(c, e, &v)
	if v.reason != 0 {
		v.outcome, v.asksClaim, v.asksShare = Refuse, false, false
		return v
	}
	v.outcome = Accept
	v.rewards = m.earn(c, e)
	return v
}

// same is the rule about the same event.
func (m *model) same(c *modelCampaign, e *schemas.Event) (first int64, reason schemas.Reason) {
	switch e.Kind {
	case schemas.EventShare:
		for _, s := range c.shares {
			if s.source == string(e.Source) && s.id == string(e.ID) && s.chain == e.Chain && s.until*1000 > m.watermark {
				return s.seq, 0
			}
		}
	case schemas.EventJoin:
		if u := c.users[e.User]; u != nil && u.inviter != 0 {
			if u.inviter == e.Inviter && u.chain == e.Chain {
				return u.seq, 0
			}
			return 0, reasonAlreadyInvited
		}
	case schemas.EventPurchase:
		if o := c.orders[string(e.OrderID)]; o != nil {
			return o.seq, 0
		}
	case schemas.EventReversal:
		if o := c.orders[string(e.OrderID)]; o != nil {
			return o.reversed, 0
		}
	}
	return 0, 0
}

func (m *model) check(c *modelCampaign, e *schemas.Event, v *modelVerdict) schemas.Reason {
	withCode := e.Kind == schemas.EventShare || e.Kind == schemas.EventJoin
	if withCode && e.Code != schemas.CodeGood {
		return reasonBadCode
	}
	if withCode && e.TimeMS >= e.CodeExpiresS*1000 {
		return reasonExpiredCode
	}
	if e.Kind != schemas.EventReversal {
		if e.TimeMS < c.rules.StartsMS {
			return reasonNotStarted
		}
		if e.TimeMS >= c.rules.EndsMS || c.stopped {
			return reasonClosed
		}
		if c.paused {
			return reasonPaused
		}
	}
	u := c.users[e.User]
	switch e.Kind {
	case schemas.EventShare:
		v.asksShare = true
		if u != nil && u.chain == e.Chain {
			return 0
		}
		if e.User != e.Chain {
			return reasonUnknownUser
		}
		if u != nil {
			return reasonClaimedElsewhere
		}
		v.asksClaim = true
	case schemas.EventJoin:
		if e.User == e.Inviter {
			return reasonSelfInvite
		}
		in := c.users[e.Inviter]
		if in == nil || in.chain != e.Chain {
			return reasonUnknownInviter
		}
		v.depth = in.depth + 1
		if e.User == e.Chain {
			return reasonCycle
		}
		if e.TimeMS >= in.until*1000 {
			return reasonNoActiveShare
		}
		if c.rules.Refuse && v.depth > int(c.rules.MaxDepth) {
			return reasonDepthExceeded
		}
		if u != nil {
			return reasonClaimedElsewhere
		}
		v.asksClaim = true
	case schemas.EventPurchase:
		if u == nil || u.chain != e.Chain {
			return reasonUnknownUser
		}
	case schemas.EventReversal:
		if o := c.orders[string(e.OrderID)]; o == nil || o.chain != e.Chain {
			return reasonUnknownOrder
		}
	}
	return 0
}

// path is the user and all above, the user first.
func (c *modelCampaign) path(user int64) (ids []int64) {
	for user != 0 {
		ids = append(ids, user)
		user = c.users[user].inviter
	}
	return ids
}

// earn lists the rewards as "rule beneficiary coupon ordinal id".
func (m *model) earn(c *modelCampaign, e *schemas.Event) (out []string) {
	give := func(r *schemas.Rule, to, ordinal int64, trigger string) {
		var id schemas.CouponID
		schemas.MakeCouponID(&id, e.Campaign, r.ID, to, []byte(trigger))
		out = append(out, fmt.Sprintf("%s %d %s %d %s", r.ID, to, c.rules.Coupons[r.Coupon].Name, ordinal, id))
	}
	for i := range c.rules.Rules {
		r := &c.rules.Rules[i]
		switch {
		case e.Kind == schemas.EventJoin && r.On == schemas.OnJoin:
			above := c.path(e.Inviter)
			trigger := fmt.Sprintf("J:%d", e.User)
			switch {
			case r.To == schemas.ToInvitee:
				give(r, e.User, 0, trigger)
			case r.To == schemas.ToInviter:
				give(r, e.Inviter, 0, trigger)
			case int(r.Level) <= len(above):
				give(r, above[r.Level-1], int64(r.Level), trigger)
			}
		case e.Kind == schemas.EventJoin && r.On == schemas.OnDirectJoins:
			n := c.users[e.Inviter].direct + 1
			if n%r.Every == 0 && (n == r.Every || r.Repeat) {
				give(r, e.Inviter, n/r.Every, fmt.Sprintf("D:%d:%d", e.Inviter, n/r.Every))
			}
		case e.Kind == schemas.EventPurchase && r.On == schemas.OnPurchase:
			kind := c.rules.Coupons[r.Coupon]
			if string(kind.Currency) != string(e.Currency) || e.AmountMinor < r.MinMinor {
				continue
			}
			self := c.path(e.User)
			trigger := "P:" + string(e.OrderID)
			switch {
			case r.To == schemas.ToBuyer:
				give(r, e.User, 0, trigger)
			case r.To == schemas.ToInviter && len(self) > 1:
				give(r, self[1], 0, trigger)
			case r.To == schemas.ToLevel && int(r.Level) < len(self):
				give(r, self[r.Level], int64(r.Level), trigger)
			}
		}
	}
	return out
}

// fold applies an accepted, refused or duplicate event.
func (m *model) fold(e *schemas.Event, v modelVerdict) {
	m.seq++
	c := m.campaigns[e.Campaign]
	switch v.outcome {
	case Refuse:
		c.refused[v.reason]++
		return
	case Duplicate:
		c.duplicates++
		return
	}
	m.watermark = max(m.watermark, e.TimeMS)
	c.accepted[e.Kind]++
	c.rewards += int64(len(v.rewards))
	switch e.Kind {
	case schemas.EventShare:
		u := c.users[e.User]
		if u == nil {
			u = &modelUser{chain: e.Chain, seq: m.seq}
			c.users[e.User] = u
			c.chains[e.Chain] = &modelChain{}
		}
		u.shared, u.until = true, max(u.until, e.CodeExpiresS)
		c.chains[e.Chain].shares++
		c.shares = append(c.shares, modelShare{source: string(e.Source), id: string(e.ID), chain: e.Chain, user: e.User, until: e.CodeExpiresS, timeMS: e.TimeMS, seq: m.seq})
	case schemas.EventJoin:
		above := c.path(e.Inviter)
		c.users[e.User] = &modelUser{chain: e.Chain, inviter: e.Inviter, depth: v.depth, seq: m.seq}
		c.users[e.Inviter].direct++
		for i, a := range above {
			if i < int(c.rules.MaxDepth) {
				c.users[a].total++
			}
		}
		t := c.chains[e.Chain]
		t.joins++
		t.maxDepth = max(t.maxDepth, v.depth)
		c.depths[min(v.depth, StatsDepths)]++
	case schemas.EventPurchase:
		c.orders[string(e.OrderID)] = &modelOrder{seq: m.seq, chain: e.Chain, buyer: e.User}
	case schemas.EventReversal:
		c.orders[string(e.OrderID)].reversed = m.seq
	}
}

// describe lists all users, chains and orders of a campaign, for comparison with the state.
func (c *modelCampaign) describe() string {
	var lines []string
	for id, u := range c.users {
		lines = append(lines, fmt.Sprint(User{
			User: id, Chain: u.chain, Inviter: u.inviter, Depth: int32(u.depth), Direct: u.direct, Total: u.total,
			Seq: u.seq, ActiveUntilS: min(u.until, math.MaxUint32),
		}))
	}
	for id, t := range c.chains {
		lines = append(lines, fmt.Sprint(Chain{Seed: id, Size: t.joins + 1, Joins: t.joins, Shares: t.shares, MaxDepth: int32(t.maxDepth)}))
	}
	for id, o := range c.orders {
		lines = append(lines, fmt.Sprint("order ", id, *o))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}
