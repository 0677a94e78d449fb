package cascade

import (
	"bytes"

	pb "hongbao/schemas/invitepb"

	"hongbao/schemas"
)

// BadKind is a way for a record to be wrong.
type BadKind uint8

// Ways to be wrong. The first nine end in invite.dead, the others are refused.
const (
	Garbage      BadKind = iota // bytes that are no message
	UnknownType                 // a ce_type that nobody defined
	InvalidField                // an invitee of 0
	MissingKey
	Misrouted // sent to a partition that does not own the key; only with 2 partitions or more
	FutureTime
	UnknownCampaign
	MalformedCode // of a join
	Oversize      // a value of 2 MiB; not among the default kinds

	ForgedCode
	ExpiredCode
	SelfInvite
	UnknownInviter
	UnknownBuyer
	UnknownOrder
	AlreadyInvited   // a member invited once more, by another
	Cycle            // the seed invited by a member
	NoActiveShare    // invited by a member who never shared
	OverShareLimit   // the share after the fifth within an hour
	ClaimedElsewhere // a user who joins two chains at the same moment
	badKinds
)

// verdict is how a kind ends.
type verdict struct {
	reason schemas.Reason
	dead   bool
}

var badVerdicts = [badKinds]verdict{
	Garbage:         {pb.Reason_REASON_UNDECODABLE, true},
	UnknownType:     {pb.Reason_REASON_UNKNOWN_TYPE, true},
	InvalidField:    {pb.Reason_REASON_INVALID_FIELD, true},
	MissingKey:      {pb.Reason_REASON_NO_KEY, true},
	Misrouted:       {pb.Reason_REASON_MISROUTED, true},
	FutureTime:      {pb.Reason_REASON_FUTURE_TIME, true},
	UnknownCampaign: {pb.Reason_REASON_UNKNOWN_CAMPAIGN, true},
	MalformedCode:   {pb.Reason_REASON_BAD_CODE, true},
	Oversize:        {pb.Reason_REASON_TOO_LARGE, true},

	ForgedCode:       {pb.Reason_REASON_BAD_CODE, false},
	ExpiredCode:      {pb.Reason_REASON_EXPIRED_CODE, false},
	SelfInvite:       {pb.Reason_REASON_SELF_INVITE, false},
	UnknownInviter:   {pb.Reason_REASON_UNKNOWN_INVITER, false},
	UnknownBuyer:     {pb.Reason_REASON_UNKNOWN_USER, false},
	UnknownOrder:     {pb.Reason_REASON_UNKNOWN_ORDER, false},
	AlreadyInvited:   {pb.Reason_REASON_ALREADY_INVITED, false},
	Cycle:            {pb.Reason_REASON_CYCLE, false},
	NoActiveShare:    {pb.Reason_REASON_NO_ACTIVE_SHARE, false},
	OverShareLimit:   {pb.Reason_REASON_SHARE_LIMIT, false},
	ClaimedElsewhere: {pb.Reason_REASON_CLAIMED_ELSEWHERE, false},
}

// Reason is the reason code that a record of this kind ends in.
func (k BadKind) Reason() schemas.Reason { return badVerdicts[k].reason }

// Dead says that it ends in invite.dead; otherwise in a fact Refused.
func (k BadKind) Dead() bool { return badVerdicts[k].dead }

func defaultBadKinds() []BadKind {
	var all []BadKind
	for k := range badKinds {
		if k != Oversize {
			all = append(all, k)
		}
	}
	return all
}

// spoiled sends one bad record, of the next kind that the chain at hand allows. False: of none.
func (r *run) spoiled(c *chain) bool {
	for range r.cfg.BadKinds {
		k := r.cfg.BadKinds[r.badTurn%len(r.cfg.BadKinds)]
		r.badTurn++
		rec := r.badRecord(k, c)
		if rec == nil {
			continue
		}
		if k.Dead() {
			r.counts.Dead[k.Reason()]++
		} else {
			r.counts.Refused[k.Reason()]++
		}
		r.send(rec)
		return true
	}
	return false
}

// badRecord makes a record of a kind, or nil where the chain does not allow it.
func (r *run) badRecord(k BadKind, c *chain) *Record {
	switch k {
	case Garbage, UnknownType, InvalidField, MissingKey, Misrouted, Oversize:
		return r.malformed(k, c)
	case OverShareLimit:
		return r.overLimit(c)
	case ClaimedElsewhere:
		return r.claimed(c)
	default:
		e, ok := r.badEvent(k, c)
		if !ok {
			return nil
		}
		return r.record(c, &e)
	}
}

// garbage is neither a message (its first byte would be a group in field 15) nor JSON.
var garbage = []byte("{\"\xff\xfe\x00")

var typeUnknown = []byte("hongbao.invite.v1.Nothing")

// malformed spoils the record of a join by a stranger.
func (r *run) malformed(k BadKind, c *chain) *Record {
	e := r.joinEvent(c, c.seed, r.ids.next())
	if k == InvalidField {
		e.User = 0
	}
	if k == UnknownType {
		r.fill(c, &e)
		return r.maker.typed(&e, r.nowMS, typeUnknown)
	}
	rec := r.record(c, &e)
	switch k {
	case Garbage:
		rec.Value = garbage
	case Oversize:
		rec.Value = bytes.Repeat(garbage, 2<<20/len(garbage)+1)
	case MissingKey:
		rec.Key = nil
	case Misrouted:
		if r.cfg.Partitions == 1 {
			return nil
		}
		rec.Partition = (rec.Partition + 1) % r.cfg.Partitions
	default: // InvalidField
	}
	return rec
}

