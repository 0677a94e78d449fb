//go:build synctests

package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/eventstore"
	"hongbao/internal/admission"
	"hongbao/processor"
	"hongbao/projections"
)

// instance is one process of the group, with a disk that outlives it.
type instance struct {
	s       *sim
	name    string
	disk    *eventstore.Memory
	life    *life
	lives   int
	clock   clock
	past    []*life  // all of them, to be waited for
	gone    bool     // not to be started again
	foreign bool     // on another one's directory
	changed string   // what became of the directory since its process ended
	flipped *flipped // a bit of the directory that nobody has read since
}

// life is one run of it.
type life struct {
	of   *instance
	link *link
	disk *disk
	x    *processor.Processor
	gate *admission.Gate
	stop context.CancelFunc
	done chan struct{}
	err  error
	bid  bool // it was told to end
	dead atomic.Bool
	told atomic.Bool // to stop
	torn atomic.Bool // its disk has failed, or it has read a bit that was turned
}

func (s *sim) instance(name string) *instance {
	i := &instance{s: s, name: name, disk: eventstore.NewMemory()}
	s.fleet = append(s.fleet, i)
	return i
}

// begin starts the process on its disk.
func (i *instance) begin() {
	s := i.s
	i.lives++
	l := &life{of: i, link: s.net.link(i.name), done: make(chan struct{})}
	l.disk = newDisk(l, i.disk)
	l.disk.flipped = i.flipped
	if i.changed != "" {
		s.hit(i.changed)
		i.changed = ""
	}
	now := func() time.Time {
		at, met := i.clock.now(!l.dead.Load())
		if met {
			s.hit("clock jump")
		}
		return at
	}
	rng := rand.New(rand.NewPCG(s.seed, uint64(i.lives)<<32|uint64(len(i.name))<<16|uint64(i.name[len(i.name)-1])))
	var err error
	l.gate, err = admission.New(admission.Config{
		Memory: s.redis, Prefix: "sim", Partitions: partitions, Poll: 500 * time.Millisecond, Now: now, Rand: rng, Logger: s.logOf(l),
	})
	s.must(err)
	iss := s.issuer.of(l)
	l.x, err = processor.New(processor.Config{
		Brokers: s.brokers, Group: group, Instance: i.name, Partitions: partitions,
		Kafka:   []kgo.Opt{kgo.Dialer(l.link.dial), kgo.DisableClientMetrics()},
		OpenMax: s.plan.OpenMax, Pin: processor.PinOff, Lanes: s.plan.Lanes,
		Store: eventstore.Config{
			Dir: "data", FS: l.disk, CacheBytes: 1 << 20, MemTableBytes: 1 << 20, Sync: eventstore.SyncMode(s.plan.Sync),
			Fatal: l.fatal, Random: randomReader{rng}, Logger: s.logOf(l),
		},
		Projections: projections.Config{Campaigns: s.texts}, Campaigns: s.campaigns, CodeKeys: s.keys,
		Gate: l.gate, Issuer: iss, Stock: iss, Limiter: s.limiter,
		CheckpointEvery: 2 * time.Second, Now: now, Logger: s.logOf(l),
	})
	s.must(err)
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	i.life = l
	i.past = append(i.past, l)
	go func() {
		defer close(l.done)
		l.err = l.x.Run(ctx)
		l.bid = ctx.Err() != nil
		stop()
	}()
}

// running says that the process is there, by its own account.
func (i *instance) running() bool {
	if i.life == nil || i.life.dead.Load() {
		return false
	}
	select {
	case <-i.life.done:
		return false
	default:
		return true
	}
}

// used says that its directory has held something.
func (i *instance) used() bool { return i.lives > 1 || i.life.disk.wrote() > 0 }

// fatal is what the store calls when its disk cannot be trusted: the process ends there and then. It is I8 where nothing was wrong with the disk.
func (l *life) fatal(err error) {
	l.of.s.log.Error("the process ends", "who", l.of.name, "error", err)
	if l.dead.Load() {
		return
	}
	if !l.torn.Load() {
		l.of.s.fail("I8", "the store of %s has ended it, with nothing wrong with its disk: %v", l.of.name, err)
	}
	l.of.s.reach("process ended by its disk")
	l.kill(percents[l.of.lives%4])
}

// kill ends the process as SIGKILL does. percent of what was not synced survives; -1 leaves the disk as it is.
func (l *life) kill(percent int) {
	if !l.dead.CompareAndSwap(false, true) {
		return
	}
	l.link.kill()
	if percent >= 0 {
		l.of.disk = l.of.disk.Crash(percent, l.of.s.rng)
	}
	l.stop()
}

