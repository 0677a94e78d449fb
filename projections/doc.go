// Package projections decides and folds: the invite graph, rewards, orders, coupons, statistics
// of one partition (domain.md sections 2 to 6).
//
// What lives here: the checks of an event in their order, the rules' rewards, and the state that
// facts make. What must never: Kafka, Pebble, a clock, randomness, a goroutine, a lock. Redis and
// clocks are heard as inputs and stand in the fact. Legal coupon moves are fsm's; here a state is
// what a fact says it is.
//
//	event ──Probe──> asks ──(Redis)──> answers
//	event + answer ──Decide──> verdict = fact ──Fold──> state ──Flush──> store
//	                                            ▲                          │
//	                                            └── pages come back ◀──────┘
//
// The state of a campaign is arrays of integers in pages, found by ordinals that never change:
//
//	users index ─> member {id, seq, ref} ─own─> inviter {parent, direct, total, depth, until}
//	                                  └─leaf─> the inviter's record      │ chain ─> {joins, ...}
//	shareIDs index ─> share {hash, seq, until, next} ◀───────────────────┘ share
//
// A user who never shared costs 16 bytes and an index slot; only sharers, who alone can have
// descendants, have an inviter record, so a walk up the tree reads nothing else.
//
// Invariants, cited by number in code and tests (X1..X11 are the protocol's, ARCHITECTURE.md):
//
//	P1  Fold is the one place that changes state, and reads nothing but the fact and the state:
//	    live, restored and replayed facts give the same state.
//	P2  Decide changes nothing. Probe runs the same checks over an overlay of the batch; the
//	    first event of a batch always gets from Decide what Probe promised, so cutting a step
//	    at NeedAnswer ends.
//	P3  A user is in one chain of a campaign; only a user whom the campaign does not know is
//	    linked, below a member: cycles cannot arise.
//	P4  A fact that contradicts the state is an error and ends the state, never repaired.
//	P5  Ordinals are given in the order of facts and never reused. Hash and every answer are the
//	    same whether a page is in memory or not, flushed or not.
//	P6  A share makes its like a duplicate until its code expires by the watermark, whether or
//	    not its record is still kept.
//	P7  What changed since the last flush is in memory and passes before the store; a Flush
//	    writes all of it, so the store always stands at one seq as a whole (X2).
//	P8  The path of a share or join allocates nothing, but for new pages.
package projections
