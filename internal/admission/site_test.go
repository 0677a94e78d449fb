package admission

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a Redis that can be made to fail. Every test of the conformance suite runs on each.
type site interface {
	config() Config // says where it is
	down()          // no connection works; nothing is lost
	up()
	empty()   // loses everything, the process stays
	restart() // another process without data
	keep()    // from here on writes do not reach the replica
	failover() bool
	ttl(key, field string) time.Duration // 0: none
}

// memorySite is a Memory.
type memorySite struct {
	m       *Memory
	replica map[string]string
}

func newMemorySite(*testing.T) site { return &memorySite{m: NewMemory(nil)} }

func (p *memorySite) config() Config { return Config{Memory: p.m} }
func (p *memorySite) down()          { p.m.SetDown(true) }
func (p *memorySite) up()            { p.m.SetDown(false) }
func (p *memorySite) empty()         { p.m.Empty() }
func (p *memorySite) restart()       { p.m.Failover(nil) }
func (p *memorySite) keep()          { p.replica = p.m.Snapshot() }
func (p *memorySite) failover() bool { p.m.Failover(p.replica); return true }
func (p *memorySite) ttl(key, field string) time.Duration {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	e := p.m.data[key+field]
	if e.expires.IsZero() {
		return 0
	}
	return time.Until(e.expires).Round(time.Hour)
}

// miniSite is a miniredis behind a proxy. It does not say who it is, so a failover that keeps the epoch
// key cannot be seen on it.
type miniSite struct {
	m *miniredis.Miniredis
	*proxy
}

func newMiniSite(t *testing.T) site {
	m := miniredis.RunT(t)
	return &miniSite{m: m, proxy: newProxy(t, m.Addr())}
}

func (p *miniSite) empty()         { p.m.FlushAll() }
func (p *miniSite) restart()       { p.down(); p.m.FlushAll(); p.up() }
func (p *miniSite) keep()          {}
func (p *miniSite) failover() bool { return false }
func (p *miniSite) ttl(key, _ string) time.Duration {
	return p.m.TTL(key).Round(time.Hour)
}

const testPartitions = 4

// newGate runs a gate until the test ends.
func newGate(t *testing.T, at site, change func(*Config)) *Gate {
	t.Helper()
	cfg := at.config()
	cfg.Partitions = testPartitions
	if cfg.Prefix == "" {
		cfg.Prefix = "hongbao"
	}
	cfg.Poll, cfg.BackoffMax = 2*time.Millisecond, 20*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	start(t, g)
	return g
}

// start runs g until the test ends.
func start(t *testing.T, g *Gate) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// ownAll owns every partition with the given sources (nil: nothing is known).
func ownAll(g *Gate, src ...Source) []*Owner {
	os := make([]*Owner, g.cfg.Partitions)
	for p := range os {
		var s Source = &state{}
		if p < len(src) && src[p] != nil {
			s = src[p]
		}
		os[p] = g.Own(int32(p), s)
	}
	return os
}

// ready rebuilds every owner's partition as an idle worker would.
func ready(t *testing.T, os []*Owner) {
	t.Helper()
	for _, o := range os {
		rebuild(t, o)
	}
}

// rebuild waits until a rebuild is wanted and does it.
func rebuild(t *testing.T, o *Owner) Rebuilt {
	t.Helper()
	ctx := timeout(t)
	for {
		select {
		case <-o.Wanted():
		case <-ctx.Done():
			t.Fatalf("partition %d: no rebuild was wanted: %+v", o.partition, o.gate.Status())
		}
		r, err := o.Rebuild(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if r.Epoch != 0 {
			return r
		}
	}
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// state is a partition's folded facts.
type state struct {
	mu     sync.Mutex
	claims []Claim
	shares []Share
	walks  int
	err    error
}

func (s *state) Claims(yield func(Claim) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.walks++
	for _, c := range s.claims {
		if err := yield(c); err != nil {
			return err
		}
	}
	return s.err
}

func (s *state) Shares(sinceMS int64, yield func(Share) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.shares {
		if c.EventTimeMS < sinceMS {
			continue
		}
		if err := yield(c); err != nil {
			return err
		}
	}
	return nil
}

// lines is a log that tests can wait on.
type lines struct {
	slog.Handler
	ch chan string
}

func newLines() *lines {
	return &lines{Handler: slog.DiscardHandler, ch: make(chan string, 1000)}
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	select {
	case l.ch <- r.Message:
		return nil
	default:
		return errors.New("nobody reads the log")
	}
}

func (l *lines) await(t *testing.T, message string) {
	t.Helper()
	ctx := timeout(t)
	for {
		select {
		case m := <-l.ch:
			if m == message {
				return
			}
		case <-ctx.Done():
			t.Fatalf("the log never said %q", message)
		}
	}
}

// sites is what everybody has; realSites adds redis-server under the build tag real.
func sites() map[string]func(*testing.T) site {
	s := map[string]func(*testing.T) site{"memory": newMemorySite, "miniredis": newMiniSite}
	maps.Copy(s, realSites())
	return s
}

// onEach runs a test on every site.
func onEach(t *testing.T, test func(t *testing.T, at site)) {
	t.Helper()
	for name, open := range sites() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func newLogger(l *lines) *slog.Logger { return slog.New(l) }
