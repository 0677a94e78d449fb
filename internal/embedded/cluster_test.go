package embedded

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	c, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func client(t *testing.T, c *Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Brokers()...)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// transact produces two values in one transaction and ends it.
func transact(ctx context.Context, t *testing.T, c *Cluster, topic string, end kgo.TransactionEndTry, values ...string) {
	t.Helper()
	cl := client(t, c, kgo.TransactionalID("writer"), kgo.DefaultProduceTopic(topic))
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, value := range values {
		if err := cl.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := cl.EndTransaction(ctx, end); err != nil {
		t.Fatal(err)
	}
}

// committed reads n values as a read_committed reader sees them, from the start.
func committed(ctx context.Context, t *testing.T, c *Cluster, topic string, n int) string {
	t.Helper()
	cl := client(t, c, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	var values []string
	for len(values) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %q: %v", values, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return strings.Join(values, " ")
}

func createTopic(ctx context.Context, t *testing.T, c *Cluster, topic string, partitions int32) {
	t.Helper()
	cl := client(t, c)
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, partitions, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestReadCommittedSeesCommittedAlone(t *testing.T) {
	t.Parallel()
	ctx, c := testContext(t), start(t, Config{})
	createTopic(ctx, t, c, "facts", 1)
	transact(ctx, t, c, "facts", kgo.TryAbort, "lost")
	transact(ctx, t, c, "facts", kgo.TryCommit, "a", "b")
	if got := committed(ctx, t, c, "facts", 2); got != "a b" {
		t.Errorf("read_committed: got %q, want \"a b\"", got)
	}
}

func TestDataOutlivesClose(t *testing.T) {
	t.Parallel()
	ctx, dir := testContext(t), filepath.Join(t.TempDir(), "new", "dir")
	first := start(t, Config{Dir: dir})
	createTopic(ctx, t, first, "facts", 1)
	transact(ctx, t, first, "facts", kgo.TryCommit, "a")
	first.Close()

	second := start(t, Config{Dir: dir})
	transact(ctx, t, second, "facts", kgo.TryCommit, "b")
	if got := committed(ctx, t, second, "facts", 2); got != "a b" {
		t.Errorf("after a restart: got %q, want \"a b\"", got)
	}
}

func TestPartitionsOfTopicWithoutNumber(t *testing.T) {
	t.Parallel()
	for partitions, want := range map[int32]int{0: 16, 5: 5} {
		t.Run(fmt.Sprint(partitions), func(t *testing.T) {
			t.Parallel()
			ctx, c := testContext(t), start(t, Config{Partitions: partitions})
			createTopic(ctx, t, c, "facts", -1)
			cl := client(t, c)
			defer cl.Close()
			topics, err := kadm.NewClient(cl).ListTopics(ctx, "facts")
			if err != nil {
				t.Fatal(err)
			}
			if got := len(topics["facts"].Partitions); got != want {
				t.Errorf("got %d partitions, want %d", got, want)
			}
		})
	}
}

func TestRedisPassesForReal(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	runID := func(c *Cluster) string {
		cl := goredis.NewClient(&goredis.Options{Addr: c.RedisAddr()})
		defer cl.Close()
		info, err := cl.Info(ctx, "server").Result()
		if err != nil {
			t.Fatal(err)
		}
		_, id, _ := strings.Cut(info, "run_id:")
		return strings.TrimSpace(id)
	}
	first, second := runID(start(t, Config{})), runID(start(t, Config{}))
	if len(first) != 40 || first == second {
		t.Errorf("run ids %q and %q: want 40 hex digits each, not the same", first, second)
	}
}

func TestRedisKeysExpireByTheClock(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	r, err := startRedis("127.0.0.1:0", time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	cl := goredis.NewClient(&goredis.Options{Addr: r.addr})
	defer cl.Close()
	if err := cl.Set(ctx, "key", "value", time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := cl.Exists(ctx, "key").Result()
		if err != nil {
			t.Fatalf("the key of 1 ms is still there: %v", err)
		}
		if n == 0 {
			return
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() }) // after the parallel subtests, unlike defer
	tests := map[string]struct {
		cfg  Config
		want string
	}{
		"every interface":     {Config{Listen: "0.0.0.0:0"}, "loopback only"},
		"every interface, v6": {Config{RedisListen: ":0"}, "loopback only"},
		"no port":             {Config{Listen: "127.0.0.1"}, "no host:port"},
		"no partition":        {Config{Partitions: -1}, "at least one"},
		"Kafka's port busy":   {Config{Listen: busy.Addr().String()}, "start Kafka on " + busy.Addr().String()},
		"Redis's port busy":   {Config{RedisListen: busy.Addr().String()}, "start Redis on " + busy.Addr().String()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := Start(test.cfg)
			if err == nil {
				c.Close()
				t.Fatalf("started; want a refusal with %q", test.want)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want %q in it", err, test.want)
			}
		})
	}
}
