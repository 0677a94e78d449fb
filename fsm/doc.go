// Package fsm says which moves a coupon and its voucher may make, and asks the
// issuer for the coupon.
//
// What lives here: the two tables (coupon.go, voucher.go) and the machine built
// from them, the delays between attempts, the issuer port with its Redis and its
// in-memory form, the fleet-wide rate, and the pool that makes the calls.
// What must never: Kafka, Pebble, facts, and any decision about who earns what.
// The moves are drawn in docs/state-machines.md, which is generated from the tables.
//
//	tasks ──> Pool (8 workers) ──ready?──> Limiter ──> breaker ──ready?──> Issuer
//	            └──────────────── Outcome, by a callback ◀──────────────────┘
//
// Invariants, cited by number in code and tests (X10 and X11 are the protocol's):
//
//	F1  A move is legal iff it stands in a table; whatever else is an *IllegalMove.
//	F2  A machine call has no deadline and no side effect: looplab/fsm stays stuck
//	    for good when its context ends in mid-move.
//	F3  The issuer answers under (coupon id, round) and remembers every final answer,
//	    "out of stock" too: the same key has the same answer for ever (X11).
//	F4  Coupons done are never more than declared; what is left is declared - done,
//	    computed and never stored, so that restoring answers restores it as well.
//	F5  While Redis holds less than the facts say (emptied, failed over), nothing is
//	    issued until every partition has restored its answers (X10).
//	F6  An attempt is made only for a task that was ready the moment before the call
//	    (X11), and one of unknown outcome ends a coupon only after a lookup by key.
//	F7  Retry times are a pure function of (coupon id, round, attempts, now), and
//	    never early.
//	F8  Queues are bounded; a full queue says so and never blocks (X9).
package fsm
