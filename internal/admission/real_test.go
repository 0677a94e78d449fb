//go:build real

package admission

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// realSite is a redis-server behind a proxy, and a second one to fail over to.
type realSite struct {
	t *testing.T
	*proxy
	addr   string // of the present master
	spare  string // of its replica
	client *redis.Client
	kill   func()
}

func realSites() map[string]func(*testing.T) site {
	if addr := os.Getenv("HONGBAO_TEST_REDIS"); addr != "" {
		return map[string]func(*testing.T) site{"given": func(t *testing.T) site { return newGivenSite(t, addr) }}
	}
	return map[string]func(*testing.T) site{"redis-server": newRealSite}
}

// givenSite is a Redis that others use too: it is emptied by prefix, and never killed.
type givenSite struct {
	*proxy
	t      *testing.T
	prefix string
	client *redis.Client
}

func newGivenSite(t *testing.T, addr string) site {
	s := &givenSite{t: t, proxy: newProxy(t, addr), prefix: fmt.Sprintf("test-%x", rand.Uint64())}
	s.client = redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { s.empty(); _ = s.client.Close() })
	return s
}

func (s *givenSite) config() Config {
	c := s.proxy.config()
	c.Prefix = s.prefix
	return c
}

func (s *givenSite) empty() {
	ctx := context.Background()
	for keys := s.client.Scan(ctx, 0, "{"+s.prefix+"}:*", 1000).Iterator(); keys.Next(ctx); {
		s.client.Del(ctx, keys.Val())
	}
}

func (s *givenSite) restart()       { s.empty() }
func (s *givenSite) keep()          {}
func (s *givenSite) failover() bool { return false }
func (s *givenSite) ttl(key string) time.Duration {
	return max(s.client.TTL(context.Background(), key).Val(), 0).Round(time.Hour)
}

func newRealSite(t *testing.T) site {
	addr, kill := startRedis(t)
	s := &realSite{t: t, proxy: newProxy(t, addr), addr: addr, kill: kill}
	s.client = redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = s.client.Close() })
	return s
}

// startRedis starts a redis-server without persistence on a free port.
func startRedis(t *testing.T) (addr string, kill func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	bin := os.Getenv("HONGBAO_TEST_REDIS_SERVER")
	if bin == "" {
		bin = "redis-server"
	}
	cmd := exec.Command(bin, "--port", port, "--bind", host, "--save", "", "--dir", t.TempDir())
	cmd.Stdout = io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatalf("redis-server is needed for tests with the tag real: %v", err)
	}
	dead := false
	kill = func() {
		if !dead {
			dead = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(kill)
	addr = net.JoinHostPort(host, port)
	c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	defer c.Close()
	ctx := timeout(t)
	for c.Ping(ctx).Err() != nil {
		if ctx.Err() != nil {
			t.Fatal("redis-server does not answer")
		}
	}
	return addr, kill
}

func (s *realSite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *realSite) empty() { s.must(s.client.FlushAll(context.Background()).Err()) }

func (s *realSite) ttl(key string) time.Duration {
	d, err := s.client.TTL(context.Background(), key).Result()
	s.must(err)
	return max(d, 0).Round(time.Hour)
}

// restart kills the process and starts another without data.
func (s *realSite) restart() {
	s.down()
	s.kill()
	s.addr, s.kill = startRedis(s.t)
	s.move()
}

// keep makes a replica, waits until it has everything, and cuts it off.
func (s *realSite) keep() {
	ctx := timeout(s.t)
	spare, _ := startRedis(s.t)
	c := redis.NewClient(&redis.Options{Addr: spare})
	defer c.Close()
	host, port, _ := net.SplitHostPort(s.addr)
	s.must(c.ReplicaOf(ctx, host, port).Err())
	mark := time.Now().Format(time.RFC3339Nano)
	s.must(s.client.Set(ctx, "mark", mark, 0).Err())
	for c.Get(ctx, "mark").Val() != mark {
		if ctx.Err() != nil {
			s.t.Fatal("the replica never caught up")
		}
	}
	s.must(c.ReplicaOf(ctx, "no", "one").Err())
	s.spare = spare
}

// failover leads everybody to the former replica, which lacks what was written since keep.
func (s *realSite) failover() bool {
	s.down()
	s.addr, s.spare = s.spare, s.addr
	s.move()
	return true
}

func (s *realSite) move() {
	s.lead(s.addr)
	_ = s.client.Close()
	s.client = redis.NewClient(&redis.Options{Addr: s.addr})
	s.up()
}
