//go:build synctests

package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hongbao/eventstore"
	"hongbao/schemas"
)

// timed are the faults that come at a time, by name; weight says how often each is drawn.
var timed = []struct {
	kind   string
	weight int
	do     func(s *sim, f fault)
}{
	{"kill", 6, (*sim).kill},
	{"stop", 2, (*sim).stopOne},
	{"pause", 5, (*sim).pauseOne},
	{"join", 3, (*sim).join},
	{"connections cut", 3, (*sim).cutConnections},
	{"broker restart", 2, (*sim).brokerRestart},
	{"coordinators move", 2, (*sim).coordinatorsMove},
	{"leaders move", 2, (*sim).leadersMove},
	{"fence", 3, (*sim).fence},
	{"foreign transaction", 2, (*sim).foreignTransaction},
	{"redis down", 2, (*sim).redisDown},
	{"redis emptied", 1, (*sim).redisEmptied},
	{"redis failover", 2, (*sim).redisFailover},
	{"issuer trouble", 6, (*sim).issuerTrouble},
	{"issuer restart", 1, (*sim).issuerRestart},
	{"issuer emptied", 1, (*sim).issuerEmptied},
	{"clock", 3, (*sim).clockJump},
	{"disk", 3, (*sim).diskFault},
	{"directory", 4, (*sim).directory},
	{"record refused", 1, (*sim).recordRefused},
	{"offsets lost", 1, (*sim).offsetsLost},
	{"facts lost", 1, (*sim).factsLost},
	{"truncated", 1, (*sim).truncated},
	{"overtaken", 0, (*sim).overtake}, // by a focus only, as the next
	{"offset forged", 0, (*sim).offsetForged},
	{"redis slow", 0, (*sim).redisSlow}, // drawn by drawMore, as the next
	{"kill in revoke", 0, (*sim).killInRevoke},
}

func (p *plan) timedFault(rng *rand.Rand) fault {
	total := 0
	for _, t := range timed {
		total += t.weight
	}
	n := rng.IntN(total)
	for _, t := range timed {
		if n -= t.weight; n < 0 {
			return fault{
				Kind: t.kind, Who: fmt.Sprintf("i%d", rng.IntN(p.Instances)), At: 500*time.Millisecond + time.Duration(rng.Int64N(int64(actFor-2*time.Second))),
				For: time.Duration(rng.IntN(13000)) * time.Millisecond, N: rng.IntN(1000),
			}
		}
	}
	panic("no fault drawn")
}

// schedule runs the timed faults, each in its own goroutine, and returns when all have begun and the time is over.
func (s *sim) schedule() (wait func()) {
	done := make(chan struct{})
	var list []fault
	for _, f := range s.plan.Faults {
		if f.Nth == 0 {
			list = append(list, f)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].At < list[j].At })
	began := time.Now()
	go func() {
		defer close(done)
		for _, f := range list {
			s.pause(f.At - time.Since(began))
			for _, t := range timed {
				if t.kind == f.Kind {
					s.log.Warn("FAULT begins", "fault", f.String())
					t.do(s, f)
				}
			}
		}
	}()
	return func() { <-done }
}

// later runs fn after d, at the end of the faults at the latest; the goroutine is waited for by heal.
func (s *sim) later(d time.Duration, fn func()) {
	s.pending.Go(func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-s.healing:
		}
		fn()
	})
}

func (s *sim) named(name string) *instance {
	for _, i := range s.fleet {
		if i.name == name {
			return i
		}
	}
	return nil
}

// again starts a process that is down, after d.
func (s *sim) again(i *instance, d time.Duration) {
	s.later(d, func() {
		if !i.running() && !i.gone && !s.allDown {
			i.begin()
		}
	})
}

var percents = []int{0, 0, 50, 100}

func (s *sim) kill(f fault) {
	i := s.named(f.Who)
	if !i.running() {
		return
	}
	i.life.kill(percents[f.N%4])
	s.hit("kill")
	s.again(i, f.For/2)
}

func (s *sim) stopOne(f fault) {
	i := s.named(f.Who)
	if !i.running() {
		return
	}
	i.life.stop()
	if i.life.told.CompareAndSwap(false, true) {
		s.hit("stop")
	}
	s.again(i, f.For/4)
}

