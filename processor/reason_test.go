package processor

import (
	"testing"

	"hongbao/fsm"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// TestReasonOfAnAnswer: what the issuer answers is the reason of the coupon's move (domain.md section 6).
func TestReasonOfAnAnswer(t *testing.T) {
	t.Parallel()
	for answer, want := range map[fsm.Answer]schemas.Reason{
		fsm.Done:        pb.Reason_REASON_UNSPECIFIED,
		fsm.OutOfStock:  pb.Reason_REASON_OUT_OF_STOCK,
		fsm.OutOfBudget: pb.Reason_REASON_OUT_OF_BUDGET,
		fsm.Refused:     pb.Reason_REASON_ISSUER_REJECTED,
		fsm.Transient:   pb.Reason_REASON_ISSUER_TRANSIENT,
		fsm.Unknown:     pb.Reason_REASON_ISSUER_UNKNOWN,
	} {
		if got := attemptReason(fsm.AfterAttempt(answer, 1)); got != want {
			t.Errorf("answer %d: %s, want %s", answer, got, want)
		}
	}
	if got := attemptReason(fsm.AfterAttempt(fsm.Transient, fsm.MaxAttempts)); got != pb.Reason_REASON_EXHAUSTED {
		t.Errorf("the last attempt: %s", got)
	}
}
