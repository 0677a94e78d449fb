package processor

import (
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
