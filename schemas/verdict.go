package schemas

import pb "hongbao/schemas/invitepb"

// Reason is a reason code; one enum for all rooms.
type Reason = pb.Reason

// FactKind says what a fact decided.
type FactKind uint8

// Values are the field numbers of the body in hongbao.invite.v1.Fact.
const (
	FactAccepted          FactKind = 2
	FactRefused           FactKind = 3
	FactDuplicate         FactKind = 4
	FactStepEnded         FactKind = 5
	FactCampaignActivated FactKind = 6
	FactCampaignChanged   FactKind = 7
	FactCouponMoved       FactKind = 8
	FactVoucherMoved      FactKind = 9
	FactReviewDecided     FactKind = 10
)

// Fact is one decoded fact. Kind tells which part is meaningful. Slices alias the
// encoded value (after Decode) or the event and campaign they were decided from.
type Fact struct {
	Seq     int64
	Kind    FactKind
	Verdict Verdict   // FactAccepted, FactRefused, FactDuplicate
	Step    StepEnded // FactStepEnded
	Rare    *pb.Fact  // every other kind, as the generated message, Seq included
}

// Verdict answers one event. It is flat and reused, so that deciding allocates nothing.
type Verdict struct {
	Offset int64 // of the event on invite.events
	Event  EventKind
	Source []byte
	ID     []byte
	Trace  []byte
	TimeMS int64

	Reason   Reason // of Refused
	FirstSeq int64  // of Duplicate

	Campaign, Chain, User, Inviter int64
	Depth                          int32
	CodeExpiresS                   int64
	OrderID                        []byte
	AmountMinor                    int64
	Currency                       []byte
	Device, Payment, Address       []byte
	Rewards                        []Reward // of Accepted; backing array is reused
	Claimed                        bool     // Redis granted a claim on User for this event
	Counted                        bool     // Redis counted this share
}

// Reward is what a rule grants for an accepted event.
type Reward struct {
	Rule        []byte
	Beneficiary int64
	Coupon      []byte // the campaign's name of the kind
	CouponID    CouponID
	Ordinal     int32

	// Not part of the fact: what the command needs besides. Set by decide, zero after Decode.
	ValueMinor int64
	Currency   []byte
	ValidForMS int64
}

// StepEnded closes a step. Positions are complete: the next offset of every input.
type StepEnded struct {
	Positions     Positions
	WorkerClockMS int64
	Facts         int32
	Hash          Hash
}
