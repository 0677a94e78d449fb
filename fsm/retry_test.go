package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// TestAfterAttempt: the event of every answer after each number of attempts, and that
// the machine takes it in ISSUING.
func TestAfterAttempt(t *testing.T) {
	t.Parallel()
	last := map[Answer]pb.CouponEvent{
		Done:        pb.CouponEvent_COUPON_EVENT_DONE,
		OutOfStock:  pb.CouponEvent_COUPON_EVENT_OUT_OF_STOCK,
		OutOfBudget: pb.CouponEvent_COUPON_EVENT_OUT_OF_BUDGET,
		Refused:     pb.CouponEvent_COUPON_EVENT_ISSUER_REFUSES,
		Transient:   pb.CouponEvent_COUPON_EVENT_EXHAUST,
		Absent:      pb.CouponEvent_COUPON_EVENT_EXHAUST,
		Unknown:     pb.CouponEvent_COUPON_EVENT_UNKNOWN, // never DEAD without a lookup (X11)
	}
	m := NewMachine()
	for a := NoAnswer; a <= NotSent+1; a++ {
		for attempts := int32(1); attempts <= 6; attempts++ {
			want := last[a]
			if attempts < 4 && want == pb.CouponEvent_COUPON_EVENT_EXHAUST {
				want = pb.CouponEvent_COUPON_EVENT_TRANSIENT
			}
			got := AfterAttempt(a, attempts)
			if got != want {
				t.Errorf("%s after %d attempts: %s, want %s", a, attempts, got, want)
			}
			_, err := m.Coupon(pb.CouponState_COUPON_STATE_ISSUING, got)
			if isAnswer := want != 0; isAnswer != (err == nil) {
				t.Errorf("%s after %d attempts: the machine says %v to %s", a, attempts, err, got)
			}
		}
	}
}

// TestRetryAfter: topics, bounds, purity, and that the jitter uses its whole range (F7).
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const now, n = int64(1_700_000_000_000), 20_000
	for _, c := range []struct {
		attempts            int32
		topic               schemas.Topic
		lowestMS, highestMS int64
	}{
		{1, schemas.TopicRetry1s, 1_000, 1_000},
		{2, schemas.TopicRetry5s, 4_000, 6_000},
		{3, schemas.TopicRetry30s, 24_000, 36_000},
		{9, schemas.TopicRetry30s, 24_000, 36_000},
	} {
		var sum, least, most int64
		least = 1 << 62
		for i := range uint64(n) {
			id := testID(i)
			topic, due := RetryAfter(id, int32(i%3), c.attempts, now)
			if again, dueAgain := RetryAfter(id, int32(i%3), c.attempts, now); again != topic || dueAgain != due {
				t.Fatalf("coupon %x: %s at %d, then %s at %d for the same arguments", id, topic, due, again, dueAgain)
			}
			delay := due - now
			if topic != c.topic || delay < c.lowestMS || delay > c.highestMS {
				t.Fatalf("coupon %x after %d attempts: %s after %d ms; want %s after %d..%d", id, c.attempts, topic, delay, c.topic, c.lowestMS, c.highestMS)
			}
			sum, least, most = sum+delay, min(least, delay), max(most, delay)
		}
		spread := c.highestMS - c.lowestMS
		if least > c.lowestMS+spread/100 || most < c.highestMS-spread/100 {
			t.Errorf("after %d attempts: delays %d..%d ms do not use %d..%d", c.attempts, least, most, c.lowestMS, c.highestMS)
		}
		if mean, middle := sum/n, (c.lowestMS+c.highestMS)/2; mean < middle-spread/50 || mean > middle+spread/50 {
			t.Errorf("after %d attempts: mean delay %d ms, want about %d", c.attempts, mean, middle)
		}
	}
}

// TestRetryJitterDependsOnRoundAndAttempt: else a redriven storm would come back as one.
func TestRetryJitterDependsOnRoundAndAttempt(t *testing.T) {
	t.Parallel()
	seen := make(map[int64]bool)
	for round := range int32(4) {
		for attempts := int32(3); attempts < 7; attempts++ {
			_, due := RetryAfter(testID(1), round, attempts, 0)
			seen[due] = true
		}
	}
	if len(seen) < 14 {
		t.Errorf("16 rounds and attempts of one coupon have only %d different delays", len(seen))
	}
}

// testID is a coupon id as commands carry them: the head of a SHA-256.
func testID(n uint64) (id schemas.CouponID) {
	h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
	copy(id[:], h[:])
	return id
}
