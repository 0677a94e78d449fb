# Architecture

How hongbao works, for whoever changes it. What a word means and what each rule says stands in the `doc.go` of its room;
rules X1 to X11 are listed below, and code and tests cite them by number. "domain.md section n" and "design.md section n" in comments
are the pages that the project began with: what is decided, and how. What the code does otherwise is listed at the end.

## In short

Kafka is the durable log, Pebble a view of it that may lag or be lost, Redis a memory shared by partitions that is rebuilt when it forgets.
State is a fold of facts and of nothing else. One goroutine owns one partition; an invite tree lives in one partition, because its chain id is the key.

```
group ── member: who owns which partition
           │
lane ────── one Kafka client per core, for its workers
           ├─ dispatch: poll ─► mailbox of worker p
           └─ publisher: queue ─► one transaction: offsets, then facts, commands, results, retries, dead letters
worker p ── mailbox ─► decide ─► fold ─► step ─► one Pebble batch ─► queue
```

## The life of an event

1. A producer writes it to `invite.events`, keyed by chain. The lane's client fetches it (read_committed) and puts it into the mailbox of worker p.
2. `processor/invites.go` decodes a batch (`schemas.Decoder`), verifies the code before any I/O (`schemas.CodeVerifier`), checks key, partition and time. What
   cannot be judged becomes a dead letter.
3. `projections.Probe` goes down the batch as if Redis said yes to each, and so finds which events state would accept. Those alone ask Redis:
   a claim on the user, a place under the share limit, one call for the batch (`internal/admission`).
4. `projections.Decide` gives each event its verdict in order: pure, no I/O, no clock. What Redis said is an input and stands in the fact. If an answer is missing
   because an earlier event came out otherwise than supposed, the step is cut there and the rest is asked again.
5. The verdict is encoded (`schemas.AppendFact`), gets the next `seq`, and is folded by `projections.Fold`: the same function that restore uses. Each reward
   becomes a command.
6. The step ends with StepEnded: input positions, worker clock, running hash. State changes and outbox entry go into **one** Pebble batch (`worker.commit`).
7. The lane publishes queued steps of all its workers in **one** Kafka transaction about every 10 ms: offsets with metadata first, then the records
   (`processor/publish.go`). A read_committed reader sees the fact now. What was granted to a refused event is given back to Redis.

## The life of a coupon

1. A command on `coupon.commands` becomes a coupon: PENDING, VALIDATING, ISSUING in one step (risk rules do not exist yet: validation allows all). While 128 coupons
   of a partition are on their way, further commands wait in Kafka.
2. Once the fact that made it ISSUING is committed in Kafka, and the lease was proved less than 5 s ago, the coupon goes to the pool: 8 workers, batches, the fleet's
   rate by GCRA in Redis, a breaker, 5 s an attempt (`fsm/pool.go`).
3. The issuer answers under the key (coupon id, round) and remembers every final answer. The Redis issuer checks, deducts and remembers in one script (`fsm/lua/issue.lua`).
4. The answer is an input of the next step: COMPLETED and the voucher ISSUED; or FAILED; or RETRYING, with a record on `coupon.retry.1s`, `.5s` or `.30s`; or after the
   fourth attempt, and a lookup that finds nothing, DEAD with a record on `coupon.dead`.
5. Every move is a fact and a transition on `coupon.results`. A crash before the fact commits asks the issuer again under the same key.

Moves: [docs/state-machines.md](docs/state-machines.md), generated from `fsm/coupon.go` and `fsm/voucher.go`.

## The protocol

