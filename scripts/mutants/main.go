// Command mutants plants the bugs of internal/mutant one after the other and plays the simulation until an oracle sees each.
//
//	mutants                     every planted bug, up to 2,000 seeds each
//	mutants -only by-writer     those whose name begins so
//	mutants -quick              those that took few seeds when last measured
//
// First the same seeds are played without a planted bug, under each focus that one of them names: whatever fails then was not the bug's doing. A seed
// that ends in a crash, stands still or needs too much memory catches nothing, nor does one that, played alone once more, is not seen by the same oracle.
// An oracle that saw none of the bugs fails the run: it may be unable to fail.
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
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"hongbao/internal/mutant"
)

// options are the command line.
type options struct {
	seeds   int
	control int
	procs   int
	quick   bool
	only    string
	dir     string
}

// A quick run takes what took few seeds when last measured, and gives it ten times as many: every change of how a seed goes moves these numbers. It plays
// a few seeds without a bug.
const (
	quickMax     = 6
	quickSeeds   = 10 * quickMax
	quickControl = 12
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("mutants", flag.ContinueOnError)
	fs.IntVar(&o.seeds, "seeds", 2000, "seeds that a planted bug may take")
	fs.IntVar(&o.control, "control", 100, "seeds without a planted bug, under each focus; as many as one takes at least")
	fs.IntVar(&o.procs, "procs", 2, "processes at once")
	fs.BoolVar(&o.quick, "quick", false, "only those that took few seeds when last measured")
	fs.StringVar(&o.only, "only", "", "only those whose name begins so")
	fs.StringVar(&o.dir, "dir", ".local/sim", "where the simulation is built")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if o.quick {
		o.seeds, o.control = quickSeeds, quickControl
	}
	var err error
	o.dir, err = filepath.Abs(o.dir)
	return o, err
}

// chosen are the planted bugs of this run.
func (o *options) chosen() []mutant.Mutant {
	var all []mutant.Mutant
	for _, m := range mutant.All() {
		if strings.HasPrefix(string(m.Name), o.only) && (!o.quick || m.Seeds <= quickMax) {
			all = append(all, m)
		}
	}
	return all
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	all := o.chosen()
	if len(all) == 0 {
		return errors.New("no planted bug is chosen")
	}
	began := time.Now()
	if err := o.build(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "built in %.0f s\n", time.Since(began).Seconds())
	caught := o.hunt(ctx, all, out)
	controlled, bad := o.controls(ctx, all, caught, out)
	n := table(out, all, caught)
	fmt.Fprintf(out, "\n%d of %d mutants caught; control: %d seeds without one, %d focuses failed; %.0f s\n", n, len(all), controlled, bad, time.Since(began).Seconds())
	blind := unseen(caught)
	fmt.Fprintf(out, "oracles that saw one: %d of %d\n", oracles-len(blind), oracles)
	switch {
	case len(blind) > 0 && len(all) == len(mutant.All()):
		return fmt.Errorf("no planted bug is seen by %s", strings.Join(blind, ", "))
	case bad > 0:
		return errors.New("the simulation is not green without a planted bug")
	case n < len(all):
		return fmt.Errorf("%d planted bugs were not caught", len(all)-n)
	}
	return ctx.Err()
}

// several calls fn for 0 to n-1, some at once.
func (o *options) several(n int, fn func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(1, o.procs) {
		wg.Go(func() {
			for i := range next {
				fn(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

func (o *options) hunt(ctx context.Context, all []mutant.Mutant, out io.Writer) []finding {
	found := make([]finding, len(all))
	var mu sync.Mutex
	o.several(len(all), func(i int) {
		f := o.catch(ctx, all[i].Name, all[i].Focus, o.seeds)
		mu.Lock()
		defer mu.Unlock()
		found[i] = f
		fmt.Fprintf(out, "%-22s %s, %s seeds, %.0f s: %s\n", all[i].Name, f.seen(), f.needed(), f.took.Seconds(), f.sentence)
	})
	return found
}

// controls plays the seeds that caught something, and more, without a planted bug.
func (o *options) controls(ctx context.Context, all []mutant.Mutant, found []finding, out io.Writer) (played, bad int) {
	seeds := map[string]int{}
	var focuses []string
	for i, m := range all {
		if seeds[m.Focus] == 0 {
			focuses = append(focuses, m.Focus)
		}
		seeds[m.Focus] = max(seeds[m.Focus], o.control, found[i].seeds)
	}
	var mu sync.Mutex
	o.several(len(focuses), func(i int) {
		f := o.catch(ctx, "", focuses[i], seeds[focuses[i]])
		mu.Lock()
		defer mu.Unlock()
		played += f.seeds
		if f.err != nil || f.failed > 0 || f.seeds < seeds[focuses[i]] {
			bad++
		}
		fmt.Fprintf(out, "%-22s %s, %d seeds, %.0f s, focus %q: %s\n", "control", f.seen(), f.seeds, f.took.Seconds(), focuses[i], f.sentence)
	})
	return played, bad
}

// oracles is how many there are: I1 to I10.
const oracles = 10

// unseen are the oracles that saw none of the bugs: nobody knows whether they can fail.
func unseen(found []finding) (blind []string) {
	for n := range oracles {
		name := fmt.Sprintf("I%d", n+1)
		if !slices.ContainsFunc(found, func(f finding) bool { return slices.Contains(f.oracles, name) }) {
			blind = append(blind, name)
		}
	}
	return blind
}

// table prints what docs/proof.md holds.
func table(out io.Writer, all []mutant.Mutant, found []finding) (caught int) {
	fmt.Fprintln(out, "\n| mutant | what is wrong | rule | focus | oracle | seeds | s |\n|---|---|---|---|---|---|---|")
	for i, m := range all {
		f := &found[i]
		if f.caught() {
			caught++
		}
		fmt.Fprintf(out, "| `%s` | %s | %s | %s | %s | %s | %.0f |\n", m.Name, m.Does, m.Rule, m.Focus, f.seen(), f.needed(), f.took.Seconds())
	}
	return caught
}
