package schemas

import (
	pb "hongbao/schemas/invitepb"

	"google.golang.org/protobuf/proto"
)

// Decode decodes one value of hongbao.facts into f. Of verdicts and StepEnded the slices alias
// value, the backing array of Verdict.Rewards is used again and nothing is allocated; other kinds
// get a fresh Rare. Only the part that Kind names is set, the others keep what they had. The error
// is a *Poison with reason UNDECODABLE: in the fact log that is corruption or a newer hongbao, and
// whoever reads must stop (X8), not skip.
func (f *Fact) Decode(value []byte) error {
	if p := f.decode(value); p != nil {
		return p
	}
	return nil
}

func (f *Fact) decode(value []byte) *Poison {
	f.Seq, f.Kind = 0, 0
	var body, hash []byte
	hashed := false
	w := wire{b: value}
	for w.next() {
		num := w.tag >> 3
		switch {
		case w.tag == 1<<3|wireVarint:
			f.Seq = w.int64()
		case w.tag == uint32(hashTag):
			hash, hashed = w.s, true
		case num > 15: // of a newer version
		case num == 1 || w.tag&7 != wireBytes:
			w.unknown(15)
		case f.Kind != 0:
			w.fail("a fact has one body")
		default:
			f.Kind, body = FactKind(num), w.s
		}
	}
	if w.why != "" {
		return badFact(f.Seq, w.sentence("Fact"))
	}
	if hashed && (f.Kind != FactStepEnded || len(hash) != len(f.Step.Hash)) {
		return badFact(f.Seq, "a hash has 16 bytes and belongs to StepEnded alone")
	}
	return f.decodeBody(body, hash, value)
}

func (f *Fact) decodeBody(body, hash, value []byte) *Poison {
	w := wire{b: body}
	switch f.Kind {
	case FactAccepted:
		f.Verdict.accepted(&w)
	case FactRefused:
		f.Verdict.refused(&w)
	case FactDuplicate:
		f.Verdict.duplicate(&w)
	case FactStepEnded:
		f.Step = StepEnded{}
		copy(f.Step.Hash[:], hash)
		f.Step.decode(&w)
	case FactCampaignActivated, FactCampaignChanged, FactCouponMoved, FactVoucherMoved, FactReviewDecided:
		f.Rare = new(pb.Fact)
		if err := proto.Unmarshal(value, f.Rare); err != nil {
			return badFact(f.Seq, err.Error())
		}
	default:
		return badFact(f.Seq, "it has no body of a kind that this version of hongbao knows")
	}
	if w.why != "" {
		return badFact(f.Seq, w.sentence("body of a Fact"))
	}
	return nil
}

func badFact(seq int64, sentence string) *Poison {
	return poison(pb.Reason_REASON_UNDECODABLE, "fact with seq %d: %s", seq, sentence)
}