| rule | says | kept in | tests |
|---|---|---|---|
| X1 one writer | transactional id = `hongbao/<group>/<store id>/<lane>`; initialised once per client life; three fences a minute end the process | `processor/lane.go`, `eventstore/identity.go` | `TestLaneBeginsAgain`, `TestOneProcessHoldsTheDirectory` |
| X2 one batch | state and outbox entry in one Pebble batch; nodes about once a second, entries kept until then | `processor/worker.go`, `eventstore/batch.go`, `eventstore/outbox.go` | `TestCrash`, `TestModel` |
| X3 one door | nothing reaches Kafka but from an outbox entry; each record is measured before | `processor/entry.go`, `processor/output.go` | `TestBadInput` |
| X4 one transaction | whole steps, one offset with metadata per partition | `processor/publish.go`, `processor/offsets.go`, `schemas/metadata.go` | `TestWholePath`, `TestFactsBroken`, `TestMetadataRoundTrip` |
| X5 settle, then look | a lease, b proof, c fence what blocks, d facts end where the offset says, e compare (seq, hash), f consume from there | `processor/settle.go`, `processor/fence.go`, `processor/takeover.go`, `processor/restore.go` | `TestOpenTransactionsAreFenced`, `TestStops`, `TestDataDirectory`, `TestKilled` |
| X6 known and unknown | every promise, flush and offset code, then commit; else the lane begins again at X5 | `processor/publish.go` | `TestLaneBeginsAgain`, `TestKilled`, `TestBroadcast` |
| X7 lease | callbacks change the owned set under a lock; a transaction reads generation, then ownership, under it | `processor/member.go`, `processor/lane.go` | `TestTwoInstances`, `TestKilled` |
| X8 contiguous | a fact is folded iff its seq is the next one | `processor/restore.go`, `projections/fold.go` | `TestStops`, `TestImpossibleFacts`, `TestFactRefused` |
| X9 bounded | queues, outbox, caches, snapshots have limits; the lane stops polling its own client | `processor/queue.go`, `processor/lane.go`, `processor/commands.go` | `TestSnapshotsAreBounded`, `TestReleaseBound` |
| X10 Redis is not the truth | asked only when decide would accept; rebuilt from facts; nobody is admitted before | `internal/admission`, `processor/claims.go`, `processor/stock.go`, `fsm/redis_rebuild.go` | `TestTwoChainsClaimOneUser`, `TestRedisEmptied`, `TestFailover`, `TestChaos` |
| X11 the one effect outside | the issuer is asked after the fact is committed, under a fresh lease, by (coupon id, round) | `processor/issuing.go`, `fsm/pool_worker.go`, `fsm/retry.go` | `TestPoolAsksReadinessLast`, `TestPoolLooksUpLastAttempt`, `TestLifecycleUnderFaults` |

`make proofs` adds whole processes: `scripts/proofs/kill` kills an instance three times under load on a real Kafka and expects `hongbao verify` to be content.
`internal/verify` shares no code with what it checks; for each of its checks a test breaks a good log and expects the finding.

## File map

Imports run one way, and the linter holds it: `cmd -> processor -> {projections, fsm, eventstore} -> schemas`. The middle rooms do not know each other.

### schemas/: contracts

| files | |
|---|---|
| `doc.go` | invariants S1 to S6; the formulas that others must compute alike |
| `proto/`, `invitepb/`, `buf.yaml`, `hongbao.binpb` | messages, generated code, the image that a change is compared with |
| `event*.go`, `limits.go`, `poison.go` | decoding and checking an event; why a record is dead |
| `code*.go`, `crockford.go` | invite codes: keys, minting, verifying |
| `fact*.go`, `verdict.go`, `wire.go`, `step_hash.go`, `metadata.go` | facts as bytes, the running hash, the offset's metadata |
| `command.go`, `control*.go`, `coupon_id.go` | commands, `hongbao.control`, coupon ids |
| `campaign*.go`, `yaml*.go`, `demo.yaml`, `campaign.schema.json` | campaign files |
| `topic.go`, `partition.go`, `traceparent.go`, `text.go`, `json.go`, `asyncapi.yaml` | topics, murmur2, traces, texts, JSON without floats |

### projections/: decide and fold (pure)

| files | |
|---|---|
| `doc.go` | invariants P1 to P8, the picture of the state |
| `state.go`, `campaign*.go`, `chain.go`, `stats.go` | what one partition knows |
| `judge.go`, `decide.go`, `guess.go`, `answer.go`, `reason.go` | the checks in order; probing with an overlay; hearing Redis |
| `share*.go`, `join.go`, `purchase.go`, `order.go`, `reward.go`, `user.go` | each event: judged, folded, rewarded |
| `coupon*.go`, `voucher.go`, `seen.go` | coupons, vouchers, commands that were answered |
| `member.go`, `inviter.go`, `page.go`, `index.go`, `sieve.go` | the graph as arrays of integers in pages, and its index |
| `fold.go`, `flush.go`, `open.go`, `cold.go`, `record.go`, `source.go`, `store.go` | facts in, pages to and from the store |
| `claims.go`, `hash.go`, `view.go` | what Redis is told again; the state's hash; reads from a snapshot |