// badEvent makes a well formed event that hongbao must not accept.
func (r *run) badEvent(k BadKind, c *chain) (e schemas.Event, ok bool) {
	switch k {
	case FutureTime:
		e = r.shareEvent(c, c.seed)
		e.TimeMS = r.cfg.NowMS + 365*24*3600*1000
	case UnknownCampaign:
		chain := r.ids.of(c.seed)
		e = schemas.Event{Kind: schemas.EventShare, User: chain, Campaign: r.cfg.Campaign + 1_000_000_007}
		e.CodeText = r.maker.mintUntil(e.Campaign, chain, chain, r.cfg.CodeEndS)
	case MalformedCode:
		e = r.joinEvent(c, c.seed, r.ids.next())
		e.CodeText = e.CodeText[:len(e.CodeText)/2]
	case ForgedCode:
		e = r.joinEvent(c, c.seed, r.ids.next())
		e.CodeText = r.forge(e.CodeText)
	case ExpiredCode:
		e = r.joinEvent(c, c.seed, r.ids.next())
		chain := r.ids.of(c.seed)
		e.CodeText = r.maker.mintUntil(r.cfg.Campaign, chain, chain, r.nowMS/1000-1)
	case SelfInvite:
		stranger := r.ids.number()
		e = r.joinEvent(c, stranger, r.ids.of(stranger))
	case UnknownInviter:
		e = r.joinEvent(c, r.ids.number(), r.ids.next())
	case UnknownBuyer:
		e = r.purchaseEvent(r.ids.next(), r.ids.number(), buyMinor)
	case UnknownOrder:
		e = schemas.Event{Kind: schemas.EventReversal, OrderID: r.orderID(r.ids.number())}
	default:
		return r.badMember(k, c)
	}
	return e, true
}

// badMember makes an event that is wrong about a member who has not shared.
func (r *run) badMember(k BadKind, c *chain) (e schemas.Event, ok bool) {
	least := 1
	if k == AlreadyInvited {
		least = 2 // the seed did not invite a member of rung 2
	}
	for d := least; d < len(c.rungs); d++ {
		if c.rungs[d].waits == 0 {
			continue
		}
		member := c.rungs[d].waiting[0]
		switch k {
		case AlreadyInvited:
			return r.joinEvent(c, c.seed, r.ids.of(member)), true
		case Cycle:
			return r.joinEvent(c, member, r.ids.of(c.seed)), true
		default: // NoActiveShare
			return r.joinEvent(c, member, r.ids.next()), true
		}
	}
	return e, false
}

// forge is a code with a digit of the MAC changed to another; the spare bits of the last digit stay.
func (r *run) forge(code []byte) []byte {
	r.maker.code = append(r.maker.code[:0], code...)
	d := &r.maker.code[len(code)-5]
	if *d == 'A' || *d == 'a' {
		*d = 'B'
	} else {
		*d = 'A'
	}
	return r.maker.code
}

// overLimit lets the seed share as often as it may within this hour, as good events of the
// chain, and then once more.
func (r *run) overLimit(c *chain) *Record {
	rung := &c.rungs[0]
	if r.sharesLeft(rung) > int32(min(c.size-c.done, shareLimit)) { //nolint:gosec // at most shareLimit
		return nil
	}
	for r.sharesLeft(rung) > 0 {
		r.share(c, 0)
	}
	e := r.shareEvent(c, c.seed)
	return r.record(c, &e)
}

// claimed lets a stranger join two chains at the same moment: the chain at hand, as a good
// event, and the one before, whose partition must be another, for within one partition the
// state would say ALREADY_INVITED. Which of the two is refused hangs on which worker asks
// first. The totals do not (K5): both inviters are on rung 1, share for this alone and have
// no other invitee.
func (r *run) claimed(c *chain) *Record {
	o := r.other
	if o == nil || o == c || !c.spare() || !o.spare() || r.partition(o) == r.partition(c) {
		return nil
	}
	here, there := c.rungs[1].take(r.dice), o.rungs[1].take(r.dice)
	r.shareBy(o, there)
	r.shareBy(c, here)
	stranger := r.ids.next()
	r.counts.join(2)
	e := r.joinEvent(c, here, stranger)
	r.send(r.made(c, &e, actJoin)) // never again: where the other one comes first, this one is refused, and so would its copy be
	e = r.joinEvent(o, there, stranger)
	return r.record(o, &e)
}

// spare says that a chain can do without two of its turns and without one who waits on rung
// 1: somebody must be left there to invite.
func (c *chain) spare() bool {
	if c.size-c.done < 2 || len(c.rungs) < 2 {
		return false
	}
	rung := &c.rungs[1]
	return rung.waits > 1 || rung.waits == 1 && rung.inviter != 0
}

func (r *run) partition(c *chain) int32 {
	var key [20]byte
	return schemas.Partition(schemas.AppendKey(key[:0], r.ids.of(c.seed)), r.cfg.Partitions)
}
