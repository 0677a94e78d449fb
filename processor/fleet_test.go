package processor_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/eventstore"
	"hongbao/fsm"
	"hongbao/internal/admission"
	"hongbao/internal/cascade"
	"hongbao/internal/embedded"
	"hongbao/internal/topiclog"
	"hongbao/internal/verify"
	"hongbao/processor"
	"hongbao/schemas"
)

const testPartitions = 16

// patience bounds a wait in a test; nothing is asserted about how long something took.
const patience = 60 * time.Second

// fleet is a set of topics with processes on it: embedded parts by default, real ones where
// HONGBAO_TEST_BROKERS and HONGBAO_TEST_REDIS name them. Every fleet has topics, group and keys of its own.
type fleet struct {
	t          testing.TB
	brokers    []string
	redis      string
	prefix     string
	partitions int32
	topics     *topiclog.Client
	kafka      []kgo.Opt
	keys       *schemas.CodeKeys
	campaigns  []*schemas.Campaign
	rate       int
	root       string // of the data directories; removed after every process has ended
	procs      map[string]*process
}

// partitions makes a fleet of another size than 16.
func partitions(n int32) func(*fleet) { return func(f *fleet) { f.partitions = n } }

// ownRedis gives a fleet a Redis that it may empty: the embedded one, or where real parts are asked for a
// redis-server of the test's own.
func ownRedis(f *fleet) { f.redis = startRedisServer(f.t) }

// process is one running Processor.
type process struct {
	x    *processor.Processor
	gate *admission.Gate
	stop context.CancelFunc
	done chan error
}

func newFleet(t testing.TB, options ...func(*fleet)) *fleet {
	t.Helper()
	f := &fleet{
		t: t, partitions: testPartitions, rate: 100_000, root: t.TempDir(), procs: map[string]*process{},
		keys: schemas.DemoCodeKeys(), campaigns: []*schemas.Campaign{schemas.DemoCampaign()},
	}
	var id [4]byte
	if _, err := rand.Read(id[:]); err != nil {
		t.Fatal(err)
	}
	f.prefix = "t" + hex.EncodeToString(id[:]) + "."
	f.brokers = strings.Fields(os.Getenv("HONGBAO_TEST_BROKERS"))
	for _, o := range options {
		o(f)
	}
	if f.redis == "" {
		f.redis = os.Getenv("HONGBAO_TEST_REDIS")
	}
	if len(f.brokers) == 0 || f.redis == "" {
		c, err := embedded.Start(embedded.Config{Partitions: f.partitions})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		f.brokers, f.redis = c.Brokers(), c.RedisAddr()
	}
	var err error
	if f.topics, err = topiclog.Dial(t.Context(), topiclog.Config{Brokers: f.brokers, Prefix: f.prefix}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.topics.Close)
	if _, err := f.topics.Create(t.Context(), topiclog.Options{Partitions: f.partitions, Dev: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stopAll)
	return f
}

// spec is what a process needs to know of its fleet: a child process is told it as JSON.
type spec struct {
	Brokers    []string `json:"brokers"`
	Redis      string   `json:"redis"`
	Prefix     string   `json:"prefix"`
	Group      string   `json:"group"`
	Instance   string   `json:"instance"`
	Dir        string   `json:"dir"`
	Partitions int32    `json:"partitions"`
	Rate       int      `json:"rate"`
	Verbose    bool     `json:"verbose"`

	client    *redis.Client
	keys      *schemas.CodeKeys
	campaigns []*schemas.Campaign
}

func (f *fleet) spec(instance, dir string) *spec {
	return &spec{
		Brokers: f.brokers, Redis: f.redis, Prefix: f.prefix, Group: f.group(), Instance: instance, Dir: dir,
		Partitions: f.partitions, Rate: f.rate, keys: f.keys, campaigns: f.campaigns,
	}
}

// config makes the parts; the caller closes s.client after Run.
func (s *spec) config() (processor.Config, error) {
	options := &redis.Options{Addr: s.Redis, ContextTimeoutEnabled: true}
	gate, err := admission.New(admission.Config{Redis: options, Prefix: s.Prefix, Partitions: s.Partitions})
	if err != nil {
		return processor.Config{}, err
	}
	s.client = redis.NewClient(options)
	issuer, err := fsm.NewRedisIssuer(s.client, fsm.RedisConfig{Prefix: s.Prefix, Partitions: s.Partitions})
	if err != nil {
		return processor.Config{}, err
	}
	limiter, err := fsm.NewRedisLimiter(s.client, s.Prefix, fsm.Rate{PerSecond: s.Rate})
	if err != nil {
		return processor.Config{}, err
	}
	return processor.Config{
		Brokers: s.Brokers, Prefix: s.Prefix, Group: s.Group, Instance: s.Instance, Partitions: s.Partitions,
		Store:     eventstore.Config{Dir: s.Dir},
		Campaigns: s.campaigns, CodeKeys: s.keys,
		Gate: gate, Issuer: issuer, Stock: issuer, Limiter: limiter,
	}, nil
}

// config is one process's configuration, with a data directory of its own.
func (f *fleet) config(instance, dir string) processor.Config {
	f.t.Helper()
	s := f.spec(instance, dir)
	cfg, err := s.config()
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = s.client.Close() })
	cfg.Kafka, cfg.Logger = f.kafka, testLogger(f.t)
	return cfg
}