### fsm/: machines and issuer

| files | |
|---|---|
| `doc.go` | invariants F1 to F8 |
| `coupon.go`, `voucher.go`, `machine.go` | the tables, and looplab/fsm in one file |
| `retry.go`, `redrive.go` | when again, and under which round |
| `issuer.go`, `ledger.go`, `memory_*.go`, `redis_*.go`, `keys.go`, `lua/`, `faulty.go` | the issuer port, in memory and in Redis |
| `pool*.go`, `breaker.go`, `limiter.go` | making the calls, at the fleet's rate |

### eventstore/: Pebble

| files | |
|---|---|
| `doc.go` | invariants E1 to E7, directories and key spaces |
| `store.go`, `identity.go`, `home.go`, `config.go`, `options.go`, `memory.go` | the data directory, its lock and id; a disk in memory for simulations |
| `partition.go`, `batch.go`, `boundary.go`, `outbox.go`, `read.go` | one step, one batch |
| `checkpoint.go`, `snapshot.go`, `swap.go`, `stats.go` | copies to go back to, reads beside the worker, another directory's state in place of ours |
| `guard.go`, `errors.go` | a failing disk ends the process, a corruption its partition |

### processor/: the pipeline (the only room that knows the three above together)

| files | |
|---|---|
| `doc.go`, `processor.go`, `config.go`, `status.go`, `metrics.go` | wiring, run and drain |
| `member.go` | the group member and the lease |
| `lane.go`, `queue.go`, `publish.go`, `offsets.go` | clients, transactions |
| `partition.go`, `settle.go`, `fence.go`, `takeover.go`, `restore.go`, `factlog.go`, `stop.go` | taking a partition, or stopping it |
| `swap.go`, `hashes.go` | another store in a partition's place; what a snapshot hashes to, who owns what |
| `worker.go`, `mailbox.go`, `step.go`, `entry.go`, `output.go`, `records.go`, `pin_*.go` | one goroutine, its steps and what they say |
| `invites.go`, `claims.go` | events |
| `commands.go`, `control.go`, `campaigns.go`, `transition.go`, `delay.go`, `issuing.go`, `stock.go` | coupons, commands, campaigns, retries, issuer |

### cmd/hongbao/: one binary

One file per command (`run_command.go`, `demo_command.go`, `load_command.go` ...), `root.go` lists them; `pipeline.go` wires the rooms; `config.go`, `settings.go`,
`layers.go`, `flags.go` are the settings; `connect.go` TLS and SASL.

### internal/, and the rest

| directory | |
|---|---|
| `internal/admission/` | claims and share limit in Redis; epochs and rebuilding; `lua/` |
| `internal/topiclog/` | reading and writing topics for everything that is not the pipeline; topic settings |
| `internal/verify/` | recomputes everything from the topics |
| `internal/replay/` | folds facts into a shadow store, compares and swaps; folds events under another campaign |
| `internal/cascade/` | real and generated invite streams |
| `internal/embedded/` | a Kafka and a Redis in this process |
| `internal/crashpoint/` | labels before and after durable actions, nothing in a release; `scripts/crash` kills there |
| `internal/telemetry/` | logs, metrics, health |
| `testdata/` | transcripts and vectors by room; `-rewrite` regenerates transcripts |
| `scripts/`, `.ci/run` | local Kafka and Redis, proofs, counting tests |
| `examples/` | a console producer, a subscriber, a campaign file |

## Shutdown, in order

Written in `Processor.drain` and `Processor.Run`; the first SIGTERM begins it, a second one ends the process, which loses nothing.

1. Health and metrics stop listening (running requests get 3 s). Partitions: no new steps; each worker ends after its present one and writes its nodes.
2. The tails are published under the lease that still holds, 5 s at most. What is not published stays in Pebble as an unpublished tail.
3. The owned set is emptied, the member's client closed, and the instance leaves the group by its static name, so that others continue at once.
4. Lanes close their clients; the pool finishes the calls under way; the gate ends.
5. The stores, then the data directory's lock; the Redis client last.

