//go:build real

package admission

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A claim costs at most 128 B of Redis (domain.md section 4).
func TestBytesPerClaim(t *testing.T) {
	t.Parallel()
	const claims = 1_000_000
	addr, _ := startRedis(t)
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	before := usedMemory(t, c)
	g := newGate(t, &realSite{proxy: newProxy(t, addr)}, nil)
	os := ownAll(g)
	ready(t, os)
	asks, as := make([]Ask, 2000), make([]Answer, 2000)
	for n := uint64(0); n < claims; {
		for i := range asks {
			n++
			asks[i] = join(int64(n*0x9e3779b97f4a7c15>>1), int64(n*0xc2b2ae3d27d4eb4f>>1), int64(n))
		}
		if err := os[0].Admit(timeout(t), asks, as); err != nil {
			t.Fatal(err)
		}
	}
	bytes := float64(usedMemory(t, c)-before) / claims
	t.Logf("%.1f bytes of Redis per claim, %d claims", bytes, claims)
	if bytes > 128 {
		t.Errorf("a claim costs %.1f bytes of Redis, the goal is 128", bytes)
	}
}

func usedMemory(t *testing.T, c *redis.Client) int64 {
	t.Helper()
	info, err := c.Info(context.Background(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "used_memory:")
	digits, _, _ := strings.Cut(rest, "\r")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// serverCPU is the CPU time in ns that the redis-server behind c has used (Linux).
func serverCPU(b *testing.B, c *redis.Client) int64 {
	b.Helper()
	info, err := c.Info(context.Background(), "server").Result()
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "process_id:")
	pid, _, _ := strings.Cut(rest, "\r")
	tasks, err := filepath.Glob("/proc/" + pid + "/task/*/schedstat")
	if err != nil || len(tasks) == 0 {
		b.Skip("the server's CPU time is read from Linux's /proc")
	}
	var sum int64
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			b.Fatal(err)
		}
		ns, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ns, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += n
	}
	return sum
}

// onServer reports redis-server's CPU per ask from now to the benchmark's end.
func onServer(b *testing.B, g *Gate) func() {
	c := g.server.(*redisServer).client
	before := serverCPU(b, c)
	return func() { b.ReportMetric(float64(serverCPU(b, c)-before)/float64(b.N), "redis-ns/op") }
}

// BenchmarkRedis is one worker's claims on a real redis-server, per ask.
func BenchmarkRedis(b *testing.B) {
	for _, n := range []int{50, 500, 2000} {
		b.Run("call="+strconv.Itoa(n), func(b *testing.B) {
			g := redisGate(b, 1)
			o := runBench(b, g)
			report := onServer(b, g)
			benchAdmit(b, o, n)
			report()
		})
	}
}

// BenchmarkRedisWorkers is 16 workers with a join, join, share mix each, per ask.
func BenchmarkRedisWorkers(b *testing.B) {
	const workers = 16
	g := redisGate(b, workers)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	defer func() { cancel(); <-done }()
	var wg sync.WaitGroup
	b.ReportAllocs()
	report := onServer(b, g)
	for p := range int32(workers) {
		wg.Go(func() {
			o := g.Own(p, &state{})
			asks, as := make([]Ask, 100), make([]Answer, 100)
			user := uint64(p+1) << 40
			for done := 0; done < b.N/workers; done += len(asks) {
				for i := range asks {
					user++
					asks[i] = join(int64(user*0x9e3779b97f4a7c15>>1), 7, int64(user))
					if i%3 == 0 {
						asks[i].Want = WantShare
					}
				}
				if err := o.Admit(ctx, asks, as); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	report()
	s := g.Stats()
	b.ReportMetric(float64(s.Asks)/float64(s.Trips), "asks/trip")
}

func redisGate(b *testing.B, partitions int32) *Gate {
	b.Helper()
	addr, _ := startRedis(b)
	g, err := New(Config{Redis: &redis.Options{Addr: addr}, Prefix: "hongbao", Partitions: partitions})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// BenchmarkRebuild is one partition's claims written back after a loss, per claim.
func BenchmarkRebuild(b *testing.B) {
	g := redisGate(b, 1)
	o := runBench(b, g)
	src := o.src.(*state)
	for n := range uint64(b.N) {
		src.claims = append(src.claims, Claim{Campaign: 1, User: int64(n * 0x9e3779b97f4a7c15 >> 1), Chain: 7})
	}
	c := g.server.(*redisServer).client
	if err := c.FlushAll(context.Background()).Err(); err != nil {
		b.Fatal(err)
	}
	for first := g.Status().Epoch; g.Status().Epoch == first; {
		<-o.Wanted()
	}
	report := onServer(b, g)
	b.ReportAllocs()
	b.ResetTimer()
	r, err := o.Rebuild(context.Background())
	if err != nil || r.Claims != int64(b.N) {
		b.Fatalf("%+v %v", r, err)
	}
	report()
}
