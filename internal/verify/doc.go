// Package verify recomputes from the topics alone what hongbao should have decided, and
// reports where that differs from what it did decide (domain.md section 7).
//
// What lives here: its own reading of the events, its own graph, its own rules and machines,
// its own running hash. It imports schemas (the contract of the wire), topiclog (reading),
// and nothing that it checks: an error that verify shared with the pipeline would be
// invisible to both.
//
// What must never live here: writing anything, and mercy. Where domain.md section 4 leaves an answer to
// Redis (SHARE_LIMIT, CLAIMED_ELSEWHERE), the answer is taken as given once every check
// before it has passed.
//
// The checks, by the names that they carry in the report:
//
//	inputs   each committed record below the committed offset has one verdict, which tells
//	         what the record says, or one dead letter with a true reason; in order
//	facts    seq 1..n; the running hash is the metadata's; positions and clock never go
//	         back; all facts of a step carry one producer id and epoch
//	graph    one inviter, no cycle, depths; every verdict and reason is the recomputed one
//	across   a user is in one chain per campaign, a coupon id in one partition
//	rewards  expected = granted = commands, both directions; a second command of a reward, in
//	         the same words, only once the one before is in coupon.dead
//	coupons  every transition is in the table; COMPLETED follows ISSUING; results are the
//	         transitions, in order, once; each entry into DEAD is one record in coupon.dead
//	control  each control command that was read is in coupon.dead, or facts say that it was
//	         carried out, once; and nothing is carried out that nobody asked for
//	stock    what the issuer's Redis remembers fits what the facts say (only with a port)
//
// Invariants:
//
//	V1 One pass: facts, events and commands of a partition are merged by offset; nothing is
//	   kept but the graph, the coupons and the ids of control commands.
//	V2 The snapshot: ends are taken before the committed offsets are read and again after.
//	   What lies below the early ends must be explained by facts up to the committed seq;
//	   what those facts need must be found below the late ends. So a living system is judged
//	   at one moment, and only as of that moment.
//	V3 A broken record does not end the pass: the fact is folded as it stands, so that what
//	   follows is judged against the state that the pipeline had.
//	V4 What cannot be recomputed because retention has deleted its event is counted (gone),
//	   never passed over in silence.
//
//	          commits ── metadata {seq, hash, positions}
//	             │
//	facts[p] ────┼── step by step ──> hash, seq, positions
//	events[p] ───┤── by offset ─────> verdict recomputed ──> graph, expected rewards
//	commands[p] ─┤── by fact seq ───> rewards = commands ──> coupons
//	results ─────┴── by coupon ─────> transitions
package verify