## What is exact and what is not

- **Facts, results, coupons: exact.** No event without its one verdict or dead letter, no coupon lost or doubled, whatever is killed and whenever; a read_committed reader sees each once.
- **State after loss of the data directory: exact**, by hash, because it is a fold of facts.
- **A user in one chain per campaign, share limit, stock, rate: exact while Redis keeps what it acknowledged.** A failover may lose the last writes: then at most what was lost in that window
  is granted twice. It is found at the rebuild (`facts put a user into two chains`, `contradicted` in the log of restored answers) and by `hongbao verify`.
- **A claim whose event never became an accepting fact** is released when the refusing fact is committed. If the process dies in between, the facts that the next open or restore folds
  release it again; one whose nodes were written already may stay until the next rebuild of Redis, and its user is refused CLAIMED_ELSEWHERE in other chains meanwhile. `admission.Config.Void` is the
  port to take such claims; nothing is plugged into it yet.
- **A partition stops alone, but for one case**: after Redis has forgotten, nobody is admitted anywhere until every partition has written its claims again, the stopped one too.
- **The share limit is per fixed hour** of event time: ten shares may straddle an hour.
- **The rate is fleet-wide by Redis's clock**; a process smooths its own share of it.
- **Queries** (none served yet but `verify`) would be a second behind: nodes are written about once a second.
- **Latency is not promised**: a partition moves after 10 s when its owner dies and does not come back.

## Non-obvious

What surprised us, and which lines look wrong until one knows why.

*Kafka*

- **Offsets go before records** in a transaction (`publisher.door`): a produce that meets the previous transaction's unfinished markers is held some 25 ms in the broker; asking with the
  offsets first, again every millisecond, is not.
- **The door is asked again under the next generation** instead of aborting: a refused generation has said nothing to anybody yet, and an abort would cost a lane restart at every rebalance.
- **X5b is asked again as long as the partition is in the owned set.** Partitions that are kept over a rebalance are not announced again. Stopping at the first refused heartbeat left
  partitions idle: the ForceRebalance right after the first assignment moves the generation under the takeover.
- **That ForceRebalance** is there because a kill in mid-revoke otherwise left a partition owned by nobody while the group was Stable. It comes
  once the first assignment is taken over (2 s at most): during a rebalance no lease can be proved (X5b) before every other instance has heard
  of it, up to a heartbeat of 500 ms, and that was the greater half of a restart.
- **Only a record's promise tells that it was taken** (X6): flush, offsets and commit can all say yes to a transaction from which a record was refused.
- **UNSTABLE_OFFSET_COMMIT comes with offset -1** and no metadata and is not a first start: every error code is read.
- **A transaction that has only offsets so far shows in no topic**: the fence takes those that hold a partition of `__consumer_offsets` with the same start time 300 ms later.
- **An empty transaction is never ended by the client**, so a lane whose partitions all moved away behind the door begins a new life.
- **Steps carry a ticket** of their ownership: a partition that left and came back queues its tail again, and the old copies in the queue must not be published.
- The first start on a fresh broker logs `NOT_COORDINATOR` and a lane restart or two: the broker is making its internal topics.

*Facts*

- **Facts carry their CloudEvents attributes in the value** and only `traceparent` as a header, because four headers per fact would double its size. Commands and results carry all CloudEvents headers.
- **A malformed code of a join is a dead letter, a forged one a verdict.** Of a join nothing else names campaign and chain, so there is nobody to give the verdict to.
- **StepEnded's hash is the last field on the wire**, out of number order: it is cut off to check what it covers.
- **A campaign file is a fact** (CampaignActivated, with its text), so that verify and replay need the topics only; an instance with an older file ends rather than go back.

*State*

- **Nodes, coupons and orders are all written together, about once a second.** So the store always stands at one state, NodesSeq, and the kept outbox entries are folded over it at open. Writing coupons at every
  step and nodes now and then would have needed two ways of opening.
