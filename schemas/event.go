package schemas

import pb "hongbao/schemas/invitepb"

// EventKind says which of the four events of invite.events a record is.
type EventKind = pb.EventKind

// The four kinds of event.
const (
	EventShare    = pb.EventKind_EVENT_KIND_SHARE_CREATED
	EventJoin     = pb.EventKind_EVENT_KIND_INVITE_JOINED
	EventPurchase = pb.EventKind_EVENT_KIND_PURCHASE_SETTLED
	EventReversal = pb.EventKind_EVENT_KIND_PURCHASE_REVERSED
)

// Event is one decoded record of invite.events. Its byte slices alias the record's
// value and headers and live as long as those do. Ids are 1..2^63-1, times Unix milliseconds.
type Event struct {
	Kind   EventKind
	Source []byte // ce_source
	ID     []byte // ce_id
	Trace  []byte // traceparent, may be empty
	TimeMS int64
	Offset int64 // on invite.events; set by whoever read the record

	Campaign int64
	Chain    int64
	User     int64 // sharer, invitee or buyer; 0 for a reversal
	Inviter  int64 // of a join, from the code

	CodeText     []byte
	Code         CodeStatus
	CodeExpiresS int64 // Unix seconds, from the code

	OrderID     []byte
	AmountMinor int64
	Currency    []byte

	Device, Payment, Address []byte // cluster keys, hashed by the producer
}

// eventName is the kind's message name, for sentences.
func eventName(kind EventKind) string {
	switch kind {
	case EventShare:
		return "ShareCreated"
	case EventJoin:
		return "InviteJoined"
	case EventPurchase:
		return "PurchaseSettled"
	case EventReversal:
		return "PurchaseReversed"
	}
	return kind.String()
}