func (s *sim) pauseOne(f fault) {
	i := s.named(f.Who)
	if !i.running() {
		return
	}
	s.pauseFor(i.life.link, f.For, "pause")
}

func (s *sim) join(fault) {
	if len(s.fleet) >= 6 || s.allDown {
		return
	}
	i := s.instance(fmt.Sprintf("i%d", len(s.fleet)))
	s.revokes.joining(i.name)
	i.begin()
}

func (s *sim) cutConnections(f fault) {
	if i := s.named(f.Who); i.running() && i.life.link.cutAll() {
		s.hit("connections cut")
	}
}

// brokerRestart takes the broker away from everybody, with all it has.
func (s *sim) brokerRestart(f fault) {
	hit := sync.OnceFunc(func() { s.hit("broker restart") })
	s.net.mu.Lock()
	s.net.down, s.net.refused = true, hit
	s.net.mu.Unlock()
	for _, i := range s.fleet {
		if i.life != nil {
			if i.life.link.cutAll() {
				hit()
			}
		}
	}
	s.later(f.For/3, func() {
		s.net.mu.Lock()
		s.net.down = false
		s.net.mu.Unlock()
	})
}

func (s *sim) coordinatorsMove(fault) {
	if s.plan.Brokers > 1 {
		s.heard.onceTold("coordinators move", kerr.NotCoordinator)
		s.cluster.RehashCoordinators()
	}
}

func (s *sim) leadersMove(fault) {
	if s.plan.Brokers > 1 {
		s.heard.onceTold("leaders move", kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch)
		s.cluster.ShufflePartitionLeaders()
	}
}

// plainClient is a client of the simulation itself, whose requests meet no fault.
func (s *sim) plainClient(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append(append(s.client("tool"), kgo.SeedBrokers(s.brokers...)), opts...)...)
	s.must(err)
	return cl
}