- **A user who never shared costs 16 bytes** and an index slot. Only sharers can have descendants, so only they have an inviter record, and a walk up the tree reads nothing else.
- **Share records keep a 128-bit hash** of (campaign, chain, source, id), never the ids. Claims and share buckets in Redis keep 8 bytes of it: they are compared only within one claim, or among a few shares.
- **Pebble's Get skips the bloom filters of the last level**, where most keys are; reads use an iterator that asks them all.
- **guardFS sees each write before Pebble does**: Pebble answers a failed write by Fatalf, by a retry, or by a panic under a mutex. Here the process ends in one way.

*Redis*

- **The epoch compares run_id and master_replid2**, by the scripts themselves: a process that was demoted, lost writes and was promoted again keeps its run_id. The replication id alone would change when a first replica
  attaches.
- **Rebuilt claims carry the epoch's tag**, so that a fact that meets another one knows whether it is a leftover or a real second chain.
- **Stock left is declared minus done**, computed and never stored: restoring the answers restores it as well.
- **Answers lie in hashes of a few hundred entries**: 19 bytes an answer instead of some 110 for a key of its own.
- **The embedded Redis has no clock of its own**: `internal/embedded` lets keys expire every 5 s, and nothing depends on it: the rate's script reads TIME, and a share whose bucket may have expired brings the accepted ids along.

*Machines*

- **looplab/fsm stays stuck when its context ends in mid-move**: no deadline and no side effect there.
- **Unknown never exhausts**: the last attempt is looked up by key before a coupon is given up.
- **Retry times are a pure function** of (coupon id, round, attempts, now): deciding again decides the same.

## Where the design pages were changed, and why

| page says | code does | because |
|---|---|---|
| X5b: on UNKNOWN_MEMBER_ID and its like stop, the callbacks will tell | asks again while the partition is in the owned set | kept partitions are not announced again; they stayed idle (`TestTwoInstances`) |
| X7: a transaction refused after a revoke is aborted | its offsets are asked for again under the next generation | nothing has been said yet; a rebalance costs no restart |
| CloudEvents attributes travel in headers | of facts in the value | size |
| claim key `{p}:c:<campaign>:<user>` and value as text | binary, event id as 8 bytes of a hash | a claim costs less than the 128 bytes that it may |
| X10: a changed run id at connect time | the scripts compare run_id and master_replid2 at each call | proxies, reconnects, a master that comes back |
| X10: a claim is void when its offset is committed without a fact | claims stand until released, also from folded facts, or rebuilt | the port is there (`admission.Config.Void`); see "What is exact" |
| section 6 of domain.md: `transient, unknown` lead to DEAD after the 4th attempt | an event `exhaust` of its own, and only after a lookup | a table with a count in it is no table; a late success must be found |
| `verify --redis` compares stock | `verify --stock` | every command has `--redis` |

## Open

Known, and not mended yet:

- **A lane fenced from outside, on the embedded broker.** `TestLaneBeginsAgain` takes a lane's transactional id away while it works. Under heavy
  load about one run in thirty wrote the unpublished tail of one partition twice on the embedded broker; 15 runs under the same load on a real
  Kafka did not. Whether the embedded broker takes a late request of the closed client, or hongbao looks too early at X5, is not known. The test
  runs on the real parts (`make test-real`).
- **A command with a `fact_seq` is believed.** Other services may write `coupon.commands`; one that claims a seq of an existing fact is issued
  without a look at that fact. `hongbao verify` finds it (check `rewards`); until then only Kafka's ACLs keep it out.
- **Mailboxes are bounded in events, not in bytes.** A backlog of megabyte garbage needs memory for some 48,000 records a lane.
- **Void claims.** A process that dies between the commit of a refusing fact and its release leaves the claim to the next open of the partition;
  a claim whose partition lost its outbox as well stays until its event is sent again.
- **A stopped partition holds back admissions after Redis was emptied**, since nobody is admitted before every partition has rebuilt (X10).
- **Retry topics wait at their head.** A record that is due later holds those behind it, by the jitter at most (12 s of 30 s).
- **Speed.** The bars of 200,000 events/s and of p99 at 60,000/s were not met when last measured, on a busy machine (README, figures). What a
  profile shows first: system calls of the store's log and compactions (a fifth), look-ups of orders that do not exist in Pebble (7 %; a filter in
  memory would save them), copies of records.
- **Restart after a kill** was ready in 1.6 to 2.8 s on a quiet machine with two instances (`scripts/proofs/kill`); the bar is 1 s.
