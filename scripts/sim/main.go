// Command sim builds the simulation of internal/sim and runs seeds of it, over the cores, in processes of their own.
//
//	sim -seeds 20000          many seeds; coverage is demanded from 1,000 on
//	sim -seed 17              one seed, which prints its trace
//	sim -seeds 500 -twice     each seed twice, in processes of different history: how many gave the same trace
//	sim -seeds 2000 -stop -mutant depth-off-by-one
//	                          until an oracle sees the planted bug, and names it; a failure either way
//	sim -seeds 100 -focus overtaken
//	                          one kind of trouble alone
//
// A failing seed leaves .local/sim/seed-N.json: its schedule of faults, shrunk to those that it takes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hongbao/internal/mutant"
)

// options are the command line.
type options struct {
	seed     uint64
	first    uint64
	seeds    int
	procs    int
	chunk    int
	tags     string
	twice    bool
	stop     bool
	coverage bool
	only     bool // build
	built    bool // by another of these processes
	focus    string
	mutant   string
	log      bool
	drop     string
	seedMax  time.Duration
	dir      string
	binary   string
	kept     []uint64 // seeds that once found something: played besides
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
		os.Exit(1)
	}
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("sim", flag.ContinueOnError)
	fs.Uint64Var(&o.seed, "seed", 0, "replay this one seed")
	fs.Uint64Var(&o.first, "first", 1, "the first of many seeds")
	fs.IntVar(&o.seeds, "seeds", 0, "how many seeds")
	fs.IntVar(&o.procs, "procs", runtime.NumCPU(), "processes at once")
	fs.IntVar(&o.chunk, "chunk", 0, "seeds of one process; 0: 50, or up to 1000 where nobody waits for the first that fails")
	fs.StringVar(&o.tags, "tags", "", "further build tags, of planted bugs")
	fs.BoolVar(&o.only, "build", false, "build the binary and play nothing")
	fs.BoolVar(&o.built, "built", false, "play the binary that -build made with the same tags")
	fs.StringVar(&o.focus, "focus", "", "one kind of trouble in place of the common draw (internal/sim/focus_test.go)")
	fs.StringVar(&o.mutant, "mutant", "", "a planted bug (internal/mutant), under its own focus unless -focus says another")
	fs.BoolVar(&o.twice, "twice", false, "run each seed twice and compare the traces")
	fs.BoolVar(&o.stop, "stop", false, "stop at the first violation")
	fs.BoolVar(&o.log, "log", false, "show what the processes log (with -seed)")
	fs.StringVar(&o.drop, "drop", "", "faults to leave out, by index (with -seed)")
	fs.DurationVar(&o.seedMax, "seed-max", seedMax, "how long a seed may take on the wall clock")
	fs.StringVar(&o.dir, "dir", ".local/sim", "where binaries and failing seeds are kept")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if err := o.plant(); err != nil {
		return nil, err
	}
	if o.seed == 0 && o.seeds <= 0 && !o.only {
		return nil, errors.New("name a seed with -seed N or a number of them with -seeds N")
	}
	if err := o.replayed(); err != nil {
		return nil, err
	}
	if o.chunk <= 0 {
		o.chunk = chunkMin
		if !o.stop && o.seeds >= coverageFrom { // what a process plays to warm up counts less
			o.chunk = chunkMax
		}
	}
	o.tags = strings.Join(strings.Fields("synctests "+strings.ReplaceAll(o.tags, ",", " ")), ",")
	o.coverage = o.seeds >= coverageFrom && !o.stop && !o.twice && o.focus == "" && o.mutant == ""
	var err error
	o.dir, err = filepath.Abs(o.dir)
	o.binary = filepath.Join(o.dir, "sim-"+strings.ReplaceAll(o.tags, ",", "-")+".test")
	return o, err
}

// replayed refuses what the replay of one seed would pass over.
func (o *options) replayed() error {
	if o.seed != 0 && o.twice {
		return fmt.Errorf("-twice compares many seeds: -first %d -seeds 1 -twice plays this one twice", o.seed)
	}
	if o.drop == "" {
		return nil
	}
	if o.seed == 0 {
		return fmt.Errorf("-drop %q leaves faults out of one seed: name it with -seed", o.drop)
	}
	for word := range strings.SplitSeq(o.drop, ",") {
		if n, err := strconv.Atoi(word); err != nil || n < 0 {
			return fmt.Errorf("-drop %q: %q is not the index of a fault", o.drop, word)
		}
	}
	return nil
}

// How many seeds a process plays, unless -chunk says otherwise.
const (
	chunkMin = 50
	chunkMax = 1000
)

// plant completes the options for a planted bug.
func (o *options) plant() error {
	if o.mutant == "" {
		return nil
	}
	m, ok := mutant.Named(mutant.Name(o.mutant))
	if !ok {
		return fmt.Errorf("-mutant %q names none of the planted bugs in internal/mutant", o.mutant)
	}
	if o.tags = strings.TrimSpace(o.tags + " mutants"); o.focus == "" {
		o.focus = m.Focus
	}
	return nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if !o.built {
		if err := o.build(ctx); err != nil {
			return err
		}
	}
	switch {
	case o.only:
		return nil
	case o.seed != 0:
		return o.replay(ctx, out)
	case o.twice:
		return o.compare(ctx, out)
	}
	if o.focus == "" && !o.stop { // under a focus a seed has another schedule: not the one that found something
		if o.kept, err = keptSeeds(keptFile); err != nil {
			return err
		}
	}
	return o.many(ctx, out)
}