// fence takes a living lane's transactional id away, as a second process on a copy of its directory does.
func (s *sim) fence(f fault) {
	cl := s.plainClient()
	defer cl.Close()
	all, err := kadm.NewClient(cl).ListTransactions(s.ctx, nil, nil)
	if err != nil {
		return
	}
	var ids []string
	for id := range all {
		if strings.HasPrefix(id, "hongbao/"+group+"/") {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	sort.Strings(ids)
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = &ids[f.N%len(ids)], 8000, -1, -1
	forget := s.heard.onceRefused("fence", *req.TransactionalID)
	if resp, err := req.RequestWith(s.ctx, cl); err != nil || resp.ErrorCode != 0 {
		forget()
	}
}

// foreignTransaction holds a transaction of somebody else open on an input.
func (s *sim) foreignTransaction(f fault) {
	topic := []schemas.Topic{schemas.TopicEvents, schemas.TopicCommands}[f.N%2]
	cl := s.plainClient(kgo.TransactionalID(fmt.Sprintf("foreign%d", f.Index)), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	s.must(cl.BeginTransaction())
	r := &kgo.Record{Topic: topic.String(), Partition: int32(f.N % partitions), Key: []byte("1"), Value: []byte("of another transaction")}
	if cl.ProduceSync(s.ctx, r).FirstErr() != nil {
		cl.Close()
		return
	}
	forget := s.heard.onceBlocked(topic, r.Partition, r.Offset)
	s.later(f.For/2, func() {
		forget()
		err := cl.EndTransaction(s.ctx, kgo.TransactionEndTry(f.N%3 > 0))
		if errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.InvalidTxnState) {
			s.fail("I8", "the transaction of somebody else was ended (X5c): %v", err)
		}
		cl.Close()
	})
}

func (s *sim) redisDown(f fault) {
	before := s.redis.Calls()
	s.redis.SetDown(true)
	s.later(f.For/3, func() {
		s.redis.SetDown(false)
		if s.redis.Calls().Failed > before.Failed {
			s.hit("redis down")
		}
	})
}

// redisSlow lets answers come late, or later than anybody waits for them.
func (s *sim) redisSlow(f fault) {
	before := s.redis.Calls()
	s.redis.SetSlow(time.Duration(1+f.N*3) * time.Millisecond)
	s.later(f.For, func() {
		s.redis.SetSlow(0)
		if s.redis.Calls().Late > before.Late {
			s.hit("redis slow")
		}
	})
}

func (s *sim) redisEmptied(fault) {
	if s.redis.Empty() > 0 {
		s.hit("redis emptied")
	}
}

// redisFailover puts a replica in the place of Redis, which has all, or lacks the last writes.
func (s *sim) redisFailover(f fault) {
	replica := s.redis.Snapshot()
	s.later(time.Duration(f.N)*time.Millisecond, func() {
		if f.N%3 == 0 {
			replica = s.redis.Snapshot()
		}
		before := s.redis.Calls()
		if s.redis.Failover(replica) {
			s.hit("redis failover with lost writes")
			return
		}
		s.afterwards(func() {
			if s.redis.Calls().All > before.All {
				s.hit("redis failover")
			}
		})
	})
}

func (s *sim) issuerTrouble(f fault) {
	s.issuer.trouble(true, f.N)
	s.later(f.For, func() { s.issuer.trouble(false, 0) })
}

func (s *sim) issuerRestart(fault) {
	s.issuer.restart()
}

func (s *sim) issuerEmptied(fault) {
	if s.issuer.inner.Wipe() > 0 {
		s.hit("issuer emptied")
		s.expected.issuerLost = true
	}
	s.issuer.forget()
}

func (s *sim) clockJump(f fault) {
	i := s.named(f.Who)
	d := time.Duration(f.N*20) * time.Millisecond
	if f.N%2 == 0 {
		d = -time.Duration(f.N) * time.Second / 2
	}
	i.clock.jump(d)
}

// diskFault makes a disk fail at one of its next writes or syncs: the process must end.
func (s *sim) diskFault(f fault) {
	if i := s.named(f.Who); i.running() {
		i.life.disk.failAfter(f.N%40, []string{"disk full", "failed sync"}[f.N%2])
	}
}

// directory is what may happen to a data directory while its process is down.
func (s *sim) directory(f fault) {
	i := s.named(f.Who)
	if !i.running() {
		return
	}
	switch f.N % 5 {
	case 0:
		if i.used() {
			i.changed = "directory lost"
		}
		i.life.kill(100)
		i.disk, i.flipped = eventstore.NewMemory(), nil
	case 1:
		old := i.disk.Crash(100, s.rng)
		of, writes := i.life, i.life.disk.wrote()
		s.later(f.For/3, func() {
			if s.allDown || i.gone {
				return
			}
			if i.running() {
				i.life.kill(100)
			}
			if i.life != of || of.disk.wrote() > writes {
				i.changed = "directory older"
			}
			i.disk, i.flipped = old, nil
			i.begin()
		})
		return
	case 2:
		s.double(i, f)
		return
	case 3:
		o := s.fleet[(f.N/5)%len(s.fleet)]
		if o == i {
			return
		}
		if o.used() {
			i.changed = "directory foreign"
		}
		i.life.kill(100)
		i.disk, i.flipped = o.disk.Crash(100, s.rng), nil
		i.foreign = true
	case 4:
		i.life.kill(100)
		s.torn()
		i.flipped = flip(i.disk, s.rng)
	}
	s.again(i, f.For/4)
}

// double starts a second process on a copy of the directory: the two fence each other until one ends (X1).
func (s *sim) double(i *instance, f fault) {
	if len(s.fleet) >= 7 {
		return
	}
	d := s.instance(i.name + "copy")
	d.disk = i.disk.Crash(100, s.rng)
	s.heard.onceDoubled(d.name)
	d.begin()
	s.later(f.For/2, func() {
		d.gone = true
		if d.running() {
			d.life.stop()
		}
	})
}

// recordRefused lets the broker refuse one record for itself: its partition stops by X6 until somebody restarts the process.
func (s *sim) recordRefused(f fault) {
	p := int32(f.N % partitions)
	s.expected.excuses.refuses(p)
	h := s.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: schemas.TopicFacts.String(), Partitions: []int32{p}, Err: kerr.MessageTooLarge, Count: 1})
	s.faults.mu.Lock()
	s.faults.handles[fmt.Sprintf("%d record refused", 1000+f.Index)] = h
	s.faults.mu.Unlock()
}