func (f *fleet) group() string { return "g" + f.prefix }

func testLogger(t testing.TB) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// start runs a process on the data directory of its own name.
func (f *fleet) start(instance string) *process {
	return f.startWith(f.config(instance, f.dir(instance)))
}

func (f *fleet) dir(name string) string { return filepath.Join(f.root, name) }

func (f *fleet) startWith(cfg processor.Config) *process {
	f.t.Helper()
	x, err := processor.New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &process{x: x, gate: cfg.Gate, stop: stop, done: make(chan error, 1)}
	go func() { p.done <- x.Run(ctx) }()
	f.procs[cfg.Instance] = p
	return p
}

// end stops a process as SIGTERM does and waits for it.
func (f *fleet) end(instance string) {
	f.t.Helper()
	p := f.procs[instance]
	delete(f.procs, instance)
	if err := p.end(); err != nil {
		f.t.Errorf("process %s: %v", instance, err)
	}
}

func (p *process) end() error {
	p.stop()
	return <-p.done
}

func (f *fleet) stopAll() {
	for name := range f.procs {
		f.end(name)
	}
}

// send writes records to invite.events and returns when they are acknowledged.
func (f *fleet) send(records iter.Seq[*cascade.Record]) {
	f.t.Helper()
	w, err := f.topics.Writer(f.t.Context(), topiclog.WriterConfig{}, schemas.TopicEvents)
	if err != nil {
		f.t.Fatal(err)
	}
	defer w.Close()
	for r := range records {
		headers := make([]topiclog.Header, len(r.Headers))
		for i, h := range r.Headers {
			headers[i] = topiclog.Header{Key: h.Key, Value: h.Value}
		}
		if err := w.Write(f.t.Context(), schemas.TopicEvents, r.Partition, r.Key, r.Value, headers); err != nil {
			f.t.Fatal(err)
		}
	}
	if err := w.Flush(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// verified waits until verify finds no lag and no open coupon twice running, and returns its last report. Once is
// not enough: commands that came between the ends it read and the offsets it read are no lag yet.
func (f *fleet) verified(patience time.Duration) *verify.Report {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	rests := 0
	for {
		r := f.report()
		if rests++; !r.OK {
			rests = 0
		}
		if rests == 2 || len(r.Broken) > 0 {
			return r
		}
		select {
		case <-ctx.Done():
			r.OK = false
			return r
		case <-tick.C:
		}
	}
}

// report is what verify says now.
func (f *fleet) report() *verify.Report {
	f.t.Helper()
	r, err := verify.Run(f.t.Context(), verify.Config{Log: verify.OnKafka(f.topics), Group: f.group(), Keys: f.keys})
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// mustVerify is verified where anything but OK ends the test.
func (f *fleet) mustVerify() *verify.Report {
	f.t.Helper()
	r := f.verified(patience)
	if !r.OK {
		f.t.Fatalf("verify: lag %d, open %d, broken %d: %v", r.Lag, r.Open, r.BrokenTotal, r.Broken)
	}
	return r
}

// await waits until what holds; it ends the test when patience is over.
func (f *fleet) await(what string, holds func() bool) {
	f.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	over := time.NewTimer(patience)
	defer over.Stop()
	for !holds() {
		select {
		case <-over.C:
			f.t.Fatalf("still waiting after %s: %s", patience, what)
		case <-tick.C:
		}
	}
}

// working waits until the processes together work on n partitions.
func (f *fleet) working(n int, ps ...*process) {
	f.t.Helper()
	f.await(fmt.Sprintf("%d processes to work on %d partitions", len(ps), n), func() bool {
		have := 0
		for _, p := range ps {
			have += len(p.x.Status().Working)
		}
		return have == n
	})
}
