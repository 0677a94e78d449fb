package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"hongbao/internal/admission"
)

// child is the pipeline under measurement: this binary as a process of its own, so that its CPU is its own.
type child struct {
	cmd     *exec.Cmd
	address string // of its metrics
	began   time.Time
}

// newBenchWorkerCommand is what a bench runs beside itself: `run`, or `run` with every claim granted.
func newBenchWorkerCommand(a *app) *cobra.Command {
	var noClaims bool
	var profile string
	cmd := &cobra.Command{
		Use: "worker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if noClaims {
				a.claims = admission.NewOpen()
			}
			return profiled(profile, func() error { return a.serve(cmd.Context()) })
		},
	}
	addFlags(cmd.Flags(), "listen", "campaigns", "pin", "issue-rate")
	cmd.Flags().StringVar(&profile, "cpuprofile", "", "write a CPU profile of the whole run here")
	cmd.Flags().BoolVar(&noClaims, "no-claims", false, "grant every claim and share without asking, to measure what they cost")
	return cmd
}

// profiled runs fn under a CPU profile, if a file is named.
func profiled(file string, fn func() error) error {
	if file == "" {
		return fn()
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = fn()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

// startChild runs the worker with this process's settings on a free port.
func (a *app) startChild(ctx context.Context, campaign, profile string, noClaims bool) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{began: time.Now()}
	//nolint:gosec // this very binary, with this process's own settings
	c.cmd = exec.CommandContext(ctx, self, "bench", "worker", "--campaigns", campaign, "--listen", "127.0.0.1:0", "--no-claims="+strconv.FormatBool(noClaims),
		"--brokers", strings.Join(a.cfg.Brokers, ","), "--redis", a.cfg.Redis, "--group", a.cfg.Group, "--instance", a.cfg.Instance,
		"--data", a.cfg.Data, "--cpuprofile", profile, "--prefix", a.cfg.Prefix, "--log-format", "json")
	c.cmd.Env = a.env
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	log, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	ready := make(chan string, 1)
	go followLog(log, a.errOut, ready)
	select {
	case c.address = <-ready:
	case <-ctx.Done():
	}
	if c.address == "" {
		return nil, errors.Join(errors.New("the worker did not start"), c.stop())
	}
	return c, nil
}

// followLog waits for the line that names the health address, and passes warnings on.
func followLog(r io.Reader, to io.Writer, ready chan<- string) {
	defer close(ready)
	told := false
	for s := bufio.NewScanner(r); s.Scan(); {
		var line struct {
			Level  string `json:"level"`
			Health string `json:"health"`
		}
		if json.Unmarshal(s.Bytes(), &line) != nil || line.Level == "ERROR" {
			fmt.Fprintln(to, s.Text())
		}
		if line.Health != "" && !told {
			ready <- line.Health
			told = true
		}
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the child as an operator would.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("the worker: %w", err)
	}
	return nil
}

// metrics reads the child's counters; those with labels are summed under their bare name, and kept with labels too.
func (c *child) metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	m := map[string]float64{}
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		name, value, ok := strings.Cut(s.Text(), " ")
		v, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil || strings.HasPrefix(name, "#") {
			continue
		}
		m[name] = v
		if bare, _, labelled := strings.Cut(name, "{"); labelled {
			m[bare] += v
		}
	}
	return m, nil
}

// ready waits until the child owns its partitions and works on all of them.
func (c *child) ready(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, _, err := askHealth(ctx, "http://"+c.address+"/readyz")
		if err == nil && ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the worker is not ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
