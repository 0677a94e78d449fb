package projections

// Space is the first byte of a key: one keyspace per kind of record. The numbers are on disk and
// are never reused; all lie in 0x40..0x7f.
type Space uint8

// Keyspaces. Integers in keys are big endian, so that key order is number order.
const (
	SpaceMeta         Space = 0x40 // "state" -> seq, worker clock, watermark
	SpaceCampaigns    Space = 0x41 // campaign -> text, switches, top-ups
	SpaceCounts       Space = 0x42 // campaign -> sizes of its tables, statistics
	SpaceMembers      Space = 0x43 // campaign, page -> 63 members
	SpaceInviters     Space = 0x44 // campaign, page -> 32 inviters
	SpaceChains       Space = 0x45 // campaign, page -> 32 chains
	SpaceShares       Space = 0x46 // campaign, page -> 64 shares
	SpaceCold         Space = 0x47 // campaign, user -> ordinal, of members whose page may be absent
	SpaceOrders       Space = 0x48 // campaign, hash of the order id -> order
	SpaceCoupons      Space = 0x49 // coupon id -> coupon and voucher
	SpaceCouponStates Space = 0x4a // state, coupon id; of those that somebody waits for
	SpaceDue          Space = 0x4b // due time, coupon id; of RETRYING
	SpaceExpiry       Space = 0x4c // expiry, coupon id; of ISSUED vouchers
	SpaceOrderCoupons Space = 0x4d // campaign, hash of the order id, coupon id
	SpaceSeen         Space = 0x4e // hash of a command id -> worker clock
	SpaceSeenTimes    Space = 0x4f // worker clock, hash of a command id
)

// Store is what was flushed and committed. It is read in the worker's goroutine only, never
// between a Flush and the commit of its batch. An error stops the partition.
type Store interface {
	// Get appends the value to dst[:0]. The result may be kept until dst is used again.
	Get(space Space, key, dst []byte) (value []byte, ok bool, err error)
	// Scan calls fn for every key that begins with prefix, in key order, without the space byte.
	// key and value live until fn returns; fn may call Get. An error of fn ends the scan and is
	// returned as it is or wrapped.
	Scan(space Space, prefix []byte, fn func(key, value []byte) error) error
}

// Writer takes what a Flush changes into the batch that is committed next (X2). Keys and values
// are copied. A failed write shows at the commit.
type Writer interface {
	Set(space Space, key, value []byte)
	Delete(space Space, key []byte)
}
