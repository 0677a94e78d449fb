package schemas

import (
	"fmt"

	"google.golang.org/protobuf/proto"
)

// AppendFact appends f as hongbao.invite.v1.Fact and returns the extended buffer. Verdicts and
// StepEnded are written by hand, in the order of their field numbers, and cost no allocation but
// dst's growth; the bytes are those of a deterministic proto.Marshal. The hash of a StepEnded comes
// last, and is left out while it is zero. Other kinds are marshalled from f.Rare, whose Seq is
// set to f.Seq.
//
// A Rare that cannot be encoded (a string that is no UTF-8: see ShortText) is a bug of whoever made
// the fact; it panics rather than let a step go out without one of its facts.
func AppendFact(dst []byte, f *Fact) []byte {
	switch f.Kind {
	case FactAccepted, FactRefused, FactDuplicate, FactStepEnded:
	default:
		return appendRare(dst, f)
	}
	dst = appendInt(dst, 1, f.Seq)
	dst, at := openMessage(dst, byte(f.Kind))
	switch f.Kind {
	case FactAccepted:
		dst = appendAccepted(dst, &f.Verdict)
	case FactRefused:
		dst = appendRefused(dst, &f.Verdict)
	case FactDuplicate:
		dst = appendDuplicate(dst, &f.Verdict)
	case FactStepEnded:
		dst = appendStepEnded(dst, &f.Step)
	}
	dst = closeMessage(dst, at)
	if f.Kind == FactStepEnded && !f.Step.Hash.IsZero() {
		dst = AppendStepHash(dst, f.Step.Hash)
	}
	return dst
}

func appendRare(dst []byte, f *Fact) []byte {
	f.Rare.Seq = f.Seq
	out, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, f.Rare)
	if err != nil {
		panic(fmt.Sprintf("schemas: the fact with seq %d and kind %d cannot be encoded: %v", f.Seq, f.Kind, err))
	}
	return out
}

func appendInput(dst []byte, v *Verdict) []byte {
	dst, at := openMessage(dst, 1)
	dst = appendInt(dst, 1, v.Offset)
	dst = appendInt(dst, 2, int64(v.Event))
	dst = appendBytes(dst, 3, v.Source)
	dst = appendBytes(dst, 4, v.ID)
	dst = appendInt(dst, 5, v.TimeMS)
	dst = appendBytes(dst, 6, v.Trace)
	return closeMessage(dst, at)
}

func appendAccepted(dst []byte, v *Verdict) []byte {
	dst = appendInput(dst, v)
	dst = appendInt(dst, 2, v.Campaign)
	dst = appendInt(dst, 3, v.Chain)
	dst = appendInt(dst, 4, v.User)
	dst = appendInt(dst, 5, v.Inviter)
	dst = appendInt(dst, 6, int64(v.Depth))
	dst = appendInt(dst, 7, v.CodeExpiresS)
	dst = appendBytes(dst, 8, v.OrderID)
	dst = appendInt(dst, 9, v.AmountMinor)
	dst = appendBytes(dst, 10, v.Currency)
	if len(v.Device)+len(v.Payment)+len(v.Address) > 0 {
		var at int
		dst, at = openMessage(dst, 11)
		dst = appendBytes(dst, 1, v.Device)
		dst = appendBytes(dst, 2, v.Payment)
		dst = appendBytes(dst, 3, v.Address)
		dst = closeMessage(dst, at)
	}
	for i := range v.Rewards {
		dst = appendReward(dst, &v.Rewards[i])
	}
	dst = appendBool(dst, 13, v.Claimed)
	return appendBool(dst, 14, v.Counted)
}

func appendReward(dst []byte, r *Reward) []byte {
	dst, at := openMessage(dst, 12)
	dst = appendBytes(dst, 1, r.Rule)
	dst = appendInt(dst, 2, r.Beneficiary)
	dst = appendBytes(dst, 3, r.Coupon)
	if !r.CouponID.IsZero() {
		dst = appendBytes(dst, 4, r.CouponID[:])
	}
	dst = appendInt(dst, 5, int64(r.Ordinal))
	return closeMessage(dst, at)
}

func appendRefused(dst []byte, v *Verdict) []byte {
	dst = appendInput(dst, v)
	dst = appendInt(dst, 2, int64(v.Reason))
	dst = appendInt(dst, 3, v.Campaign)
	dst = appendInt(dst, 4, v.Chain)
	dst = appendInt(dst, 5, v.User)
	dst = appendInt(dst, 6, v.Inviter)
	dst = appendBytes(dst, 7, v.OrderID)
	dst = appendBool(dst, 8, v.Claimed)
	return appendBool(dst, 9, v.Counted)
}

func appendDuplicate(dst []byte, v *Verdict) []byte {
	dst = appendInput(dst, v)
	dst = appendInt(dst, 2, v.FirstSeq)
	dst = appendInt(dst, 3, v.Campaign)
	dst = appendInt(dst, 4, v.Chain)
	dst = appendInt(dst, 5, v.User)
	dst = appendInt(dst, 6, v.Inviter)
	return appendBytes(dst, 7, v.OrderID)
}

// appendStepEnded names every input, one at offset 0 too, so that positions are complete.
func appendStepEnded(dst []byte, s *StepEnded) []byte {
	for i, next := range s.Positions {
		var at int
		dst, at = openMessage(dst, 1)
		dst = appendString(dst, 1, topicNames[i])
		dst = appendInt(dst, 2, next)
		dst = closeMessage(dst, at)
	}
	dst = appendInt(dst, 2, s.WorkerClockMS)
	return appendInt(dst, 3, int64(s.Facts))
}
