// Package processor is the pipeline: it owns partitions, reads their inputs, lets the middle rooms decide
// and fold, and publishes what was decided exactly once.
//
// What lives here: the group member, lanes and workers, steps, transactions, takeover, restore, delays and
// dead letters. It is the only room of the pipeline that knows Kafka, and the only one that knows
// projections, fsm and eventstore together. What must never live here: a rule of the business (projections),
// a legal move (fsm), a byte layout on disk (eventstore).
//
//	group ── member: who owns p (X7)
//	           │ assign / revoke
//	lane  ── life: one client from InitProducerID to Close (X1)
//	           ├─ dispatch: poll ──► mailbox[p]
//	           └─ publisher: queue ──► offsets first, then records, one transaction (X4, X6)
//	worker p ─ mailbox ► decide ► fold ► step ► Pebble (X2) ► queue ► committed ► issuer (X11)
//
//	a partition:  (none) ─assigned─► settling ─X5─► restoring ─► working ─revoked─► (none)
//	                                    │                           │
//	                                    └────────── Stop ◄──────────┘   alone, loudly, with a remedy
//
// The rules X1 to X11 are cited where they are kept:
//
//	X1  lane.go begin, run        one transactional id per lane and store; three fences a minute end the process
//	X2  worker.go commit          state and outbox entry in one Pebble batch; nodes every five seconds
//	X3  entry.go, output.go       nothing reaches Kafka but from an outbox entry
//	X4  publish.go, offsets.go    whole steps, one offset with metadata per partition, in one transaction
//	X5  settle.go, fence.go, takeover.go, restore.go
//	X6  publish.go send           every promise, then the commit; else the lane begins again
//	X7  member.go lease, onRevoked; lane.go release
//	X8  restore.go fold           a fact is folded iff its seq is the next one
//	X9  queue.go, lane.go waitForRoom, commands.go
//	X10 invites.go admit, issuing.go giveBack, claims.go, stock.go
//	X11 issuing.go
//
// Shutdown is written in one place, Processor.drain.
package processor