// replay plays one seed and shows what it came to.
func (o *options) replay(ctx context.Context, out io.Writer) error {
	args := []string{"-sim.plan"}
	if o.log {
		args = append(args, "-sim.log")
	}
	if o.drop != "" {
		args = append(args, "-sim.drop", o.drop)
	}
	r := o.chunkOf(ctx, span{o.seed, 1}, out, args...)
	if len(r) != 1 {
		return fmt.Errorf("seed %d did not end", o.seed)
	}
	fmt.Fprintf(out, "trace %s\n", r[0].Trace)
	if len(r[0].Violations) == 0 {
		return nil
	}
	if o.drop == "" && !o.log {
		o.keep(ctx, &r[0], out)
	}
	return fmt.Errorf("seed %d: %s", o.seed, strings.Join(r[0].Violations, "\n     "))
}

// many plays seeds and sums up. Zero of anything is a failure.
func (o *options) many(ctx context.Context, out io.Writer) error {
	began := time.Now()
	t := newTally()
	var failed []result
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	judge := func(r *result) {
		t.add(r)
		if len(r.Violations) == 0 {
			return
		}
		failed = append(failed, *r)
		fmt.Fprintf(out, "seed %d: %s\n", r.Seed, strings.Join(r.Violations, "\n     "))
		if o.over(r) {
			cancel()
		}
	}
	o.spread(ctx, judge)
	if n := len(failed); n > 0 && o.over(&failed[n-1]) {
		return o.caught(&failed[n-1], t.seeds, out)
	}
	t.print(out, time.Since(began))
	for i := range min(len(failed), keptMax) {
		o.keep(ctx, &failed[i], out)
	}
	want := o.seeds + len(o.kept)
	switch missing := t.missing(o.seeds); {
	case o.stop && o.mutant != "":
		return fmt.Errorf("%s was not caught: no oracle failed in %d of %d seeds, %d of which ended in a crash or the like", o.mutant, t.seeds, want, len(failed))
	case t.seeds != want:
		return fmt.Errorf("%d of %d seeds ended", t.seeds, want)
	case len(failed) > 0:
		return fmt.Errorf("%d of %d seeds failed", len(failed), t.seeds)
	case t.hits == 0 || t.events == 0:
		return errors.New("no fault hit, or no event was sent")
	case o.coverage && len(missing) > 0:
		return fmt.Errorf("not reached: %s", strings.Join(missing, ", "))
	}
	return nil
}

// named is a violation that an oracle names; a crash is none.
var named = regexp.MustCompile(`^I([1-9]|10): `)

// seenBy is the violation that an oracle names, if there is one.
func seenBy(r *result) string {
	if i := slices.IndexFunc(r.Violations, named.MatchString); i >= 0 {
		return r.Violations[i]
	}
	return ""
}

// over says that this is what a search was for.
func (o *options) over(r *result) bool { return o.stop && seenBy(r) != "" }

// caught says which oracle ended a search. A violation is a failure, with a planted bug too: whoever plants one by hand wants to see red.
func (o *options) caught(r *result, seeds int, out io.Writer) error {
	violation := seenBy(r)
	oracle, _, _ := strings.Cut(violation, ":")
	fmt.Fprintf(out, "caught by %s at seed %d, after %d seeds\nreplay: make sim SEED=%d%s\n", oracle, r.Seed, seeds, r.Seed, o.with())
	return fmt.Errorf("seed %d: %s", r.Seed, violation)
}

// with is what make must be told besides the seed.
func (o *options) with() string {
	var b strings.Builder
	if o.mutant != "" {
		b.WriteString(" MUTANT=" + o.mutant)
	}
	if m, _ := mutant.Named(mutant.Name(o.mutant)); o.focus != m.Focus {
		b.WriteString(" FOCUS='" + o.focus + "'")
	}
	return b.String()
}

// keptMax bounds how many failing seeds are shrunk.
const keptMax = 3

// differMax is how many of so many seeds may give another trace the second time, one in a hundred: what differs depends on what its process played before.
func differMax(seeds int) int { return seeds / 100 }

// compare plays each seed twice, in chunks of different sizes.
func (o *options) compare(ctx context.Context, out io.Writer) error {
	first, second, failed := map[uint64]string{}, map[uint64]string{}, 0
	into := func(traces map[uint64]string) func(*result) {
		return func(r *result) {
			traces[r.Seed] = r.Trace
			if len(r.Violations) > 0 {
				failed++
				fmt.Fprintf(out, "seed %d: %s\n", r.Seed, strings.Join(r.Violations, "\n     "))
			}
		}
	}
	o.spread(ctx, into(first))
	o.chunk = max(1, o.chunk/3)
	o.spread(ctx, into(second))
	same := 0
	for seed, trace := range first {
		if trace != "" && second[seed] == trace {
			same++
		} else {
			fmt.Fprintf(out, "seed %d: trace %s, then %s\n", seed, trace, second[seed])
		}
	}
	fmt.Fprintf(out, "of %d seeds run twice %d gave the same trace hash\n", o.seeds, same)
	switch {
	case same < o.seeds-differMax(o.seeds):
		return fmt.Errorf("only %d of %d seeds replay, and %d may differ", same, o.seeds, differMax(o.seeds))
	case failed > 0:
		return fmt.Errorf("%d of %d runs failed", failed, 2*o.seeds)
	}
	return nil
}
