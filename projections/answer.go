package projections

import "hongbao/schemas"

// Ask says what Redis must be asked before an event can be accepted (X10).
type Ask uint8

// The claim (campaign, user) -> chain of an invitee or a new chain's seed, and a place under the
// sharer's share limit.
const (
	AskClaim Ask = 1 << iota
	AskShare
)

// Grant is Redis's word on one ask. The numbers are those of admission.Verdict.
type Grant uint8

// NotAsked is the zero value.
const (
	NotAsked Grant = iota
	Yes
	No
)

// Answer is what Redis said of one event; the zero value when it was not asked.
type Answer struct {
	Claim Grant
	Share Grant
}

// Outcome is what Decide says of one event.
type Outcome uint8

// NeedAnswer: Redis must be asked first, nothing was decided; cut the step here, and probe again
// from this event on. Dead: the event is no verdict but a dead letter, for Verdict.Reason.
// Broken: the state could not be read; Err says why and the partition must stop.
const (
	Broken Outcome = iota
	NeedAnswer
	Accept
	Refuse
	Duplicate
	Dead
)

// Kind is the kind of fact that an outcome becomes, 0 when it becomes none.
func (o Outcome) Kind() schemas.FactKind {
	switch o {
	case Accept:
		return schemas.FactAccepted
	case Refuse:
		return schemas.FactRefused
	case Duplicate:
		return schemas.FactDuplicate
	}
	return 0
}
