package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"hongbao/internal/embedded"
)

// parts are a Kafka and a Redis.
type parts struct {
	brokers, redis string
	prefix         string
	cmd            *exec.Cmd // nil: real ones, which others started
}

// serveParts is the process of an embedded broker and Redis: it says where they are, and ends them in order when its standard input ends
// or on SIGTERM. It is never killed: a killed kfake gives open transactions a second life, which no broker does.
func serveParts(ctx context.Context, out io.Writer, dir string) error {
	c, err := embedded.Start(embedded.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintln(out, c.Brokers()[0], c.RedisAddr()); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return nil
}

// realParts says whether a Kafka and a Redis were started by others.
func realParts() bool {
	return os.Getenv("HONGBAO_TEST_BROKERS") != "" && os.Getenv("HONGBAO_TEST_REDIS") != ""
}

// startParts gives a site its broker and Redis.
func startParts(dir string, n int) (*parts, error) {
	if realParts() {
		return &parts{brokers: os.Getenv("HONGBAO_TEST_BROKERS"), redis: os.Getenv("HONGBAO_TEST_REDIS"), prefix: fmt.Sprintf("crash%d-%d-", os.Getpid(), n)}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "parts", dir) //nolint:gosec,noctx // this program itself; it ends with its input
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the harness
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	addresses := strings.Fields(line)
	if err != nil || len(addresses) != 2 {
		return nil, errors.Join(fmt.Errorf("the embedded parts said %q", line), err, cmd.Wait())
	}
	return &parts{brokers: addresses[0], redis: addresses[1], cmd: cmd}, nil
}

func (p *parts) stop() error {
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}
