package processor_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"hongbao/processor"
	"hongbao/schemas"
)

// childEnv makes the test binary a process of a fleet instead of running tests.
const childEnv = "HONGBAO_TEST_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// childStatus is one line that a child writes.
type childStatus struct {
	Working []int32 `json:"working"`
	Seqs    int64   `json:"seqs"`    // sum of the committed seqs
	Issuing int     `json:"issuing"` // tasks and workers of the issue pool that wait
	Gate    string  `json:"gate"`    // these two for whoever reads why a test failed
	Pool    string  `json:"pool"`
}

// runChild runs a process until its standard input is closed.
func runChild(text string) error {
	var s spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	s.keys, s.campaigns = schemas.DemoCodeKeys(), []*schemas.Campaign{schemas.DemoCampaign()}
	cfg, err := s.config()
	if err != nil {
		return err
	}
	if s.Verbose {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	x, err := processor.New(cfg)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	out := json.NewEncoder(os.Stdout)
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			st := x.Status()
			line := childStatus{Working: st.Working, Issuing: st.Pool.Queued + st.Pool.Waiting, Gate: fmt.Sprintf("%+v", st.Gate), Pool: fmt.Sprintf("%+v", st.Pool)}
			for _, n := range st.Seqs {
				line.Seqs += n
			}
			if err := out.Encode(line); err != nil {
				out = json.NewEncoder(io.Discard) // nobody reads any more
			}
		}
	}
}

// child is a process of the fleet that can be killed.
type child struct {
	f     *fleet
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

func (f *fleet) spawn(instance string) *child {
	f.t.Helper()
	s := f.spec(instance, f.dir(instance))
	s.Verbose = testing.Verbose()
	text, err := json.Marshal(s)
	if err != nil {
		f.t.Fatal(err)
	}
	c := &child{f: f, cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	c.cmd.Stderr = f.t.Output()
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	c.stdin, c.lines = stdin, bufio.NewScanner(stdout)
	if err := c.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { // a test that failed leaves it running
		if c.cmd.ProcessState == nil {
			c.kill()
		}
	})
	return c
}

// until reads the child's lines until one is as wanted.
func (c *child) until(what string, holds func(childStatus) bool) childStatus {
	c.f.t.Helper()
	over := time.AfterFunc(patience, func() { _ = c.cmd.Process.Kill() })
	defer over.Stop()
	last := ""
	for c.lines.Scan() {
		var s childStatus
		if json.Unmarshal(c.lines.Bytes(), &s) == nil && holds(s) {
			return s
		}
		last = c.lines.Text()
	}
	c.f.t.Fatalf("the child ended before: %s; it said last: %s", what, last)
	return childStatus{}
}

// freeze stops the child where it is.
func (c *child) freeze() {
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		c.f.t.Fatal(err)
	}
}

// kill is kill -9.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// end asks the child to stop as SIGTERM does and waits.
func (c *child) end() error {
	if err := c.stdin.Close(); err != nil {
		return err
	}
	for c.lines.Scan() { // so that it is never blocked by what it writes
	}
	return c.cmd.Wait()
}

// startRedisServer starts a redis-server where real parts are asked for; "" stands for the embedded one.
func startRedisServer(t testing.TB) string {
	t.Helper()
	if os.Getenv("HONGBAO_TEST_REDIS") == "" {
		return ""
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		t.Fatalf("real parts are asked for, and a Redis that the test may empty is needed: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	client := redis.NewClient(&redis.Options{Addr: address})
	defer func() { _ = client.Close() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return address
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("redis-server at %s does not answer within %s: %v", address, patience, err)
		}
	}
}
