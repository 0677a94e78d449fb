// Package embedded brings a Kafka and a Redis into this process, for the demo and
// for tests: nothing but Go is needed, and both are reached over TCP on loopback
// like real ones, so that a console producer can join in.
//
// What lives here: starting and stopping them, their data directory, and what they
// need to pass for real ones. What must never: knowledge of hongbao's topics or keys;
// whoever starts a cluster creates its topics through the same code as on a real one.
//
// Invariants:
//
//  1. Both listen on loopback only.
//  2. With a directory Kafka's data outlives Close; the broker wants a clean Close.
//     After a SIGKILL it may resurrect a transaction that was open.
//  3. Redis starts empty every time and under a new run id, like one that lost its
//     data (rule X10): claims and limits are rebuilt from facts.
//  4. Close returns when every goroutine of both has been told to end and the
//     listeners are closed; closing twice is harmless.
//
// kfake differs from a real broker in places: it never answers CONCURRENT_TRANSACTIONS
// by itself, has no limit on offset metadata, takes replication factor 1 only, and
// ignores message.timestamp.type. So the same tests run on a real one, too. Two differences
// are mended here: it shows aborted facts as committed (GuardFetches), and a process that was
// killed while it joined a group stays a member (lingering).
package embedded
