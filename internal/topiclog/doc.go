// Package topiclog reads and writes hongbao's topics for everything that is not the
// pipeline: load, verify, dead, topics, bench and the tests of the whole path.
//
// What lives here: the layout of the topics as data, creating and
// checking it, offsets and committed positions, reading a topic to an end that was fixed
// before reading began, following it, a fast idempotent producer, and the one transaction
// that brings a campaign change to every partition.
//
// What must never live here: consumer groups, and any decision about an event.
//
// Invariants:
//
//	T1 A read ends by position, never by a count of records: control records, aborted
//	   transactions and holes are stepped over by the broker's own batch offsets.
//	T2 An end is taken once, before reading. With read_committed it is the last stable
//	   offset, so that a reader never waits for an open transaction.
//	T3 Committed offsets are asked for with RequireStable and every error code is read:
//	   an unstable offset comes as -1 without metadata and is not a first start (X5c).
//	T4 A broadcast is committed only if every record's promise, the flush and the end of the
//	   transaction are nil (X6).
//	T5 A record that Kafka refused is an error of the next Write and of Flush; nothing is
//	   dropped in silence.
//	T6 No batch is unpacked beyond BatchBytesMax; a reader that meets a larger one ends (X9).
//
//	       starts ──────── from ──> Cursor.Next ──> to ──────── ends (LSO) ──── high watermark
//	                                   │ one fetch ahead
package topiclog
