package schemas

import (
	"unicode/utf8"

	pb "hongbao/schemas/invitepb"
)

// check holds a decoded event to the rules of its fields, whichever encoding it came in. A code is
// not looked at beyond its length: a bad one is a verdict (BAD_CODE), not a dead letter.
func (e *Event) check() *Poison {
	if p := e.checkAttributes(); p != nil {
		return p
	}
	if e.TimeMS <= 0 {
		return poison(pb.Reason_REASON_INVALID_FIELD, "event_time_ms is %d; want Unix milliseconds above 0", e.TimeMS)
	}
	if e.Kind != EventJoin {
		if p := checkID("campaign", e.Campaign); p != nil {
			return p
		}
		if p := checkID("chain", e.Chain); p != nil {
			return p
		}
	}
	if e.Kind != EventReversal {
		if p := checkID(userField(e.Kind), e.User); p != nil {
			return p
		}
	}
	switch e.Kind {
	case EventShare:
		return checkText("code", e.CodeText, MaxStringBytes)
	case EventJoin:
		return e.checkJoin()
	case EventPurchase:
		return e.checkPurchase()
	}
	return checkOrderID(e.OrderID)
}

func (e *Event) checkAttributes() *Poison {
	if len(e.ID) == 0 || len(e.Source) == 0 {
		return poison(pb.Reason_REASON_INVALID_FIELD, "the CloudEvents id is %s and the source %s; both are required, together they name the event", quote(e.ID), quote(e.Source))
	}
	if p := checkText("the CloudEvents id", e.ID, MaxStringBytes); p != nil {
		return p
	}
	return checkText("the CloudEvents source", e.Source, MaxStringBytes)
}

func (e *Event) checkJoin() *Poison {
	if p := checkText("code", e.CodeText, MaxStringBytes); p != nil {
		return p
	}
	if len(e.Device)+len(e.Payment)+len(e.Address) == 0 {
		return nil
	}
	if p := checkText("cluster_keys.device", e.Device, MaxStringBytes); p != nil {
		return p
	}
	if p := checkText("cluster_keys.payment", e.Payment, MaxStringBytes); p != nil {
		return p
	}
	return checkText("cluster_keys.address", e.Address, MaxStringBytes)
}

func (e *Event) checkPurchase() *Poison {
	if p := checkOrderID(e.OrderID); p != nil {
		return p
	}
	if p := checkAmount("amount_minor", e.AmountMinor); p != nil {
		return p
	}
	return checkCurrency(e.Currency)
}

// userField is the proto name of the field that Event.User holds; a reversal has none.
func userField(kind EventKind) string {
	switch kind {
	case EventShare:
		return "user"
	case EventJoin:
		return "invitee"
	case EventPurchase:
		return "buyer"
	}
	return ""
}

func checkID(field string, id int64) *Poison {
	if id < 1 {
		return poison(pb.Reason_REASON_INVALID_FIELD, "%s is %d; ids are integers 1..2^63-1", field, id)
	}
	return nil
}

func checkAmount(field string, minor int64) *Poison {
	if minor < 0 {
		return poison(pb.Reason_REASON_INVALID_FIELD, "%s is %d; amounts are in the currency's minor unit and not negative", field, minor)
	}
	return nil
}

// checkText holds a string to its length and to UTF-8. Text that is no UTF-8 makes the whole
// message no proto3, so it is UNDECODABLE.
func checkText(field string, text []byte, limit int) *Poison {
	if len(text) <= limit && utf8.Valid(text) {
		return nil
	}
	if len(text) > limit {
		return poison(pb.Reason_REASON_INVALID_FIELD, "%s is %s; it may have at most %d bytes", field, quote(text), limit)
	}
	return poison(pb.Reason_REASON_UNDECODABLE, "%s is %s, which is no UTF-8", field, quote(text))
}

func checkOrderID(id []byte) *Poison {
	if len(id) == 0 {
		return poison(pb.Reason_REASON_INVALID_FIELD, "order_id is empty; it has 1..%d bytes", MaxOrderIDBytes)
	}
	return checkText("order_id", id, MaxOrderIDBytes)
}

func checkCurrency(code []byte) *Poison {
	if !isCurrency(code) {
		return poison(pb.Reason_REASON_INVALID_FIELD, "currency is %s; want three capital letters (ISO 4217)", quote(code))
	}
	return nil
}

func isCurrency(code []byte) bool {
	if len(code) != 3 {
		return false
	}
	for _, c := range code {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}
