//go:build synctests

package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
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
	s     *sim
	name  string
	disk  *eventstore.Memory
	old   *eventstore.Memory // an image kept for "older"
	life  *life
	lives int
	clock atomic.Int64 // nanoseconds beside the true time
	ends  []error      // of lives that ended by themselves
}

// life is one run of it.
type life struct {
	of   *instance
	link *link
	disk *disk
	x    *processor.Processor
	stop context.CancelFunc
	done chan struct{}
	err  error
	dead atomic.Bool
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
	l.disk = newDisk(i.disk)
	now := func() time.Time { return time.Now().Add(time.Duration(i.clock.Load())) }
	rng := rand.New(rand.NewPCG(s.seed, uint64(i.lives)<<32|uint64(len(i.name))<<16|uint64(i.name[len(i.name)-1])))
	gate, err := admission.New(admission.Config{
		Memory: s.redis, Prefix: "sim", Partitions: partitions, Poll: 500 * time.Millisecond, Now: now, Rand: rng, Logger: s.log.With("who", i.name),
	})
	s.must(err)
	iss := s.issuer.of(l)
	l.x, err = processor.New(processor.Config{
		Brokers: s.brokers, Group: group, Instance: i.name, Partitions: partitions,
		Kafka:   []kgo.Opt{kgo.Dialer(l.link.dial), kgo.DisableClientMetrics()},
		OpenMax: s.plan.OpenMax, Pin: processor.PinOff, Lanes: s.plan.Lanes,
		Store: eventstore.Config{
			Dir: "data", FS: l.disk, CacheBytes: 1 << 20, MemTableBytes: 1 << 20, Sync: eventstore.SyncMode(s.plan.Sync),
			Fatal: func(err error) { l.fatal(err) }, Random: randomReader{rng}, Logger: s.log.With("who", i.name),
		},
		Projections: projections.Config{}, Campaigns: s.campaigns, CodeKeys: s.keys,
		Gate: gate, Issuer: iss, Stock: iss, Limiter: s.limiter,
		CheckpointEvery: 2 * time.Second, Now: now, Logger: s.log.With("who", i.name),
	})
	s.must(err)
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	i.life = l
	go func() {
		defer close(l.done)
		l.err = l.x.Run(ctx)
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

// fatal is what the store calls when its disk cannot be trusted: the process ends there and then.
func (l *life) fatal(err error) {
	l.of.s.log.Error("the process ends", "who", l.of.name, "error", err)
	l.kill(-1)
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

// end stops it as SIGTERM does and waits.
func (i *instance) end() error {
	l := i.life
	if l == nil {
		return nil
	}
	l.stop()
	<-l.done
	return l.err
}

// gone waits until nothing of the process runs any more, which a killed one needs some simulated seconds for.
func (i *instance) gone() {
	if i.life != nil {
		<-i.life.done
	}
}

// randomReader gives bytes of a seeded source.
type randomReader struct{ rng *rand.Rand }

func (r randomReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.rng.Uint32())
	}
	return len(b), nil
}

// start begins with some instances; the plan says when others join.
func (s *sim) start() {
	for n := range s.plan.Instances {
		s.instance(fmt.Sprintf("i%d", n)).begin()
	}
}

// stop ends what runs, all at once, as a fleet that is shut down.
func (s *sim) stop() {
	var wg sync.WaitGroup
	for _, i := range s.fleet {
		wg.Go(func() {
			if err := i.end(); err != nil && !i.life.dead.Load() && !errors.Is(err, context.Canceled) {
				s.log.Error("a process ended", "who", i.name, "error", err)
				i.ends = append(i.ends, err)
			}
		})
	}
	wg.Wait()
}
