//go:build synctests

package sim

// kept are the seeds that found something, and what. Each run plays them besides its own.
var kept = []struct {
	seed  uint64
	found string
}{
	{477, "a partition that moved between the reading of its offset and of its facts was stopped by X5d"},
	{187, "a table that cannot be read was tried again without a pause while the takeover waited"},
	{439, "the same, in another takeover"},
	{1124, "a member that the group had given up joined again under a new id and published once more what another had published meanwhile"},
	{1465, "a client that had not yet heard of a partition began at the start of its log, and what the broker had lost before was passed over without a stop"},
	{6702, "members that waited for others to join were given up meanwhile, in turns and for minutes: the time for it was longer than a session"},
	{15553, "a lost answer about offsets held a takeover up for 40 s, and with it all admissions"},
	{14930, "a share that was refused gave its place back late, after a copy of it had been accepted, and a sixth was let in"},
	{15062, "the same, after Redis was down"},
	{21102, "a process that drained took what a rebalance gave it, and worked on it until it left"},
	{2066, "the simulation: Redis was slow from before the first rebuild, and a partition then stopped for good"},
	{3038, "the simulation: a disk that stayed full in a dead process, whose flush was tried again for ever"},
	{3097, "the simulation: a partition was stopped for good before all had told the issuer what they know"},
	{3471, "the simulation: a producer gave up while a broker was away"},
	{10065, "the simulation: a lane was closing its client, and its transaction was still open"},
	{11155, "the simulation: the sync of a marker fails in a process that has ended by it"},
	{11848, "the simulation: the same while the directory is opened"},
	{13641, "the simulation: after leaders had moved the reader was blind, and took that for rest"},
	{21120, "the simulation: at rest one process had not heard yet that the group went on without it"},
	{52286, "the simulation: a member was given up while the broker was asked whether all was read"},
	{70567, "the simulation: records that the broker had lost since were counted as read, and nobody waited for a subscriber that was behind"},
	{673, "the simulation: a process was told to end while a lane began again, and its tail was taken for a loss"},
	{1160, "the simulation: coupons of a partition whose facts nobody had read were looked for in another"},
	{2194, "the simulation: two older directories of one process were the same disk"},
	{16035, "the same"},
	{2774, "the simulation: a turned bit that nobody had read was held against the state"},
	{200422, "the issuer was asked by one whose partitions another had: a commit was taken for a proof of the lease (before the heartbeats came every half second)"},
	{206212, "verify: a service sent a command that cannot be executed twice, each had its dead letter, and the second was held for one too many"},
	{307518, "the simulation: two lost answers took the time in which a process that starts waits for a broker"},
	{17708, "the simulation: a fence and two codes that look like one end a process, as X1 says"},
}
