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
	"strconv"
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
	Instances  int
	Events     int
	Faults     []json.RawMessage
}

// span is a row of seeds.
type span struct {
	first uint64
	n     int
}

// What one seed may take of the machine, where most need a tenth of a second and a quarter of a gigabyte. One that takes more is a failure, "does not
// end", and no trouble for the machine.
const (
	seedMax   = 30 * time.Second // on the wall clock, or -seed-max; then the process says where it stands
	quitMax   = 10 * time.Second // for saying so; then it is killed
	memoryMax = 3 << 30          // address space of a process
)

// spread plays all seeds in several processes, in shorter rows towards the end; fn is called for each, one at a time.
func (o *options) spread(ctx context.Context, fn func(*result)) {
	work := make(chan func() []result)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range max(1, o.procs) {
		wg.Go(func() {
			for row := range work {
				for _, r := range row() {
					mu.Lock()
					if ctx.Err() == nil {
						fn(&r)
					}
					mu.Unlock()
				}
			}
		})
	}
	send := func(row func() []result) {
		select {
		case work <- row:
		case <-ctx.Done():
		}
	}
	if len(o.kept) > 0 {
		send(func() []result { return o.playKept(ctx) })
	}
	for at := 0; at < o.seeds && ctx.Err() == nil; {
		left := o.seeds - at
		s := span{o.first + uint64(at), min(left, o.chunk, max(chunkMin, left/2/max(1, o.procs)))}
		send(func() []result { return o.whole(ctx, s) })
		at += s.n
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
		if len(got) == 0 || o.over(&got[len(got)-1]) {
			break
		}
		s.first, s.n = s.first+uint64(len(got)), s.n-len(got)
	}
	return all
}

// chunkOf runs the binary once. A seed that ends the process, by a panic or by standing still, is a result as well, the last one. So is one that ends the
// search: those behind it are not played.
func (o *options) chunkOf(ctx context.Context, s span, out io.Writer, more ...string) []result {
	args := append([]string{
		"-test.run", "^TestSim$", "-test.timeout", "0", "-sim.json", "-sim.memory", strconv.Itoa(memoryMax), "-sim.seed", strconv.FormatUint(s.first, 10),
		"-sim.seeds", strconv.Itoa(s.n), "-sim.focus", o.focus,
	}, more...)
	cmd := exec.CommandContext(ctx, o.binary, args...) //nolint:gosec // made by us
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1,memprofilerate=0", "GOTRACEBACK=all", "GOMEMLIMIT=2GiB", "HONGBAO_MUTANT="+o.mutant)
	cmd.Dir = o.dir
	var last tail
	cmd.Stderr = &last
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return []result{{Seed: s.first, Violations: []string{fmt.Sprintf("crash: start the simulation: %v", err)}}}
	}
	guard := watch(cmd.Process, o.seedMax)
	defer guard.stop()
	all, begun := o.read(stdout, guard, io.MultiWriter(&last, out))
	if n := len(all); n > 0 && o.over(&all[n-1]) {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return all
	}
	err = cmd.Wait()
	if (len(all) < s.n || begun.Seed != 0) && ctx.Err() == nil {
		if begun.Seed == 0 {
			begun.Seed = s.first + uint64(len(all))
		}
		begun.Violations = []string{o.ended(begun.Seed, err, guard.fired(), last.text)}
		all = append(all, begun)
	}
	return all
}

// read takes what a process prints: results, the seed that it has begun without ending it, and the rest, which goes to out.
func (o *options) read(stdout io.Reader, guard *guard, out io.Writer) (all []result, begun result) {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		what, text, _ := bytes.Cut(line, []byte(" "))
		var one result
		switch {
		case string(what) == "begin" && json.Unmarshal(text, &one) == nil: //nolint:musttag // both ends are this program's own
			begun = one
		case string(what) == "result" && json.Unmarshal(text, &one) == nil: //nolint:musttag // both ends are this program's own
			guard.next()
			all = append(all, one)
			if begun = (result{}); o.over(&one) {
				return all, begun
			}
		default:
			_, _ = out.Write(line)
		}
		if err != nil {
			return all, begun
		}
	}
}

// endless begins what is said of a seed that ran away.
const endless = "does not end"

// ended says how a seed took its process with it; text is what the process said.
func (o *options) ended(seed uint64, err error, late bool, text []byte) string {
	path := filepath.Join(o.dir, fmt.Sprintf("seed-%d.txt", seed))
	_ = os.WriteFile(path, text, 0o644) //nolint:gosec // a log
	switch {
	case late:
		return fmt.Sprintf(endless+": it was at it for %s; %s says where it stood", o.seedMax, path)
	case bytes.Contains(text, []byte("out of memory")):
		return fmt.Sprintf(endless+": it wanted more than %d MiB; %s says where it stood", memoryMax>>20, path)
	}
	return fmt.Sprintf("crash: the process ended (%v); see %s", err, path)
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
