// Package sim runs the real processor against a simulated world: one bubble of testing/synctest per seed, with a broker (kfake), a network, a clock,
// disks in memory and models of Redis and the issuer, and faults drawn from one random source. The same seed is the same run.
//
// What lives here: the world, the faults, the inputs, and the oracles I1 to I10 that judge the logs afterwards. It is test code, behind the build tag
// synctests, which franz-go needs in a bubble; what an oracle excuses is not, and has tests of its own. Nothing of hongbao imports it.
//
// What must never live here: code of what is judged. The oracles read raw records with generated messages and their own arithmetic. They share with what
// they judge schemas (topics, partitioner, messages) and topiclog (where topics end, what the group has committed); I6 also eventstore, which opens the
// directory that a worker left, and projections, which folds the facts from zero and hashes both states: their equality is what counts. That the fold
// itself is right is for I1 to I5 and verify to say.
//
//	I1  each input has one verdict or one dead letter
//	I2  coupon ids are unique, one coupon per reason; issued is within stock and budget
//	I3  offset, metadata, seq and running hash agree at every commit
//	I4  results are a path of the machine, and are what the facts say
//	I5  order per key is kept
//	I6  hash(live state) = hash(fold from zero) = what the metadata names
//	I7  each outbox entry is published once, in order
//	I8  after the faults stop, while all runs: no lag, every step published, no open transaction, LSO = end, within 60 s, and none left to the broker's
//	    time-out; at any time: no partition stops and no process or store ends by itself without a cause, nobody else's transaction is ended
//	I9  Redis and the issuer's memory and stock say what facts say, once reconciled
//	I10 at each call of the issuer the coupon is in ISSUING, in that round, by facts that the broker has said are committed; one effect per coupon id at most
//
// A partition that a fault must stop for good (X5d, X5f) is expected to stop loudly and alone, with nothing behind what it had committed when the fault
// hit; by X5f what was decided before may follow. What it published before is judged by the same oracles, from what a subscriber had read where the
// broker has lost it. It is excused where nothing could be true of it: that it comes to rest (I8), that a worker's state is that of the facts (I6), that
// the issuer's stock and answers are all facts (I9), and verify, which has no more than what the log still holds.
package sim
