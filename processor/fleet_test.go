package processor_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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

// fleet is a set of topics with processes on it: embedded parts by default, real ones where
// HONGBAO_TEST_BROKERS and HONGBAO_TEST_REDIS name them. Every fleet has topics, group and keys of its own.
type fleet struct {
	t       testing.TB
	brokers []string
	redis   string
	prefix  string
	topics  *topiclog.Client
	kafka   []kgo.Opt
	rate    int
	root    string // of the data directories; removed after every process has ended
	procs   map[string]*process
}

// process is one running Processor.
type process struct {
	x    *processor.Processor
	stop context.CancelFunc
	done chan error
}

func newFleet(t testing.TB) *fleet {
	t.Helper()
	f := &fleet{t: t, rate: 100_000, root: t.TempDir(), procs: map[string]*process{}}
	var id [4]byte
	if _, err := rand.Read(id[:]); err != nil {
		t.Fatal(err)
	}
	f.prefix = "t" + hex.EncodeToString(id[:]) + "."
	f.brokers, f.redis = strings.Fields(os.Getenv("HONGBAO_TEST_BROKERS")), os.Getenv("HONGBAO_TEST_REDIS")
	if len(f.brokers) == 0 || f.redis == "" {
		c, err := embedded.Start(embedded.Config{Partitions: testPartitions})
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
	if _, err := f.topics.Create(t.Context(), topiclog.Options{Partitions: testPartitions, Dev: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stopAll)
	return f
}

// config is one process's configuration, with a data directory of its own.
func (f *fleet) config(instance, dir string) processor.Config {
	f.t.Helper()
	options := &redis.Options{Addr: f.redis, ContextTimeoutEnabled: true}
	gate, err := admission.New(admission.Config{Redis: options, Prefix: f.prefix, Partitions: testPartitions})
	if err != nil {
		f.t.Fatal(err)
	}
	client := redis.NewClient(options)
	f.t.Cleanup(func() { _ = client.Close() })
	issuer, err := fsm.NewRedisIssuer(client, fsm.RedisConfig{Prefix: f.prefix, Partitions: testPartitions})
	if err != nil {
		f.t.Fatal(err)
	}
	limiter, err := fsm.NewRedisLimiter(client, f.prefix, fsm.Rate{PerSecond: f.rate})
	if err != nil {
		f.t.Fatal(err)
	}
	return processor.Config{
		Brokers: f.brokers, Kafka: f.kafka, Prefix: f.prefix, Group: f.group(), Instance: instance, Partitions: testPartitions,
		Store:     eventstore.Config{Dir: dir},
		Campaigns: []*schemas.Campaign{schemas.DemoCampaign()}, CodeKeys: schemas.DemoCodeKeys(),
		Gate: gate, Issuer: issuer, Stock: issuer, Limiter: limiter,
		Logger: testLogger(f.t),
	}
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
	p := &process{x: x, stop: stop, done: make(chan error, 1)}
	go func() { p.done <- x.Run(ctx) }()
	f.procs[cfg.Instance] = p
	return p
}

// end stops a process as SIGTERM does and waits for it.
func (f *fleet) end(instance string) {
	f.t.Helper()
	p := f.procs[instance]
	delete(f.procs, instance)
	p.stop()
	if err := <-p.done; err != nil {
		f.t.Errorf("process %s: %v", instance, err)
	}
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

// verified waits until verify finds no lag and no open coupon, and returns its report.
func (f *fleet) verified(patience time.Duration) *verify.Report {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := verify.Run(ctx, verify.Config{Log: verify.OnKafka(f.topics), Group: f.group(), Keys: schemas.DemoCodeKeys()})
		if err != nil {
			f.t.Fatal(err)
		}
		if r.OK || len(r.Broken) > 0 {
			return r
		}
		select {
		case <-ctx.Done():
			return r
		case <-tick.C:
		}
	}
}
