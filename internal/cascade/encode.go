package cascade

import (
	"encoding/binary"
	"strconv"

	"hongbao/schemas"
)

// Field numbers of hongbao.invite.v1 (schemas/proto), the wire type in the low three bits.
// What a message calls user, invitee or buyer is Event.User.
const (
	tagTime = 1 << 3 // of all four

	tagJoinCode    = 2<<3 | 2
	tagJoinInvitee = 3 << 3

	tagCampaign = 2 << 3 // of the other three
	tagChain    = 3 << 3

	tagShareUser = 4 << 3
	tagShareCode = 5<<3 | 2

	tagPurchaseBuyer    = 4 << 3
	tagPurchaseOrder    = 5<<3 | 2
	tagPurchaseAmount   = 6 << 3
	tagPurchaseCurrency = 7<<3 | 2

	tagReversalOrder = 4<<3 | 2
)

// appendProtobuf appends the message that e is. It is the inverse of schemas.Decoder, by
// hand: a generated Marshal costs five times as much and allocates.
func appendProtobuf(dst []byte, e *schemas.Event) []byte {
	dst = appendInt(dst, tagTime, e.TimeMS)
	if e.Kind == schemas.EventJoin {
		dst = appendBytes(dst, tagJoinCode, e.CodeText)
		return appendInt(dst, tagJoinInvitee, e.User)
	}
	dst = appendInt(dst, tagCampaign, e.Campaign)
	dst = appendInt(dst, tagChain, e.Chain)
	switch e.Kind {
	case schemas.EventShare:
		dst = appendInt(dst, tagShareUser, e.User)
		dst = appendBytes(dst, tagShareCode, e.CodeText)
	case schemas.EventPurchase:
		dst = appendInt(dst, tagPurchaseBuyer, e.User)
		dst = appendBytes(dst, tagPurchaseOrder, e.OrderID)
		dst = appendInt(dst, tagPurchaseAmount, e.AmountMinor)
		dst = appendBytes(dst, tagPurchaseCurrency, e.Currency)
	case schemas.EventReversal:
		dst = appendBytes(dst, tagReversalOrder, e.OrderID)
	default:
	}
	return dst
}

func appendInt(dst []byte, tag byte, v int64) []byte {
	if v == 0 {
		return dst
	}
	return binary.AppendUvarint(append(dst, tag), uint64(v)) //nolint:gosec // not negative
}

func appendBytes(dst []byte, tag byte, v []byte) []byte {
	if len(v) == 0 {
		return dst
	}
	return append(binary.AppendUvarint(append(dst, tag), uint64(len(v))), v...)
}

// The ce_types, as bytes since they go into headers: the full names of the messages.
var (
	typeShare    = []byte("hongbao.invite.v1.ShareCreated")
	typeJoin     = []byte("hongbao.invite.v1.InviteJoined")
	typePurchase = []byte("hongbao.invite.v1.PurchaseSettled")
	typeReversal = []byte("hongbao.invite.v1.PurchaseReversed")
)

func typeName(k schemas.EventKind) []byte {
	switch k {
	case schemas.EventShare:
		return typeShare
	case schemas.EventJoin:
		return typeJoin
	case schemas.EventPurchase:
		return typePurchase
	default:
		return typeReversal
	}
}

// appendJSON appends the message as JSON under its proto field names. Ids are strings, so
// that no reader takes them through a float64 (domain.md section 1). Every text that is written here
// (codes, order ids, types) is ASCII without quotes or backslashes.
func appendJSON(dst []byte, e *schemas.Event) []byte {
	dst = append(dst, '{')
	dst = appendNumber(dst, "event_time_ms", e.TimeMS)
	switch e.Kind {
	case schemas.EventJoin:
		dst = appendText(dst, "code", e.CodeText)
		return append(appendNumber(dst, "invitee", e.User), '}')
	case schemas.EventShare:
		dst = appendNumber(dst, "campaign", e.Campaign)
		dst = appendNumber(dst, "chain", e.Chain)
		dst = appendNumber(dst, "user", e.User)
		dst = appendText(dst, "code", e.CodeText)
	case schemas.EventPurchase:
		dst = appendNumber(dst, "campaign", e.Campaign)
		dst = appendNumber(dst, "chain", e.Chain)
		dst = appendNumber(dst, "buyer", e.User)
		dst = appendText(dst, "order_id", e.OrderID)
		dst = appendNumber(dst, "amount_minor", e.AmountMinor)
		dst = appendText(dst, "currency", e.Currency)
	case schemas.EventReversal:
		dst = appendNumber(dst, "campaign", e.Campaign)
		dst = appendNumber(dst, "chain", e.Chain)
		dst = appendText(dst, "order_id", e.OrderID)
	default:
	}
	return append(dst, '}')
}

// appendStructured appends the whole CloudEvent in structured mode.
func appendStructured(dst []byte, e *schemas.Event, kind []byte) []byte {
	dst = append(dst, '{')
	dst = appendText(dst, "specversion", specVersion)
	dst = appendText(dst, "id", e.ID)
	dst = appendText(dst, "source", e.Source)
	dst = appendText(dst, "type", kind)
	if len(e.Trace) > 0 {
		dst = appendText(dst, "traceparent", e.Trace)
	}
	return append(appendJSON(appendName(dst, "data"), e), '}')
}

var specVersion = []byte("1.0")

func appendName(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(append(append(dst, '"'), name...), `":`...)
}

func appendNumber(dst []byte, name string, v int64) []byte {
	if v == 0 {
		return dst
	}
	dst = append(appendName(dst, name), '"')
	return append(strconv.AppendInt(dst, v, 10), '"')
}

func appendText(dst []byte, name string, v []byte) []byte {
	dst = append(appendName(dst, name), '"')
	return append(append(dst, v...), '"')
}
