package projections

import (
	"fmt"

	"hongbao/schemas"
)

// ruling is what the checks say of an event before Redis is heard.
type ruling struct {
	campaign *campaign
	outcome  Outcome // never NeedAnswer
	reason   schemas.Reason
	first    int64 // seq, of Duplicate
	ask      Ask   // of Accept

	user    person // sharer, invitee or buyer
	inviter person // of a join
	order   Order  // of a reversal
}

func (r *ruling) refuse(reason schemas.Reason) { r.outcome, r.reason = Refuse, reason }
func (r *ruling) dead(reason schemas.Reason)   { r.outcome, r.reason = Dead, reason }
func (r *ruling) duplicate(first int64)        { r.outcome, r.first = Duplicate, first }
func (r *ruling) accept(ask Ask)               { r.outcome, r.ask = Accept, ask }

// person is a user as the checks see one.
type person struct {
	known   bool
	seed    bool
	member  uint32 // ordinal; 0 when only the overlay knows the user
	own     uint32 // inviter record; 0 of one who never shared
	chain   int64
	inviter int64 // set by the overlay alone; see invitedBy
	depth   uint32
	until   uint32 // of the active share
}

// judge runs the checks of domain.md section 2 in their order, the first failure wins. Probe and
// Decide both come here; a probe sees its overlay, and Redis is heard afterwards.
func (s *State) judge(e *schemas.Event, r *ruling) {
	*r = ruling{}
	if e.Kind == schemas.EventJoin && (e.Code == schemas.CodeMissing || e.Code == schemas.CodeMalformed) {
		r.dead(reasonBadCode) // the code was to name the campaign
		return
	}
	c := s.campaign(e.Campaign)
	if c == nil {
		r.dead(reasonUnknownCampaign)
		return
	}
	r.campaign = c
	switch e.Kind {
	case schemas.EventShare:
		s.judgeShare(c, e, r)
	case schemas.EventJoin:
		s.judgeJoin(c, e, r)
	case schemas.EventPurchase:
		s.judgePurchase(c, e, r)
	case schemas.EventReversal:
		s.judgeReversal(c, e, r)
	default:
		s.fail(fmt.Errorf("event of kind %d at offset %d: there is no such kind", e.Kind, e.Offset))
	}
}

// judgeCode: BAD_CODE, then EXPIRED_CODE against the event's own time.
func judgeCode(e *schemas.Event, r *ruling) bool {
	switch {
	case e.Code != schemas.CodeGood:
		r.refuse(reasonBadCode)
	case e.TimeMS/1000 >= e.CodeExpiresS:
		r.refuse(reasonExpiredCode)
	default:
		return true
	}
	return false
}

// judgeCampaign: NOT_STARTED, CLOSED, PAUSED, by event time (domain.md section 3).
func judgeCampaign(c *campaign, e *schemas.Event, r *ruling) bool {
	switch {
	case e.TimeMS < c.Rules.StartsMS:
		r.refuse(reasonNotStarted)
	case e.TimeMS >= c.Rules.EndsMS || c.Stopped:
		r.refuse(reasonClosed)
	case c.Paused:
		r.refuse(reasonPaused)
	default:
		return true
	}
	return false
}

// lookup says what is known of a user, in a probe what the batch so far supposes.
func (s *State) lookup(c *campaign, user int64, p *person) {
	if s.probing {
		if known := s.guess.user(c.id, user); known != nil {
			*p = *known
			return
		}
	}
	c.person(user, p)
}

func (c *campaign) person(user int64, p *person) {
	*p = person{member: c.find(user)}
	if p.member == 0 {
		return
	}
	page, i := c.member(p.member)
	ref := page.ref[i]
	rec := c.inviter(ref &^ ownBit)
	p.known, p.chain = true, c.chain(rec.chain).seed
	if ref&ownBit == 0 {
		p.depth = rec.depth + 1
		return
	}
	p.own, p.depth, p.until, p.seed = ref&^ownBit, rec.depth, rec.until, rec.parent == 0
}

// invitedBy says whether it was inviter who invited the user.
func (c *campaign) invitedBy(p *person, inviter int64) bool {
	if p.member == 0 {
		return p.inviter == inviter
	}
	return c.above(c.parentOf(p.member), 0) == inviter
}

// parentOf is the record of who invited a member; 0 of a seed.
func (c *campaign) parentOf(ord uint32) uint32 {
	page, i := c.member(ord)
	ref := page.ref[i]
	if ref&ownBit != 0 {
		return c.inviter(ref &^ ownBit).parent
	}
	return ref
}
