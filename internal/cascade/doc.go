// Package cascade makes the records that load, bench and demo send to invite.events:
// real propagation cascades read from a zip, generated cascades of the same shape, and
// a stream of any length for benchmarks.
//
//	zip ──Read──▶ []Cascade ──Records──▶ iter of *Record
//	                 │  ▲
//	                Fit Grow
//	                 ▼  │
//	                Shape ──Synthetic, Demo──▶ iter of *Record, Counts (what hongbao must say)
//
// What must never live here: Kafka, Redis, files other than the zip that is read, the wall
// clock ("now" is passed in), randomness without a seed.
//
// Invariants, cited as K1..K6 in code and tests:
//
//	K1  In the order of the stream a chain begins with a share by its seed, and every
//	    inviter has shared before its first invitee joins.
//	K2  A parent joins before its children; Record.TimeMS never decreases, ties keep the
//	    order of their chain, then the order of the chains.
//	K3  An id belongs to one user, and a user to one chain (domain.md section 4, claim):
//	    a zip that says otherwise is refused; generated ids are a permutation of a counter.
//	K4  The same seed, configuration and now give the same bytes (on one architecture: where the
//	    compiler fuses multiplication and addition, a rounding may differ).
//	K5  Counts are what a correct hongbao answers. A record whose verdict would hang on the
//	    order in which partitions are worked off is not generated unless the totals are the same either way.
//	K6  Memory is bounded by the number of chains and their depth, not by that of events.
//
// The real figures quoted in this package were measured on 140 information cascades
// published with: Mendoza, M.; Valenzuela, S.; Núñez-Mussa, E.; Padilla, F.; Providel, E.;
// Campos, S.; Bassi, R.; Riquelme, A.; Aldana, V.; López, C. "A Study on Information
// Disorders on Social Networks during the Chilean Social Outbreak and COVID-19 Pandemic",
// Appl. Sci. 2023, 13, 5347, doi 10.3390/app13095347.
package cascade
