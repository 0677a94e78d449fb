package admission

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Gate asks Redis on behalf of all workers of a process. Methods are safe for concurrent use.
type Gate struct {
	cfg    Config
	keys   keys
	server server
	kick   chan struct{} // wakes Run
	batch  *batch        // of Run
	look   time.Time     // of Run: when the epoch is looked at next

	mu       sync.Mutex
	view     epoch  // the epoch in force as last seen
	doubted  bool   // an owner saw another one
	highest  uint64 // number of any epoch ever seen
	queue    []*call
	releases []release
	pending  []int         // releases, by partition
	owners   []*Owner      // by partition
	changed  chan struct{} // closed and replaced when view changes
	flushed  chan struct{} // closed and replaced when no release is left
	trouble  [troubles]error
	state    State
	since    time.Time
	stats    Stats
}

// New makes a gate. Nothing is sent before Run.
func New(cfg Config) (*Gate, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	g := &Gate{
		cfg:     cfg,
		keys:    newKeys(cfg.Prefix),
		kick:    make(chan struct{}, 1),
		batch:   newBatch(cfg.Limit),
		owners:  make([]*Owner, cfg.Partitions),
		pending: make([]int, cfg.Partitions),
		changed: make(chan struct{}),
		flushed: make(chan struct{}),
		since:   cfg.Now(),
	}
	if cfg.Memory != nil {
		g.server = &slowServer{&memoryServer{Memory: cfg.Memory, keys: g.keys}, cfg.Memory}
	} else {
		g.server = newRedisServer(cfg.Redis, cfg.Prefix)
	}
	return g, nil
}

// Run carries asks to Redis and watches the epoch until ctx ends; it returns nil then, with
// the connections closed. Owners must be closed, or their calls' contexts ended, before.
func (g *Gate) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	attempt := 0
	for ctx.Err() == nil {
		busy, err := g.turn(ctx)
		if busy {
			attempt = 0
			continue
		}
		kick, wait := g.kick, time.Until(g.look)
		if err != nil {
			attempt++
			kick, wait = nil, g.backoff(attempt) // new asks do not make Redis come back sooner
		} else {
			attempt = 0
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-kick:
		}
	}
	if err := g.server.close(); err != nil {
		return fmt.Errorf("admission: closing the connections to Redis: %w", err)
	}
	return nil
}

// turn looks if it is time to, and makes one round trip with what is waiting. It is busy when
// there may be more to do.
func (g *Gate) turn(ctx context.Context) (busy bool, err error) {
	if g.due() {
		if err := g.watch(ctx); err != nil {
			return false, err
		}
		g.look = time.Now().Add(g.cfg.Poll)
	}
	asked, err := g.trip(ctx)
	if err != nil {
		return false, err
	}
	released, err := g.giveBack(ctx)
	return asked || released, err
}

// due says whether the epoch must be looked at now.
func (g *Gate) due() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	due := g.doubted || !time.Now().Before(g.look)
	g.doubted = false
	return due
}

// backoff is the wait before attempt n+1: doubling up to BackoffMax, of which the last half is chance.
func (g *Gate) backoff(n int) time.Duration {
	d := g.cfg.BackoffMax / 30 << min(n-1, 5)
	d = min(d, g.cfg.BackoffMax)
	return d/2 + time.Duration(g.cfg.Rand.Int64N(int64(d/2)+1))
}

func (g *Gate) wake() {
	select {
	case g.kick <- struct{}{}:
	default:
	}
}

// Limit is the share limit in force.
func (g *Gate) Limit() Limit { return g.cfg.Limit }

// Own says that this process's worker now decides partition p and that src speaks for its state.
// Call it once the partition has settled (X5) and its facts are folded.
func (g *Gate) Own(p int32, src Source) *Owner {
	o := &Owner{gate: g, partition: p, src: src, call: newCall(), wanted: make(chan struct{}, 1)}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owners[p] = o
	g.want(o)
	return o
}

// want tells an owner who is behind that a rebuild is wanted, and says whether it did. The
// caller holds the lock.
func (g *Gate) want(o *Owner) bool {
	if o == nil || !o.behind(g.view) {
		return false
	}
	select {
	case o.wanted <- struct{}{}:
	default: // told before
	}
	return true
}
