package schemas

import pb "hongbao/schemas/invitepb"

// protobuf decodes the message of Kind. Unknown fields are stepped over, so that producers may be
// newer than this program. Of a field given twice the last counts, as everywhere in Protobuf.
func (e *Event) protobuf(value []byte) *Poison {
	w := wire{b: value}
	switch e.Kind {
	case EventShare:
		e.share(&w)
	case EventJoin:
		e.join(&w)
	case EventPurchase:
		e.purchase(&w)
	case EventReversal:
		e.reversal(&w)
	}
	if w.why != "" {
		return poison(pb.Reason_REASON_UNDECODABLE, "%s", w.sentence(eventName(e.Kind)))
	}
	return nil
}

func (e *Event) share(w *wire) {
	for w.next() {
		switch w.tag {
		case 1<<3 | wireVarint:
			e.TimeMS = w.int64()
		case 2<<3 | wireVarint:
			e.Campaign = w.int64()
		case 3<<3 | wireVarint:
			e.Chain = w.int64()
		case 4<<3 | wireVarint:
			e.User = w.int64()
		case 5<<3 | wireBytes:
			e.CodeText = w.s
		default:
			w.unknown(5)
		}
	}
}

func (e *Event) join(w *wire) {
	for w.next() {
		switch w.tag {
		case 1<<3 | wireVarint:
			e.TimeMS = w.int64()
		case 2<<3 | wireBytes:
			e.CodeText = w.s
		case 3<<3 | wireVarint:
			e.User = w.int64()
		case 4<<3 | wireBytes:
			w.clusterKeys(&e.Device, &e.Payment, &e.Address)
		default:
			w.unknown(4)
		}
	}
}

func (e *Event) purchase(w *wire) {
	for w.next() {
		switch w.tag {
		case 1<<3 | wireVarint:
			e.TimeMS = w.int64()
		case 2<<3 | wireVarint:
			e.Campaign = w.int64()
		case 3<<3 | wireVarint:
			e.Chain = w.int64()
		case 4<<3 | wireVarint:
			e.User = w.int64()
		case 5<<3 | wireBytes:
			e.OrderID = w.s
		case 6<<3 | wireVarint:
			e.AmountMinor = w.int64()
		case 7<<3 | wireBytes:
			e.Currency = w.s
		default:
			w.unknown(7)
		}
	}
}

func (e *Event) reversal(w *wire) {
	for w.next() {
		switch w.tag {
		case 1<<3 | wireVarint:
			e.TimeMS = w.int64()
		case 2<<3 | wireVarint:
			e.Campaign = w.int64()
		case 3<<3 | wireVarint:
			e.Chain = w.int64()
		case 4<<3 | wireBytes:
			e.OrderID = w.s
		default:
			w.unknown(4)
		}
	}
}

// clusterKeys decodes the value at hand as ClusterKeys, of events and of facts. A message given
// twice is merged, as Protobuf has it: what the later one leaves out stays.
func (w *wire) clusterKeys(device, payment, address *[]byte) {
	keys := wire{b: w.s}
	for keys.next() {
		switch keys.tag {
		case 1<<3 | wireBytes:
			*device = keys.text()
		case 2<<3 | wireBytes:
			*payment = keys.text()
		case 3<<3 | wireBytes:
			*address = keys.text()
		default:
			keys.unknown(3)
		}
	}
	w.inherit(&keys)
}
