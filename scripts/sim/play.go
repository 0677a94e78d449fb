package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// result is what a seed came to, as the test binary prints it.
type result struct {
	Seed       uint64
	Trace      string
	Violations []string
	Hits       map[string]int
	Reached    map[string]int
	Simulated  time.Duration
	Events     int
	Faults     []json.RawMessage
}

// span is a row of seeds.
type span struct {
	first uint64
	n     int
}

// stuckAfter is how long a seed may take on the wall clock; one takes a tenth of a second.
const stuckAfter = 30 * time.Second

// spread plays all seeds in several processes; fn is called for each, one at a time.
func (o *options) spread(ctx context.Context, fn func(*result)) {
	work := make(chan span)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range max(1, o.procs) {
		wg.Go(func() {
			for s := range work {
				for _, r := range o.whole(ctx, s) {
					mu.Lock()
					if ctx.Err() == nil {
						fn(&r)
					}
					mu.Unlock()
				}
			}
		})
	}
	for at := 0; at < o.seeds && ctx.Err() == nil; at += o.chunk {
		select {
		case work <- span{o.first + uint64(at), min(o.chunk, o.seeds-at)}:
		case <-ctx.Done():
		}
	}
	close(work)
	wg.Wait()
}

// whole plays a row, going on behind a seed that ends its process.
func (o *options) whole(ctx context.Context, s span) []result {
	var all []result
	for s.n > 0 && ctx.Err() == nil {
		got := o.chunkOf(ctx, s, io.Discard)
		all = append(all, got...)
		if len(got) == 0 {
			break
		}
		s.first, s.n = s.first+uint64(len(got)), s.n-len(got)
	}
	return all
}

// chunkOf runs the binary once. A seed that ends the process, by a panic or by standing still, is a result as well, the last one.
func (o *options) chunkOf(ctx context.Context, s span, out io.Writer, more ...string) []result {
	args := append([]string{
		"-test.run", "^TestSim$", "-test.timeout", "0", "-sim.json", "-sim.seed", strconv.FormatUint(s.first, 10), "-sim.seeds", strconv.Itoa(s.n),
	}, more...)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.binary, args...) //nolint:gosec // made by us
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1", "GOTRACEBACK=all", "GOMEMLIMIT=2GiB")
	cmd.Dir = o.dir
	var last tail
	cmd.Stderr = &last
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Kill) }
	if err := cmd.Start(); err != nil {
		return nil
	}
	stuck := time.AfterFunc(stuckAfter, func() { _ = cmd.Process.Signal(quit) }) // it says where it stands
	defer stuck.Stop()
	cmd.WaitDelay = stuckAfter
	var all []result
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if r, ok := bytes.CutPrefix(line, []byte("result ")); ok {
			stuck.Reset(stuckAfter)
			var one result
			if json.Unmarshal(r, &one) == nil { //nolint:musttag // both ends are this program's own
				all = append(all, one)
			}
		} else if len(line) > 0 {
			_, _ = last.Write(line)
			fmt.Fprintf(out, "%s", line)
		}
		if err != nil {
			break
		}
	}
	err = cmd.Wait()
	if len(all) < s.n && ctx.Err() == nil {
		seed := s.first + uint64(len(all))
		path := filepath.Join(o.dir, fmt.Sprintf("seed-%d.txt", seed))
		_ = os.WriteFile(path, last.text, 0o644) //nolint:gosec // a log
		all = append(all, result{Seed: seed, Violations: []string{fmt.Sprintf("crash: the process ended (%v) or stood still; %s", err, path)}})
	}
	return all
}

// tail keeps the beginning of what a process says of its end.
type tail struct{ text []byte }

const tailMax = 1 << 20

// Write is part of io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	if len(t.text) < tailMax {
		t.text = append(t.text, b...)
	}
	return len(b), nil
}

// keep shrinks a failing seed, dropping faults one at a time while it still fails alike, and writes it down.
func (o *options) keep(ctx context.Context, r *result, out io.Writer) {
	oracle, _, _ := strings.Cut(r.Violations[0], ":")
	full := o.chunkOf(ctx, span{r.Seed, 1}, io.Discard)
	if len(full) != 1 {
		return
	}
	best := full[0]
	if len(best.Faults) == 0 {
		best.Faults = r.Faults
	}
	var drop []string
	for _, f := range slices.Clone(best.Faults) {
		var index struct{ Index int }
		if json.Unmarshal(f, &index) != nil || ctx.Err() != nil { //nolint:musttag // both ends are this program's own
			continue
		}
		try := append(slices.Clone(drop), strconv.Itoa(index.Index))
		got := o.chunkOf(ctx, span{r.Seed, 1}, io.Discard, "-sim.drop", strings.Join(try, ","))
		if len(got) == 1 && slices.ContainsFunc(got[0].Violations, func(v string) bool { return strings.HasPrefix(v, oracle+":") }) {
			drop = try
			if len(got[0].Faults) > 0 {
				best = got[0]
			}
		}
	}
	text, err := json.MarshalIndent(map[string]any{
		"seed": r.Seed, "drop": strings.Join(drop, ","), "trace": best.Trace, "violations": best.Violations, "faults": best.Faults,
	}, "", "  ")
	if err != nil {
		return
	}
	path := filepath.Join(o.dir, fmt.Sprintf("seed-%d.json", r.Seed))
	if os.WriteFile(path, append(text, '\n'), 0o644) == nil { //nolint:gosec // a log
		fmt.Fprintf(out, "seed %d fails with %d of its %d faults: %s\n", r.Seed, len(best.Faults), len(full[0].Faults), path)
		fmt.Fprintf(out, "replay: make sim SEED=%d DROP=%s\n", r.Seed, strings.Join(drop, ","))
	}
}
