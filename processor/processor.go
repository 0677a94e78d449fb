package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"hongbao/eventstore"
	"hongbao/fsm"
	"hongbao/internal/crashpoint"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// drainPatience is how long a stopping process publishes its tails before it leaves the group.
const drainPatience = 5 * time.Second

// Processor is one process of a group: its member, lanes and workers. Use it once.
type Processor struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	routes  routes
	tickets atomic.Uint64
	opened  atomic.Bool // what open sets may be read by others
	leaving atomic.Bool // the process drains: what a rebalance gives it now, it leaves to the next owner

	factPatience time.Duration // of X5d; tests wait less

	store    *eventstore.Store
	topics   *topiclog.Client
	plain    *kgo.Client // no group, no transactions: offsets of the dead, leaving
	eventsID [16]byte
	member   *member
	lanes    []*lane
	pool     *fsm.Pool

	mu    sync.Mutex // the last to be taken: behind member.mu, then lane.mu
	live  map[int32]*partition
	stops map[int32]*Stop
	fatal chan error

	moves    moves
	swapping sync.Mutex
	hashing  sync.Mutex
}

// New validates the configuration. Nothing is opened before Run.
func New(cfg Config) (*Processor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	x := &Processor{
		cfg: cfg, log: cfg.Logger, live: map[int32]*partition{}, stops: map[int32]*Stop{}, fatal: make(chan error, 1),
		factPatience: factPatience,
	}
	x.metrics = newMetrics(cfg.Metrics, x)
	x.routes.partitions = cfg.Partitions
	for t := range schemas.Topics {
		x.routes.names[t] = t.Name(cfg.Prefix)
	}
	return x, nil
}

func (x *Processor) now() time.Time { return x.cfg.Now() }

// Run works until ctx ends, then finishes: no new steps, the tails published, the group left, the stores
// closed. Its error is nil, or says in a sentence why the process cannot go on.
func (x *Processor) Run(ctx context.Context) (err error) {
	if err := x.open(ctx); err != nil {
		if errors.Is(err, ctx.Err()) {
			err = nil // it was told to end while it began
		}
		return errors.Join(err, x.close())
	}
	defer func() { err = errors.Join(err, x.close()) }()

	base, end := context.WithCancel(context.WithoutCancel(ctx)) // what must outlive ctx for the drain
	defer end()
	var g errgroup.Group
	g.Go(func() error { return x.cfg.Gate.Run(base) })
	g.Go(func() error { return x.pool.Run(base) })
	g.Go(func() error { x.keepStock(base); return nil })
	g.Go(func() error { x.keepLease(base); return nil })
	for _, l := range x.lanes {
		g.Go(func() error {
			err := l.run(base)
			if err != nil {
				x.fail(err)
			}
			return nil
		})
	}
	if err := x.member.start(x.memberOptions()); err != nil {
		end()
		return errors.Join(err, g.Wait())
	}
	select {
	case <-ctx.Done():
	case err = <-x.fatal:
	}
	x.drain(base)
	end()
	return errors.Join(err, g.Wait())
}

// open takes the data directory, dials, and refuses what would go wrong later.
func (x *Processor) open(ctx context.Context) error {
	var err error
	if x.store, err = eventstore.Open(x.cfg.Store); err != nil {
		return err
	}
	if x.topics, err = topiclog.Dial(ctx, topiclog.Config{Brokers: x.cfg.Brokers, Prefix: x.cfg.Prefix, ClientID: x.clientID(), Options: x.cfg.Kafka}); err != nil {
		return err
	}
	if x.plain, err = kgo.NewClient(x.clientOptions()...); err != nil {
		return fmt.Errorf("processor: %w", err)
	}
	if err := x.findTopics(ctx); err != nil {
		return err
	}
	if x.pool, err = fsm.NewPool(fsm.PoolConfig{
		Issuer: x.cfg.Issuer, Limiter: x.cfg.Limiter, Ready: x.ready, Deliver: x.deliver, AttemptTimeout: attemptTimeout,
	}); err != nil {
		return err
	}
	x.member = &member{
		group: x.cfg.Group, instance: x.cfg.Instance, topic: x.routes.names[schemas.TopicEvents], log: x.log,
		take: x.take, release: x.release, lose: x.lose, renewed: x.renewed,
	}
	n := x.cfg.Lanes
	if n == 0 {
		n = max(1, len(cpus())/2) // two cores' workers keep one client busy; each lane's transactions touch all partitions of the outputs
	}
	for i := range min(n, int(x.cfg.Partitions)) {
		x.lanes = append(x.lanes, &lane{
			x: x, id: i, txnID: fmt.Sprintf("%s%s/%d", x.txnPrefix(), x.store.ID(), i), log: x.log,
			owned: map[int32]bool{}, open: map[int32]*partition{},
		})
	}
	x.opened.Store(true)
	return nil
}

// findTopics sees that every topic is there with the partition count that the state was made for.
func (x *Processor) findTopics(ctx context.Context) error {
	found, err := x.topics.Describe(ctx)
	if err != nil {
		return fmt.Errorf("processor: %w", err)
	}
	for _, name := range x.routes.names {
		t := found[name]
		if t.Err != nil {
			return fmt.Errorf("processor: topic %s: %w; run `hongbao topics create`", name, t.Err)
		}
		if n := len(t.Partitions); n != int(x.cfg.Partitions) {
			return fmt.Errorf("processor: topic %s has %d partitions, the configuration says %d: a changed count would send chains to other workers, so nothing is started", name, n, x.cfg.Partitions)
		}
	}
	x.eventsID = found[x.routes.names[schemas.TopicEvents]].ID
	return nil
}

