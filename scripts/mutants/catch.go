package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"hongbao/internal/mutant"
)

// finding is what a planted bug came to.
type finding struct {
	oracle   string   // that saw it first; empty: none
	oracles  []string // all that saw it, in that seed
	sentence string
	seeds    int // played, the one that saw it included
	crashed  int // of them ended by a crash, by standing still or by their memory
	took     time.Duration
}

func (f *finding) seen() string {
	if f.oracle == "" {
		return "-"
	}
	return strings.Join(f.oracles, " ")
}

func (f *finding) needed() string {
	s := strconv.Itoa(f.seeds)
	if f.oracle == "" {
		s = "not caught in " + s
	}
	if f.crashed > 0 {
		s += fmt.Sprintf(" (%d crashed)", f.crashed)
	}
	return s
}

// Bounds of one seed. It takes a fraction of a second and some 100 MB; a planted bug may make it go on for ever, without a garbage collector.
const (
	stuckAfter = 30 * time.Second
	memoryMax  = 2 << 30
	lookEvery  = 50 * time.Millisecond
	chunk      = 50 // seeds of one process
)

// named is a violation that an oracle names.
var named = regexp.MustCompile(`^I([1-9]|10): `)

// catch plays seeds from 1 on until an oracle fails, with a planted bug or with none.
func (o *options) catch(ctx context.Context, name mutant.Name, focus string, seeds int) (f finding) {
	began := time.Now()
	for f.oracle == "" && f.seeds < seeds && ctx.Err() == nil {
		o.play(ctx, name, focus, &f, min(chunk, seeds-f.seeds))
	}
	f.took = time.Since(began)
	return f
}

// play runs the binary once, over a row of seeds.
func (o *options) play(ctx context.Context, name mutant.Name, focus string, f *finding, n int) {
	cmd := exec.CommandContext(ctx, o.binary, "-test.run", "^TestSim$", "-test.timeout", "0", "-sim.json", //nolint:gosec // made by us
		"-sim.seed", strconv.Itoa(f.seeds+1), "-sim.seeds", strconv.Itoa(n), "-sim.focus", focus)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1", "GOMEMLIMIT=1500MiB", "HONGBAO_MUTANT="+string(name))
	cmd.Dir = o.dir
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		f.sentence = err.Error()
		f.seeds, f.crashed = f.seeds+n, f.crashed+n
		return
	}
	var last atomic.Int64
	last.Store(time.Now().UnixNano())
	done := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(cmd.Process, &last, done)
	}()
	played := 0
	for lines := bufio.NewReader(stdout); f.oracle == ""; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		if r, ok := bytes.CutPrefix(line, []byte("result ")); ok {
			last.Store(time.Now().UnixNano())
			played++
			f.judge(r)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	close(done)
	<-watched
	if f.oracle == "" && played < n && ctx.Err() == nil {
		f.seeds, f.crashed = f.seeds+1, f.crashed+1
	}
}

// judge counts a seed and looks for a violation with the name of an oracle.
func (f *finding) judge(text []byte) {
	f.seeds++
	var r struct {
		Violations []string `json:"Violations"` //nolint:tagliatelle // as the simulation prints it
	}
	if json.Unmarshal(text, &r) != nil {
		f.crashed++
		return
	}
	for _, v := range r.Violations {
		if !named.MatchString(v) {
			continue
		}
		oracle, sentence, _ := strings.Cut(v, ": ")
		if f.oracle == "" {
			f.oracle, f.sentence = oracle, sentence
		}
		if !slices.Contains(f.oracles, oracle) {
			f.oracles = append(f.oracles, oracle)
		}
	}
}

// watch ends a process whose seed takes too long or too much memory.
func watch(p *os.Process, last *atomic.Int64, done <-chan struct{}) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-done:
			return
		case <-t.C:
		}
		if time.Since(time.Unix(0, last.Load())) > stuckAfter || resident(p.Pid) > memoryMax {
			_ = p.Kill()
			return
		}
	}
}

// resident is a process's memory in bytes, 0 where the system does not tell.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)) //nolint:gosec // a number makes no path
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
