//go:build real

package fsm

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// TestRealRedisIssuerConforms runs the suite on redis-server: on the one that
// HONGBAO_TEST_REDIS or REDIS_ADDR names, under a prefix of its own, else on fresh
// ones, which it also restarts.
func TestRealRedisIssuerConforms(t *testing.T) {
	t.Parallel()
	conform(t, func(t *testing.T) place {
		if addr := cmp.Or(os.Getenv("HONGBAO_TEST_REDIS"), os.Getenv("REDIS_ADDR")); addr != "" {
			client, prefix := openRedis(t, addr), "test-"+rand.Text()
			wipe := func() { deleteAll(client, prefix) }
			t.Cleanup(wipe)
			return place{fullIssuer: openRedisIssuer(t, client, prefix), wipe: wipe}
		}
		s := startRedis(t)
		client := s.client(t)
		return place{fullIssuer: openRedisIssuer(t, client, ""), wipe: func() { client.FlushAll(t.Context()) }, restart: s.restart}
	})
}

func deleteAll(client *redis.Client, prefix string) {
	ctx := context.Background() // the test's own ends before its cleanups
	for it := client.Scan(ctx, 0, "{"+prefix+"}:*", 1000).Iterator(); it.Next(ctx); {
		client.Del(ctx, it.Val())
	}
}

// redisServer is a redis-server on a socket in the test's directory.
type redisServer struct {
	t   testing.TB
	dir string
	cmd *exec.Cmd
}

func startRedis(t testing.TB) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatalf("redis-server is not installed and HONGBAO_TEST_REDIS is not set: %v", err)
	}
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	s := &redisServer{t: t, dir: dir}
	s.start()
	t.Cleanup(func() {
		s.stop()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

// start returns when the server says that it is ready.
func (s *redisServer) start() {
	s.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", filepath.Join(s.dir, "s"), "--dir", s.dir, "--appendonly", "yes", "--save", "")
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "eady to accept connections") {
			return
		}
	}
	s.t.Fatal("redis-server ended before it was ready")
}

func (s *redisServer) stop() {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
	_ = s.cmd.Wait() // its exit code after SIGTERM says nothing
}

// restart keeps the data (it is in the append-only file) and changes the run id.
func (s *redisServer) restart() { s.stop(); s.start() }

func (s *redisServer) client(t testing.TB) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: filepath.Join(s.dir, "s"), ContextTimeoutEnabled: true})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}
