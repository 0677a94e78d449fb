package fsm

import (
	"encoding/binary"
	"fmt"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// MaxAttempts is how often the issuer is asked in one round before a coupon is DEAD.
const MaxAttempts = 4

// AfterAttempt is the event that an answer makes of a coupon in ISSUING; attempts
// counts those of this round, this one included. NotSent and NoAnswer are no attempt:
// COUPON_EVENT_UNSPECIFIED.
//
// Unknown never exhausts (F6): the pool looks the last attempt up by key and turns
// what the issuer does not know into Transient. While even that is impossible, the
// coupon is tried again under the same key, which finds a late success.
func AfterAttempt(a Answer, attempts int32) pb.CouponEvent {
	switch a {
	case Done:
		return pb.CouponEvent_COUPON_EVENT_DONE
	case OutOfStock:
		return pb.CouponEvent_COUPON_EVENT_OUT_OF_STOCK
	case OutOfBudget:
		return pb.CouponEvent_COUPON_EVENT_OUT_OF_BUDGET
	case Refused:
		return pb.CouponEvent_COUPON_EVENT_ISSUER_REFUSES
	case Transient, Absent:
		if attempts >= MaxAttempts {
			return pb.CouponEvent_COUPON_EVENT_EXHAUST
		}
		return pb.CouponEvent_COUPON_EVENT_TRANSIENT
	case Unknown:
		return pb.CouponEvent_COUPON_EVENT_UNKNOWN
	default:
		return pb.CouponEvent_COUPON_EVENT_UNSPECIFIED
	}
}

// Nominal delays in ms, and how much earlier than nominal a jittered one may be due.
const (
	retryFirstMS  = 1_000
	retrySecondMS = 5_000
	retryThirdMS  = 30_000
	jitterPercent = 20
)

// RetryAfter says on which delay topic a coupon waits after its attempts-th attempt
// of a round failed, and not before when it is due, Unix milliseconds (domain.md
// section 6): 1 s; 5 s +-20 %; from the third on 30 s +-20 %. The jitter is a hash of
// its arguments, so that deciding again decides the same (F7).
func RetryAfter(id schemas.CouponID, round, attempts int32, nowMS int64) (schemas.Topic, int64) {
	switch {
	case attempts <= 1:
		return schemas.TopicRetry1s, nowMS + retryFirstMS
	case attempts == 2:
		return schemas.TopicRetry5s, nowMS + jittered(retrySecondMS, id, round, attempts)
	default:
		return schemas.TopicRetry30s, nowMS + jittered(retryThirdMS, id, round, attempts)
	}
}

func jittered(nominalMS int64, id schemas.CouponID, round, attempts int32) int64 {
	spread := nominalMS * jitterPercent / 100
	h := mix(binary.LittleEndian.Uint64(id[:8]))
	h = mix(h ^ binary.LittleEndian.Uint64(id[8:]))
	h = mix(h ^ uint64(uint32(round))<<32 ^ uint64(uint32(attempts)))
	return nominalMS - spread + int64(h%uint64(2*spread+1))
}

// mix is the finaliser of splitmix64 (Steele, Lea, Flood: "Fast splittable
// pseudorandom number generators", OOPSLA 2014).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Redrive says whether a person may send a coupon in that state, which it entered for
// that reason, to ISSUING again, and whether under the next round. A final refusal is
// remembered by the issuer under its round, so it takes the next one; EXHAUSTED and
// the rejections keep theirs, so that a late success is found, not doubled (X11).
func Redrive(state pb.CouponState, reason schemas.Reason) (nextRound bool, err error) {
	switch state {
	case pb.CouponState_COUPON_STATE_DEAD:
		switch reason {
		case pb.Reason_REASON_ISSUER_REJECTED, pb.Reason_REASON_OUT_OF_STOCK, pb.Reason_REASON_OUT_OF_BUDGET:
			return true, nil
		case pb.Reason_REASON_EXHAUSTED, pb.Reason_REASON_RISK_REJECTED, pb.Reason_REASON_REVIEW_REJECTED:
			return false, nil
		}
	case pb.CouponState_COUPON_STATE_FAILED:
		switch reason {
		case pb.Reason_REASON_OUT_OF_STOCK, pb.Reason_REASON_OUT_OF_BUDGET:
			return true, nil
		}
	}
	return false, fmt.Errorf("coupon: redrive is not legal in state %s with reason %s; it is in DEAD, and in FAILED after OUT_OF_STOCK or OUT_OF_BUDGET (domain.md section 6)",
		CouponStateName(state), reason)
}
