package replay

import (
	"hongbao/internal/admission"
	"hongbao/projections"
	"hongbao/schemas"
)

// model answers in Redis's place: claims and share limit of domain.md section 4, over the whole fleet, asked one event at a time.
// While a user's verdicts are what they were, what Redis said then stands (R6); once one differs, the model speaks.
type model struct {
	limit   admission.Limit
	claims  map[int64]int64    // user -> chain, of the one campaign
	shares  map[shareKey]int32 // counted since turnedMS
	older   map[shareKey]int32 // and in the turn before
	touched map[int64]struct{}

	turnedMS int64 // append time
}

// turnMS is how long a share bucket lives in Redis after its first share. Here one lives until two turns have ended, so that memory is
// bounded by the shares of 50 hours (R5).
const turnMS = 25 * 60 * 60 * 1000

type shareKey struct{ user, bucket int64 }

func newModel(limit admission.Limit) model {
	return model{limit: limit, claims: map[int64]int64{}, shares: map[shareKey]int32{}, older: map[shareKey]int32{}, touched: map[int64]struct{}{}}
}

func (m *model) touch(user int64) { m.touched[user] = struct{}{} }

// at tells that everything below this append time is judged.
func (m *model) at(appendMS int64) {
	if appendMS-m.turnedMS >= turnMS {
		m.older, m.shares, m.turnedMS = m.shares, map[shareKey]int32{}, appendMS
	}
}

// answer is what Redis says of an event whose recorded fact is was.
func (m *model) answer(ask projections.Ask, was *schemas.Fact, e *schemas.Event) (a projections.Answer) {
	var then projections.Answer
	if _, differs := m.touched[e.User]; !differs {
		then = saidThen(was)
	}
	if ask&projections.AskShare != 0 {
		if a.Share = then.Share; a.Share == projections.NotAsked {
			a.Share = yes(m.counted(shareKey{e.User, m.limit.Bucket(e.TimeMS)}) < int32(m.limit.Count)) //nolint:gosec // a limit is small
		}
		if a.Share == projections.No {
			return a // the claim is not asked for
		}
	}
	if ask&projections.AskClaim != 0 {
		if a.Claim = then.Claim; a.Claim == projections.NotAsked {
			chain, taken := m.claims[e.User]
			a.Claim = yes(!taken || chain == e.Chain)
		}
	}
	return a
}

// saidThen is what Redis said when the fact was made, by its outcome. What a refusal names as granted does not count: it may be what an
// earlier step asked for and never heard of, and is named so that it is given back (X10), whatever Redis said in the end.
func saidThen(was *schemas.Fact) (a projections.Answer) {
	v := &was.Verdict
	switch {
	case was.Kind == schemas.FactAccepted:
		if v.Counted {
			a.Share = projections.Yes
		}
		if v.Claimed {
			a.Claim = projections.Yes
		}
	case was.Kind == schemas.FactRefused && v.Reason == reasonShareLimit:
		a.Share = projections.No
	case was.Kind == schemas.FactRefused && v.Reason == reasonClaimedElsewhere:
		a.Share, a.Claim = projections.Yes, projections.No // the limit speaks first
	}
	return a
}

func yes(ok bool) projections.Grant {
	if ok {
		return projections.Yes
	}
	return projections.No
}

// granted notes an accepted event.
func (m *model) granted(ask projections.Ask, e *schemas.Event) {
	if ask&projections.AskClaim != 0 {
		m.claims[e.User] = e.Chain
	}
	if e.Kind == schemas.EventShare {
		m.share(e.User, e.TimeMS)
	}
}

// kept notes an accepted event by its fact.
func (m *model) kept(v *schemas.Verdict) {
	if v.Claimed {
		m.claims[v.User] = v.Chain
	}
	if v.Event == schemas.EventShare {
		m.share(v.User, v.TimeMS)
	}
}

func (m *model) counted(k shareKey) int32 { return m.shares[k] + m.older[k] }

func (m *model) share(user, timeMS int64) { m.shares[shareKey{user, m.limit.Bucket(timeMS)}]++ }
