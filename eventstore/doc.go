// Package eventstore keeps what a worker has folded, beside what it still has to say to Kafka. It is the only room that knows
// Pebble. Kafka stays the truth: everything here may lag, be lost or hold an unpublished tail, and is folded again from facts.
//
// What must never live here: what a fact means, what Kafka answered, who owns a partition. Values are bytes; only step boundaries,
// outbox entries and the nodes mark are understood.
//
//	data/                         Store: one process, exclusive
//	  LOCK  OWNER                 who holds it
//	  STORE                       store id, format, partition count
//	  p003/                       Partition 3, worked on by one goroutine
//	    live-000002/              the Pebble directory in use: the highest number counts
//	    at-<seq>-<hash>/          a checkpoint of the step that ended at seq
//	    tmp-.../                  half built or half removed: swept at open
//
//	key space    key             value
//	0x01 meta    'n'             nodes mark: last seq whose changes to nodes are written
//	0x02 outbox  last seq        the seq before the step, then the entry
//	0x03 steps   last seq        Boundary: hash, clock, positions
//	0x40..0x7f   the clients'    theirs
//
// Taking a partition, in the words of X5: Store.Partition opens it; ErrCorrupt is answered by Store.Discard and another try. Fold the Entries above
// NodesSeq over the nodes. Then, with the committed (seq, hash):
//
//	BoundaryHash(seq) is that hash    Published(seq); what Entries(seq) gives is the unpublished tail. ErrGap: Kafka has lost what it had: another history
//	Last stands in facts, not empty   fold the facts after it: Begin, Boundary per step, CommitRestored
//	else                              Rollback(seq, asking facts); when nothing is found, Reset; fold the facts after Last
//
// One goroutine, the worker's, calls a Partition; what others may call is said at the type. Every few minutes it writes all nodes and calls Checkpoint:
// without one, boundaries grow by 82 bytes a step for ever.
//
// Invariants, by number; the protocol's rules (X1 to X11, ARCHITECTURE.md) are cited beside them:
//
//	E1  A commit is one Pebble batch: changes, entry, boundary, nodes mark and deletions, all or nothing (X2).
//	E2  Kept entries follow each other without a gap and end at Last; without entries NodesSeq is Last's seq (X2, X8).
//	E3  An entry goes only when it is published and its nodes are written, by a DeleteRange inside a later commit (X2).
//	E4  Boundaries are kept from the oldest checkpoint on; without a checkpoint, from the first step (X5e, X8).
//	E5  A directory gets a name that counts by one rename, after everything in it has been synced; a crash leaves the old or the new.
//	E6  An error of the disk ends the process (Config.Fatal) and is never tried again; a corruption stops its partition alone.
//	E7  Memory, queued memtables, files and snapshots are bounded (X9).
package eventstore
