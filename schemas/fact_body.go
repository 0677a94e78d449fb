package schemas

// The bodies of the hot facts, field by field; fact_encode.go writes the same numbers. Each begins
// with a blank Verdict, but for the backing array of its rewards, which is used again.

func (v *Verdict) accepted(w *wire) {
	*v = Verdict{Rewards: v.Rewards[:0]}
	for w.next() {
		switch w.tag {
		case 1<<3 | wireBytes:
			v.input(w)
		case 2<<3 | wireVarint:
			v.Campaign = w.int64()
		case 3<<3 | wireVarint:
			v.Chain = w.int64()
		case 4<<3 | wireVarint:
			v.User = w.int64()
		case 5<<3 | wireVarint:
			v.Inviter = w.int64()
		case 6<<3 | wireVarint:
			v.Depth = w.int32()
		case 7<<3 | wireVarint:
			v.CodeExpiresS = w.int64()
		case 8<<3 | wireBytes:
			v.OrderID = w.text()
		case 9<<3 | wireVarint:
			v.AmountMinor = w.int64()
		case 10<<3 | wireBytes:
			v.Currency = w.text()
		case 11<<3 | wireBytes:
			w.clusterKeys(&v.Device, &v.Payment, &v.Address)
		case 12<<3 | wireBytes:
			v.reward(w)
		case 13<<3 | wireVarint:
			v.Claimed = w.v != 0
		case 14<<3 | wireVarint:
			v.Counted = w.v != 0
		default:
			w.unknown(14)
		}
	}
}

func (v *Verdict) refused(w *wire) {
	*v = Verdict{Rewards: v.Rewards[:0]}
	for w.next() {
		switch w.tag {
		case 1<<3 | wireBytes:
			v.input(w)
		case 2<<3 | wireVarint:
			v.Reason = Reason(w.int32())
		case 3<<3 | wireVarint:
			v.Campaign = w.int64()
		case 4<<3 | wireVarint:
			v.Chain = w.int64()
		case 5<<3 | wireVarint:
			v.User = w.int64()
		case 6<<3 | wireVarint:
			v.Inviter = w.int64()
		case 7<<3 | wireBytes:
			v.OrderID = w.text()
		case 8<<3 | wireVarint:
			v.Claimed = w.v != 0
		case 9<<3 | wireVarint:
			v.Counted = w.v != 0
		default:
			w.unknown(9)
		}
	}
}

func (v *Verdict) duplicate(w *wire) {
	*v = Verdict{Rewards: v.Rewards[:0]}
	for w.next() {
		switch w.tag {
		case 1<<3 | wireBytes:
			v.input(w)
		case 2<<3 | wireVarint:
			v.FirstSeq = w.int64()
		case 3<<3 | wireVarint:
			v.Campaign = w.int64()
		case 4<<3 | wireVarint:
			v.Chain = w.int64()
		case 5<<3 | wireVarint:
			v.User = w.int64()
		case 6<<3 | wireVarint:
			v.Inviter = w.int64()
		case 7<<3 | wireBytes:
			v.OrderID = w.text()
		default:
			w.unknown(7)
		}
	}
}

// input decodes the value at hand as Input.
func (v *Verdict) input(body *wire) {
	w := wire{b: body.s}
	for w.next() {
		switch w.tag {
		case 1<<3 | wireVarint:
			v.Offset = w.int64()
		case 2<<3 | wireVarint:
			v.Event = EventKind(w.int32())
		case 3<<3 | wireBytes:
			v.Source = w.text()
		case 4<<3 | wireBytes:
			v.ID = w.text()
		case 5<<3 | wireVarint:
			v.TimeMS = w.int64()
		case 6<<3 | wireBytes:
			v.Trace = w.text()
		default:
			w.unknown(6)
		}
	}
	body.inherit(&w)
}

// reward decodes the value at hand as one more Reward.
func (v *Verdict) reward(body *wire) {
	v.Rewards = append(v.Rewards, Reward{})
	r := &v.Rewards[len(v.Rewards)-1]
	w := wire{b: body.s}
	for w.next() {
		switch w.tag {
		case 1<<3 | wireBytes:
			r.Rule = w.text()
		case 2<<3 | wireVarint:
			r.Beneficiary = w.int64()
		case 3<<3 | wireBytes:
			r.Coupon = w.text()
		case 4<<3 | wireBytes:
			w.couponID(&r.CouponID)
		case 5<<3 | wireVarint:
			r.Ordinal = w.int32()
		default:
			w.unknown(5)
		}
	}
	body.inherit(&w)
}

// couponID takes the value at hand: 16 bytes, or none.
func (w *wire) couponID(id *CouponID) {
	*id = CouponID{}
	if copy(id[:], w.s) != len(w.s) || len(w.s)%len(id) != 0 {
		w.fail("a coupon id has 16 bytes")
	}
}

func (s *StepEnded) decode(w *wire) {
	for w.next() {
		switch w.tag {
		case 1<<3 | wireBytes:
			s.position(w)
		case 2<<3 | wireVarint:
			s.WorkerClockMS = w.int64()
		case 3<<3 | wireVarint:
			s.Facts = w.int32()
		default:
			w.unknown(3)
		}
	}
}

// position decodes the value at hand as Position. An input that this version does not read is a
// failure: its position could not be kept.
func (s *StepEnded) position(body *wire) {
	var topic []byte
	var next int64
	w := wire{b: body.s}
	for w.next() {
		switch w.tag {
		case 1<<3 | wireBytes:
			topic = w.text()
		case 2<<3 | wireVarint:
			next = w.int64()
		default:
			w.unknown(2)
		}
	}
	body.inherit(&w)
	for i := range s.Positions {
		if string(topic) == topicNames[i] {
			s.Positions[i] = next
			return
		}
	}
	body.fail("a position names no input of this version of hongbao")
}
