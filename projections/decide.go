package projections

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"hongbao/schemas"
)

// EventHash names an event: xxh3-128 over campaign, chain, source and id. Redis and the share
// records know events by it.
func EventHash(e *schemas.Event) [16]byte { return eventHash(e.Campaign, e.Chain, e.Source, e.ID) }

func eventHash(campaign, chain int64, source, id []byte) [16]byte {
	var room [18 + 2*schemas.MaxStringBytes]byte
	b := binary.BigEndian.AppendUint64(room[:0], uint64(campaign)) //nolint:gosec // ids are positive
	b = binary.BigEndian.AppendUint64(b, uint64(chain))            //nolint:gosec // ids are positive
	b = binary.BigEndian.AppendUint16(b, uint16(len(source)))      //nolint:gosec // bounded by the decoder
	b = append(append(b, source...), id...)
	return xxh3.Hash128(b).Bytes()
}

// Probe says what Redis must be asked for this event, supposing that it says yes to every ask of
// the batch so far. Call it down a batch, then EndProbe. It changes no state.
func (s *State) Probe(e *schemas.Event) Ask {
	if e.Kind != schemas.EventShare && e.Kind != schemas.EventJoin {
		return 0 // needs no answer, and no answer depends on it
	}
	r := &s.ruling
	s.probing = true
	s.judge(e, r)
	s.probing = false
	if r.outcome != Accept {
		return 0
	}
	if e.Kind == schemas.EventShare {
		s.supposeShare(r.campaign, e, r)
	} else {
		s.supposeJoin(r.campaign, e, r)
	}
	return r.ask
}

// EndProbe forgets what the batch supposed.
func (s *State) EndProbe() { s.guess.clear() }

// Decide fills v with the verdict on e, given what Redis said. It is pure but for pages that come
// back to memory. v aliases e and the campaign's rules; Rewards' backing array is reused. Unless
// the outcome is Accept, Refuse or Duplicate, only v.Reason of Dead means anything.
func (s *State) Decide(e *schemas.Event, a Answer, v *schemas.Verdict) Outcome {
	r := &s.ruling
	s.judge(e, r)
	if r.outcome == Accept {
		r.hear(a)
	}
	if s.err == nil {
		switch r.outcome {
		case Accept, Refuse, Duplicate:
			fill(v, e, r, a)
		case Dead:
			v.Reason = r.reason
		}
		if r.outcome == Accept {
			s.reward(e, r, v)
		}
	}
	if s.err != nil {
		return Broken
	}
	return r.outcome
}

// hear lets Redis speak: the limit first, then the claim.
func (r *ruling) hear(a Answer) {
	switch {
	case r.ask&AskShare != 0 && a.Share == NotAsked:
		r.outcome = NeedAnswer
	case r.ask&AskShare != 0 && a.Share == No:
		r.refuse(reasonShareLimit)
	case r.ask&AskClaim != 0 && a.Claim == NotAsked:
		r.outcome = NeedAnswer
	case r.ask&AskClaim != 0 && a.Claim == No:
		r.refuse(reasonClaimedElsewhere)
	}
}

// fill copies the event into its verdict. Claimed and Counted of a refusal name what is to be
// given back (X10).
func fill(v *schemas.Verdict, e *schemas.Event, r *ruling, a Answer) {
	*v = schemas.Verdict{
		Offset: e.Offset, Event: e.Kind, Source: e.Source, ID: e.ID, Trace: e.Trace, TimeMS: e.TimeMS,
		Campaign: e.Campaign, Chain: e.Chain, User: e.User, OrderID: e.OrderID,
		Claimed: a.Claim == Yes, Counted: a.Share == Yes,
		Rewards: v.Rewards[:0],
	}
	switch r.outcome {
	case Refuse:
		v.Reason = r.reason
	case Duplicate:
		v.FirstSeq = r.first
	}
	switch e.Kind {
	case schemas.EventShare:
		v.CodeExpiresS = e.CodeExpiresS
	case schemas.EventJoin:
		v.Inviter = e.Inviter
		v.Device, v.Payment, v.Address = e.Device, e.Payment, e.Address
		v.Depth = int32(r.inviter.depth + 1) //nolint:gosec // members are fewer than 2^31
	case schemas.EventPurchase:
		v.AmountMinor, v.Currency = e.AmountMinor, e.Currency
	case schemas.EventReversal:
		v.User = r.order.Buyer
	}
}
