// Package admission asks Redis what one partition cannot know by itself: whether another chain
// has claimed a user, and how many links a user has shared in the hour (X10, domain.md
// section 4). It must never decide more than that: what Redis said is an input of decide.
//
//	worker p -> Owner.Admit -\
//	worker q -> Owner.Admit ---> Gate.Run -> one script per round trip -> Redis
//	worker r -> Owner.Admit -/       |
//	     ^---- Wanted: rebuild ------+ watches {p}:epoch
//
// A worker encodes its asks in its own goroutine and waits. Run, the only goroutine of a gate,
// sends what has gathered while the last round trip was under way. Rebuilds are written by the
// workers themselves, side by side.
//
// # Invariants
//
//   - A1: every script compares the epoch key and the server's own identity with what the gate
//     believes, and does nothing when they differ. So no answer exists that was made under
//     another epoch, and no claim is written into a Redis that has forgotten the others.
//   - A2: nobody is admitted in an epoch before every partition is marked in it, and a mark is
//     the last thing that a rebuild writes.
//   - A3: an owner asks only in the epoch in which its partition stands. It stands in another one
//     only after it has rebuilt, from a state in which every answer it ever used is folded; answers
//     of a call that spans two epochs are not used.
//   - A4: a gate never goes back to an epoch with a lower number than one it has seen, and the
//     view changes only between two round trips.
//   - A5: the same event (partition, offset, event id) asking again gets the first answer, so that
//     whatever was lost on the way is simply asked again.
//
// From A2 and A3: say user u is granted to chain c in epoch E, then to chain d in a later F. For
// F to admit anybody c's owner had to rebuild in F, after it folded the grant; so u was claimed.
//
// # The epoch
//
// {p}:epoch = "<number> <nonce> <server> <marks>". A gate begins a new one, by compare-and-set, when
// the key is missing, when its server is not the one that answers, or by A4. The server's identity
// is run_id with master_replid2: a new process has a new run_id, and a process that was demoted,
// lost writes to the new master, and was promoted again has another master_replid2. (The replication
// id itself would also change when a first replica attaches, and cost a rebuild for nothing.)
// The scripts ask Redis for it each time, about 5 us a round trip, instead of remembering it by
// connection: that also holds behind a proxy, and no answer can come from a connection that
// was never looked at.
//
// # Interleavings
//
// Redis is emptied between the check and the claim: both are one script (A1). Between the claim
// and the fact: the answer stands; its worker folds it before it rebuilds (A3), and until then no
// other chain is admitted (A2). Between two round trips of one call: the call is asked again as a whole.
//
// A rebuild races with admissions of other partitions: there are none before the last mark. An
// owner that comes late into an epoch that is complete without it (somebody else marked its partition:
// it was cut off on an old master meanwhile) rebuilds before it asks, and reports what it meets.
//
// A failover keeps the epoch key, with all its marks, but not the last claims: the server is
// another one, a new epoch begins, every owner writes its claims. What is found in another chain's
// hands is a leftover unless it carries this epoch's tag, that is, was rebuilt too: then facts put one
// user into two chains, which is what the lost write did, and it is reported.
//
// An old master still answers old connections: in its epoch those who are connected to it go on
// asking. On the new master nobody is admitted before they come over and bring their facts (A2), and
// once they have seen the new epoch they do not go back (A4).
//
// Two gates begin an epoch at once: one compare-and-set wins, the other adopts. An emptied Redis
// is begun at number 1 by a process that knows no better; one that knows more begins again above.
//
// A reply is lost: of admit, the calls stay queued and are asked again (A5); of begin, the next
// look sees it; of a rebuild or mark, it begins again, and a conflict that was found is found again, for it
// is not overwritten; of a release, it is repeated and finds nothing.
//
// A partition is owned by nobody: everybody waits, and Status names it. It moves within an epoch:
// the new owner has nothing to write, because in Redis nothing was lost.
//
// An owner that lost its lease without knowing would mark a partition whose newer facts it does not
// have. Source must therefore fail where the lease is not confirmed (X7).
//
// # What Redis must be
//
// Redis 7 or Valkey; one primary with replicas, and maxmemory-policy noeviction: a
// Redis that evicts keys forgets claims without anybody noticing. ACL: +get +setnx +set +mget +mset
// +msetnx +setrange +del +hget +hset +hdel +hmget +expire +info +eval +evalsha on ~{p}:*.
package admission
