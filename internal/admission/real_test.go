//go:build real

package admission

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
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

// empty removes all keys at one moment, as a failure does: nobody finds the epoch without the claims.
func (s *givenSite) empty() {
	const script = `for _, k in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', k) end return 0`
	s.client.Eval(context.Background(), script, nil, "{"+s.prefix+"}:*")
}

func (s *givenSite) restart()       { s.empty() }
func (s *givenSite) keep()          {}
func (s *givenSite) failover() bool { return false }
func (s *givenSite) ttl(key, _ string) time.Duration {
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
func startRedis(t testing.TB) (addr string, kill func()) {
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
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
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

func (s *realSite) ttl(key, _ string) time.Duration {
	d, err := s.client.TTL(context.Background(), key).Result()
	s.must(err)
	return max(d, 0).Round(time.Hour)
}

// lead sends new connections elsewhere; those that exist stay where they are.
func (p *proxy) lead(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
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

// An old master that lives on after a failover still answers those who are connected to it. Who
// comes to the new one is not admitted before they have come too, and brought their facts.
func TestOldMaster(t *testing.T) {
	t.Parallel()
	if os.Getenv("HONGBAO_TEST_REDIS") != "" {
		t.Skip("a Redis that others use is not failed over")
	}
	s := newRealSite(t).(*realSite)
	src := &state{}
	one := newGate(t, s, nil)
	old := []*Owner{one.Own(0, src), one.Own(1, &state{})}
	two := newGate(t, s, nil)
	others := []*Owner{two.Own(2, &state{}), two.Own(3, &state{})}
	ready(t, append(old, others...))
	want(t, admit(t, old[0], join(1, 10, 1)), "y-")
	s.keep()
	want(t, admit(t, old[0], join(2, 10, 2)), "y-") // the replica never hears of it
	s.lead(s.spare)                                 // new connections only
	newcomer := newGate(t, s, nil)
	others[0].Close()
	moved := newcomer.Own(2, &state{})
	done := make(chan string, 1)
	go func() { done <- admit(t, moved, join(2, 12, 5), join(3, 12, 6)) }()
	for s := newcomer.Status(); s.Epoch != 2 || slices.Contains(s.Missing, 2); s = newcomer.Status() {
		await(t, newcomer)
	}
	want(t, admit(t, old[0], join(3, 10, 3)), "y-") // the first process knows nothing yet
	src.claims = facts(10, 1, 2, 3)
	select {
	case got := <-done:
		t.Fatalf("the newcomer was admitted without the facts of the others: %s", got)
	default:
	}
	s.cut()
	ready(t, append(old, others[1]))
	want(t, <-done, "n- n-")
}

// The ACL that doc.go names is enough, and one without INFO is refused with a reason.
func TestACL(t *testing.T) {
	t.Parallel()
	if os.Getenv("HONGBAO_TEST_REDIS") != "" {
		t.Skip("a Redis that others use keeps its users")
	}
	s := newRealSite(t).(*realSite)
	ctx := timeout(t)
	rules := []any{"ACL", "SETUSER", "hb", "on", ">secret", "~{hongbao}:*"}
	for _, c := range []string{"get", "set", "setnx", "mget", "mset", "msetnx", "setrange", "del", "hget", "hset", "hdel", "hmget", "expire", "eval", "evalsha"} {
		rules = append(rules, "+"+c)
	}
	s.must(s.client.Do(ctx, rules...).Err())
	log := newLines()
	g := newGate(t, s, func(c *Config) {
		c.Redis.Username, c.Redis.Password, c.Logger = "hb", "secret", slog.New(log)
	})
	os := ownAll(g, &state{claims: []Claim{{Campaign: 1, User: 5, Chain: 6}}})
	log.await(t, "admission: down")
	if why := g.Status().Sentence; !strings.Contains(why, "can't run this command") {
		t.Errorf("without INFO: %s", why)
	}
	s.must(s.client.Do(ctx, "ACL", "SETUSER", "hb", "+info").Err())
	ready(t, os)
	want(t, admit(t, os[0], join(1, 10, 1), join(1, 11, 2), link(2, 3), link(2, 4), seed(1, 5)), "y- n- -y -y ny")
	os[0].Release([]Release{undo(join(1, 10, 1)), undo(link(2, 3))})
	if err := g.Flush(ctx); err != nil {
		t.Error(err)
	}
}
