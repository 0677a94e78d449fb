package processor

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
)

// TestOffsetOfSeq: what is found lies at or before the fact, and near it, wherever in the log that is.
func TestOffsetOfSeq(t *testing.T) {
	t.Parallel()
	x := settleProcessor(t)
	const facts = 30_000
	var rs []*kgo.Record
	for seq := int64(1); seq <= facts; seq++ {
		f := schemas.Fact{Kind: schemas.FactStepEnded, Seq: seq, Step: schemas.StepEnded{Facts: 1}}
		rs = append(rs, &kgo.Record{Topic: x.routes.names[schemas.TopicFacts], Value: schemas.AppendFact(nil, &f)})
	}
	if err := x.plain.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for _, seq := range []int64{1, 2, 1023, 1025, 9000, 20_000, facts - 2000, facts - 1, facts, facts + 1} {
		at, err := x.offsetOfSeq(t.Context(), 0, seq, 0, facts)
		if err != nil {
			t.Fatal(err)
		}
		if own := seq - 1; at > own || own-at > seekWindow {
			t.Errorf("seq %d is at offset %d, found %d", seq, own, at)
		}
	}
}

// TestFactsThatCannotBeRead: a fact of a newer version, or damaged, stops its partition by X8, wherever a takeover meets it; the lane goes on.
func TestFactsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	x := settleProcessor(t)
	r := &kgo.Record{Topic: x.routes.names[schemas.TopicFacts], Value: []byte("\xff newer")}
	if err := x.plain.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	_, last := x.lastFact(t.Context(), 0, 0, 1)
	_, first := x.firstSeq(t.Context(), 0, 0, 1)
	part := &partition{x: x}
	_, step := part.isStep(t.Context(), &settled{end: 1}, 7, schemas.Hash{})
	for name, err := range map[string]error{"the last": last, "the first": first, "the one of a step": step} {
		if stop, ok := errors.AsType[*Stop](err); !ok || stop.Rule != "X8" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
