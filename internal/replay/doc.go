// Package replay folds topics again beside the running service: the facts of hongbao.facts into a shadow store, for
// comparing and swapping; or the events of invite.events under another campaign file, to see who would have got what.
//
// What lives here: reading, folding, comparing. What must never: a write to Kafka, a group, a lease, Redis. It needs
// READ on the topics and nothing else.
//
//	hongbao.facts[p] ──cursor──> Folder ──batches──> shadow/p003 ──hash──> compare with the live store
//	                                                      └──────swap────> the owner stops p, takes it, X5
//
// Invariants, by number; X1 to X11 are the protocol's:
//
//	R1  A fact is folded iff its seq is the next one (X8), and each step's running hash is computed again (X5e).
//	R2  A batch ends where a step ends: the shadow store always stands at a step of the fact log, which is where it goes
//	    on after any interruption. A store that stands elsewhere is emptied first.
//	R3  Only committed facts are read, and a target is a whole step: the last one at or before what was asked for.
//	R4  States are compared at one seq, with one running hash, by a hash over their content.
//	R5  Memory is bounded: so many partitions at once, each with its hot state, three fetches and one batch. A what-if
//	    grows with users: grants, claims, whose verdicts differ; and holds the shares of 50 hours.
//	R6  What-if: while the verdicts on a user's events are what they were, what Redis said then stands, by the outcome of the fact.
//	    Other campaigns move the watermark as they did. With the campaign that was in force nothing differs.
package replay