func (x *Processor) close() error {
	var errs []error
	if x.topics != nil {
		x.topics.Close()
	}
	if x.plain != nil {
		x.plain.Close()
	}
	if x.store != nil {
		errs = append(errs, x.store.Close())
	}
	return errors.Join(errs...)
}

// drain is the order of a shutdown: halt the workers, publish their tails under the lease that still
// holds, then leave the group. What cannot be published in time stays in Pebble as an unpublished tail.
func (x *Processor) drain(ctx context.Context) {
	tails, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	owned := x.member.held()
	x.leaving.Store(true)
	crashpoint.Draining()
	crashpoint.Hit("drain.before")
	x.release(tails, owned)
	x.member.drop(owned)
	if err := x.cfg.Gate.Flush(tails); err != nil {
		x.log.Warn("what Redis granted to refused events stays until its owner asks again", "rule", "X10", "error", err)
	}
	x.member.cl.Close()
	bye, cancel2 := context.WithTimeout(ctx, 2*time.Second)
	defer cancel2()
	crashpoint.Hit("member.leave.before")
	if err := x.member.leave(bye, x.plain); err != nil {
		x.log.Warn("the group will notice after the session timeout", "error", err)
	}
	crashpoint.Hit("member.leave.after")
}

func (x *Processor) fail(err error) {
	select {
	case x.fatal <- err:
	default:
	}
}

func (x *Processor) clientID() string { return "hongbao/" + x.cfg.Instance + "/" + x.cfg.Address }

// txnPrefix begins every transactional id of the group (X1).
func (x *Processor) txnPrefix() string { return "hongbao/" + x.cfg.Group + "/" }

func (x *Processor) clientOptions() []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(x.cfg.Brokers...), kgo.ClientID(x.clientID())}
	return append(opts, x.cfg.Kafka...)
}

func (x *Processor) memberOptions() []kgo.Opt { return x.clientOptions() }

func (x *Processor) laneOf(p int32) *lane { return x.lanes[int(p)%len(x.lanes)] }

func (x *Processor) take(p int32) {
	if x.leaving.Load() {
		return
	}
	x.clearStop(p) // a worker may have said it after the partition had moved away
	x.laneOf(p).assign(p)
}

func (x *Processor) release(ctx context.Context, ps []int32) {
	x.moves.note(ps)
	var wg sync.WaitGroup
	for _, p := range ps {
		wg.Go(func() {
			x.laneOf(p).release(ctx, p)
			x.clearStop(p)
		})
	}
	wg.Wait()
}

func (x *Processor) lose(ps []int32) {
	x.moves.note(ps)
	for _, p := range ps {
		x.laneOf(p).lose(p)
		x.clearStop(p)
	}
}

// clearStop forgets why p stopped: it moves, or was swapped. Its next owner, who may be this instance, settles it anew, and says
// if it must stop again.
func (x *Processor) clearStop(p int32) {
	x.mu.Lock()
	delete(x.stops, p)
	x.mu.Unlock()
	x.metrics.goesOn(p)
}

// renewed sends every lane to X5: the group gave this member up and took it in again, and the client that keeps its partitions
// announces none of them anew (X7).
func (x *Processor) renewed() {
	for _, l := range x.lanes {
		l.mu.Lock()
		if l.life != nil {
			l.life.fail(&laneError{during: "the group's session", err: kerr.UnknownMemberID})
		}
		l.mu.Unlock()
	}
}

// started and ended keep the list of partitions that have a worker now.
func (x *Processor) started(p *partition) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.live[p.id] = p
}

func (x *Processor) ended(p *partition) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.live[p.id] == p {
		delete(x.live, p.id)
	}
}

func (x *Processor) running(p int32) *partition {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.live[p]
}

func (x *Processor) isStopped(p int32) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stops[p] != nil
}

// tended says that p has stopped and its state is good, so that it still tells what it knows.
func (x *Processor) tended(p int32) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stops[p] != nil && x.stops[p].sound()
}

// stopPartition stops one partition loudly and alone; its neighbours go on.
func (x *Processor) stopPartition(s *Stop) {
	x.mu.Lock()
	part := x.live[s.Partition]
	known := x.stops[s.Partition] != nil
	if !known {
		x.stops[s.Partition] = s
	}
	x.mu.Unlock()
	if part != nil {
		part.stopped.Store(true)
		part.halt(s)
	}
	if known {
		return
	}
	x.log.Error("partition stopped", "partition", s.Partition, "rule", s.Rule, "expected", s.Expected, "found", s.Found, "remedy", s.Remedy)
	x.metrics.stop(s)
}

// keepLease proves the lease over and over, so that the issuer may be asked (X11): the group's own heartbeats tell nobody their answers.
func (x *Processor) keepLease(ctx context.Context) {
	for pause(ctx, heartbeatInterval) == nil {
		beat, cancel := context.WithTimeout(ctx, leaseFresh)
		if err := x.member.heartbeat(beat); err != nil && ctx.Err() == nil {
			x.log.Debug("the lease is not proved", "rule", "X11", "error", err)
		}
		cancel()
	}
}

// pin puts the calling worker's thread on core p mod cores, as Config.Pin says.
func (x *Processor) pin(p int32) error {
	list := cpus()
	if x.cfg.Pin == PinOff || (x.cfg.Pin == PinAuto && len(list) < int(x.cfg.Partitions)) {
		return nil
	}
	return pinThread(list[int(p)%len(list)])
}
