package fsm

import (
	"encoding/binary"

	"hongbao/internal/mutant"
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
	if mutant.On(mutant.JitterEarly) {
		spread *= 3
	}
	h := mix(binary.LittleEndian.Uint64(id[:8]))
	h = mix(h ^ binary.LittleEndian.Uint64(id[8:]))
	h = mix(h ^ uint64(uint32(round))<<32 ^ uint64(uint32(attempts))) //nolint:gosec // bits of a hash, not numbers
	return nominalMS - spread + int64(h>>33)%(2*spread+1)
}

// mix is the finaliser of splitmix64 (Steele, Lea, Flood: "Fast splittable
// pseudorandom number generators", OOPSLA 2014).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
