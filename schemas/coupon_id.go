package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// CouponIDs makes coupon ids in a scratch buffer of its own, so that granting allocates nothing.
// One per worker: it is not safe for concurrent use. The zero value is ready.
type CouponIDs struct{ buf []byte }

// Make writes into dst the id of the coupon that rule of campaign grants to beneficiary for
// trigger (domain.md section 5): the first 16 bytes of SHA-256 over the four parts, each preceded
// by its length as uvarint, integers in ASCII decimal. The campaign's version is no part of it, so
// a new version never pays again.
func (c *CouponIDs) Make(dst *CouponID, campaign int64, rule []byte, beneficiary int64, trigger []byte) {
	b := appendDecimalPart(c.buf[:0], campaign)
	b = AppendHashed(b, rule)
	b = appendDecimalPart(b, beneficiary)
	b = AppendHashed(b, trigger)
	c.buf = b
	sum := sha256.Sum256(b)
	copy(dst[:], sum[:])
}

// MakeCouponID is CouponIDs.Make for callers without a worker; it allocates.
func MakeCouponID(dst *CouponID, campaign int64, rule []byte, beneficiary int64, trigger []byte) {
	var c CouponIDs
	c.Make(dst, campaign, rule, beneficiary, trigger)
}

// String is the id as 32 hex digits, as results and people write it.
func (id CouponID) String() string { return hex.EncodeToString(id[:]) }

// IsZero says that there is no id.
func (id CouponID) IsZero() bool { return id == CouponID{} }

// AppendTriggerJoin appends J:invitee, the trigger of a join.
func AppendTriggerJoin(dst []byte, invitee int64) []byte {
	return strconv.AppendInt(append(dst, "J:"...), invitee, 10)
}

// AppendTriggerDirect appends D:inviter:m, the trigger of an inviter's m-th multiple of `every`.
func AppendTriggerDirect(dst []byte, inviter, m int64) []byte {
	dst = strconv.AppendInt(append(dst, "D:"...), inviter, 10)
	return strconv.AppendInt(append(dst, ':'), m, 10)
}

// AppendTriggerOrder appends P:order_id, the trigger of a purchase.
func AppendTriggerOrder(dst, orderID []byte) []byte {
	return append(append(dst, "P:"...), orderID...)
}

// AppendTriggerCommand appends C:command_id, the trigger of another service's command.
func AppendTriggerCommand(dst, commandID []byte) []byte {
	return append(append(dst, "C:"...), commandID...)
}

// appendDecimalPart appends v in ASCII decimal, at most 20 bytes, preceded by its length: one byte.
func appendDecimalPart(dst []byte, v int64) []byte {
	at := len(dst)
	dst = strconv.AppendInt(append(dst, 0), v, 10)
	dst[at] = byte(len(dst) - at - 1) //nolint:gosec // at most 20
	return dst
}