// randomReader gives bytes of a seeded source.
type randomReader struct{ rng *rand.Rand }

func (r randomReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.rng.Uint32())
	}
	return len(b), nil
}

// start begins with some instances; faults let others join.
func (s *sim) start() {
	for n := range s.plan.Instances {
		s.instance(fmt.Sprintf("i%d", n)).begin()
	}
}

// heal ends the faults: what was held goes on, what is down is started, what an operator would mend is mended.
func (s *sim) heal() {
	close(s.healing)
	s.pending.Wait()
	s.faults.end()
	s.revokes.end()
	s.issuer.trouble(false, 0)
	for _, i := range s.fleet {
		i.clock.jump(0)
		if i.life != nil {
			i.life.disk.mend()
		}
		if i.gone {
			continue
		}
		if i.foreign {
			i.stopAndWait()
			i.disk, i.changed = eventstore.NewMemory(), ""
		}
		if !i.running() {
			i.begin()
		}
	}
	s.watch.calm()
}

// mend does what an operator does about partitions that have stopped and can go on: restart.
func (s *sim) mend() (some bool) {
	for _, i := range s.fleet {
		if i.gone || i.running() && !i.stopped(s) {
			continue
		}
		i.stopAndWait()
		i.begin()
		some = true
	}
	return some
}

// revive starts what has ended since, such as a process that was stopped before the faults were over and took its time.
func (s *sim) revive() {
	for _, i := range s.fleet {
		if !i.gone && !i.running() {
			i.begin()
		}
	}
}

// ends are the ways in which a process may end by itself, by what it says, and whether it has met what it says: no broker let it in, or two answers
// were lost, for each of which it waits 10 s; or three told it that another has one of its transactional ids.
var ends = []struct {
	says string
	met  func(l *life, said string) bool
}{
	{"no broker answers", func(l *life, _ string) bool { return l.link.refused.Load() || l.link.unheard.Load() >= 2 }},
	{"X1: transactional id ", func(l *life, said string) bool {
		_, id, _ := strings.Cut(said, "X1: transactional id ")
		id, _, _ = strings.Cut(id, " ")
		return l.of.s.heard.fencedOften(l.link, id)
	}},
}

// checkEnd is I8 for a process that has ended by itself: with a sentence that is true.
func (s *sim) checkEnd(l *life) {
	if l.err == nil && l.bid || l.dead.Load() {
		return
	}
	s.log.Error("a process ended", "who", l.of.name, "error", l.err)
	for _, e := range ends {
		if l.err != nil && strings.Contains(l.err.Error(), e.says) && e.met(l, l.err.Error()) {
			s.reach("end " + strings.TrimSpace(e.says))
			return
		}
	}
	s.fail("I8", "%s has ended by itself: %v", l.of.name, l.err)
}

// stopped says that the process has a partition stopped that need not be.
func (i *instance) stopped(s *sim) bool {
	for _, stop := range i.life.x.Status().Stopped {
		if !s.expected.stops[stop.Partition] {
			return true
		}
	}
	return false
}

func (i *instance) stopAndWait() {
	if i.life != nil {
		i.life.stop()
		<-i.life.done
	}
}

// stop ends what runs, all at once, as a fleet that is shut down, and waits for every life there was.
func (s *sim) stop() {
	for _, i := range s.fleet {
		if i.life != nil {
			i.life.stop()
		}
	}
	for _, i := range s.fleet {
		for _, l := range i.past {
			<-l.done
			s.checkEnd(l)
		}
	}
}

// workers says which processes believe that they work on which partition.
func (s *sim) workers() (of [partitions][]*instance) {
	for _, i := range s.fleet {
		if !i.running() {
			continue
		}
		for _, p := range i.life.x.Status().Working {
			of[p] = append(of[p], i)
		}
	}
	return of
}

// disowned names a partition that not one process works on: nobody does, though nothing has stopped them, or somebody has not heard yet
// that the group went on without him.
func (s *sim) disowned() string {
	for p, w := range s.workers() {
		if len(w) > 1 || len(w) == 0 && !s.expected.stops[p] {
			return fmt.Sprintf("partition %d is not worked on by one process: %v", p, w)
		}
	}
	return ""
}

// owners says which process works on which partition.
func (s *sim) owners() (of [partitions]*instance) {
	for p, w := range s.workers() {
		if len(w) == 1 {
			of[p] = w[0]
		}
	}
	return of
}

// String names the process.
func (i *instance) String() string { return i.name }
