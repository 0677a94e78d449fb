package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hongbao/internal/mutant"
)

// finding is what a planted bug came to.
type finding struct {
	oracle   string   // that saw it first; empty: none
	oracles  []string // all that saw it, in that seed
	sentence string
	seeds    int   // played from 1 on; the last one saw it
	failed   int   // of them
	replayed bool  // that seed alone, in a process of its own, is seen by the same oracle
	err      error // of the process: a seed failed, or did not end
	took     time.Duration
}

// caught says that an oracle saw it in a seed that replays.
func (f *finding) caught() bool { return f.oracle != "" && f.replayed }

func (f *finding) seen() string {
	if f.oracle == "" {
		return "-"
	}
	return strings.Join(f.oracles, " ")
}

func (f *finding) needed() string {
	s, crashed := strconv.Itoa(f.seeds), f.failed
	switch {
	case f.oracle == "":
		s = "not caught in " + s
	case !f.replayed:
		s, crashed = s+" (does not replay)", crashed-1
	default:
		crashed--
	}
	if crashed > 0 {
		s += fmt.Sprintf(" (%d crashed)", crashed)
	}
	return s
}

// catch plays seeds from 1 on until an oracle fails, with a planted bug or with none, and the seed that it failed in once more.
func (o *options) catch(ctx context.Context, name mutant.Name, focus string, seeds int) finding {
	began := time.Now()
	f := o.search(ctx, name, focus, 1, seeds)
	if f.oracle != "" && ctx.Err() == nil {
		again := o.search(ctx, name, focus, f.seeds, 1)
		f.replayed = again.oracle == f.oracle
	}
	f.took = time.Since(began)
	return f
}

// search is what `make sim ARGS=-stop` does.
func (o *options) search(ctx context.Context, name mutant.Name, focus string, first, seeds int) (f finding) {
	args := []string{"-built", "-dir", o.dir, "-focus", focus, "-first", strconv.Itoa(first), "-seeds", strconv.Itoa(seeds), "-procs", "1", "-stop"}
	if name != "" {
		args = append(args, "-mutant", string(name))
	} else {
		args = append(args, "-tags", tag)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(o.dir, "sim"), args...)    //nolint:gosec // made by us
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it has a process to end
	cmd.WaitDelay = 10 * time.Second
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		f.sentence, f.err = err.Error(), err
		return f
	}
	f.read(stdout)
	if f.err = cmd.Wait(); f.err != nil && f.sentence == "" { // no oracle failed: some seeds did not end, or no fault hit
		f.sentence = strings.TrimSpace(stderr.String())
	}
	return f
}

// What scripts/sim prints.
var (
	failing = regexp.MustCompile(`^seed \d+: `)
	named   = regexp.MustCompile(`^(?:seed \d+:|    ) (I(?:[1-9]|10)): (.*)`)
	caught  = regexp.MustCompile(`^caught by (I\d+) at seed \d+, after (\d+) seeds`)
	ended   = regexp.MustCompile(`^(\d+) schedules, `)
)

// read takes what a search came to. The oracles that it names are those of the seed that ended it: another seed that failed is one that none saw.
func (f *finding) read(stdout io.Reader) {
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		line := lines.Text()
		if failing.MatchString(line) {
			f.failed++
		}
		if m := named.FindStringSubmatch(line); m != nil {
			if len(f.oracles) == 0 {
				f.sentence = m[2]
			}
			if !slices.Contains(f.oracles, m[1]) {
				f.oracles = append(f.oracles, m[1])
			}
		}
		if m := caught.FindStringSubmatch(line); m != nil {
			f.oracle = m[1]
			f.seeds, _ = strconv.Atoi(m[2])
		}
		if m := ended.FindStringSubmatch(line); m != nil {
			f.seeds, _ = strconv.Atoi(m[1])
		}
	}
}

// tag has all planted bugs built in.
const tag = "mutants"

// build makes the simulation with all planted bugs in it, and the program that plays it.
func (o *options) build(ctx context.Context) error {
	program := filepath.Join(o.dir, "sim")
	for _, words := range [][]string{
		{"go", "build", "-o", program, "./scripts/sim"},
		{program, "-build", "-tags", tag, "-dir", o.dir},
	} {
		cmd := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // the arguments are the caller's own
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build the simulation: %w", err)
		}
	}
	return nil
}
