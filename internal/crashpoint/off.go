//go:build !crashpoints

package crashpoint

import "time"

// Enabled says whether this build can kill itself.
const Enabled = false

// Hit marks a place.
func Hit(string) {}

// Transaction says whether the broker holds a transaction of a lane open.
func Transaction(lane int, open bool) { _, _ = lane, open }

// Committed says that the lane's transaction is committed, and so no longer open.
func Committed(lane int) { _ = lane }

// CheckpointEvery is the pace of checkpoints.
func CheckpointEvery(d time.Duration) time.Duration { return d }

// Released says that partitions are another instance's now, and so are their coupons.
func Released(partitions []int32) { _ = partitions }

// Draining says that the process is stopping: what it releases from now on is nobody's, and its coupons stay in flight.
func Draining() {}

// Coupons says how many coupons are open in the state of a partition: PENDING, VALIDATING or ISSUING.
func Coupons(partition int32, open int) { _, _ = partition, open }
