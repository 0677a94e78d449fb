package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"hongbao/internal/crashpoint"
)

// tally is what a run has seen.
type tally struct {
	o *options

	mu       sync.Mutex
	all      map[string]int // kills by label
	counted  map[string]int
	misses   map[string]int
	others   int // kills from outside, at no label
	firsts   map[string][]time.Duration
	alls     map[string][]time.Duration
	longest  time.Duration
	verifies int
	events   int64
	facts    int64
	two      int // kills at sites with two instances
}

func newTally(o *options) *tally {
	return &tally{
		o: o, all: map[string]int{}, counted: map[string]int{}, misses: map[string]int{},
		firsts: map[string][]time.Duration{}, alls: map[string][]time.Duration{},
	}
}

func (t *tally) killed(s *site, j job, r *record, counted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all[j.label]++
	if counted {
		t.counted[j.label]++
	}
	if s.two {
		t.two++
	}
	if t.o.verbose {
		fmt.Fprintf(t.o.out, "site %d: %s, %d transactions, %d coupons, %d commits, counted %v\n", s.n, j.label, r.Transactions, r.Coupons, r.Commits, counted)
	}
}

func (t *tally) missed(j job, n int, moved bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.misses[j.label]++
	t.others++
	if t.o.verbose {
		fmt.Fprintf(t.o.out, "%s:%d was not reached; all partitions had moved: %v\n", j.label, n, moved)
	}
}

func (t *tally) recovered(kind string, first, all time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.firsts[kind] = append(t.firsts[kind], first)
	t.alls[kind] = append(t.alls[kind], all)
	if t.o.verbose {
		fmt.Fprintf(t.o.out, "recovery (%s): first fact %s, all partitions %s\n", kind, first.Round(time.Millisecond), all.Round(time.Millisecond))
	}
}

func (t *tally) stalled(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.longest = max(t.longest, d)
}

func (t *tally) verified(report string) {
	var r struct {
		Events int64 `json:"events"`
		Facts  int64 `json:"facts"`
	}
	_ = json.Unmarshal([]byte(report), &r) // verify was content
	t.mu.Lock()
	defer t.mu.Unlock()
	t.verifies++
	t.events += r.Events
	t.facts += r.Facts
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// print says what was seen, and answers with what is missing.
func (t *tally) print(labels []crashpoint.Label, sites int, took time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	hit := 0
	for _, l := range labels {
		n := t.counted[l.Name]
		if n > 0 {
			hit++
		}
		if n < t.o.perLabel {
			errs = append(errs, fmt.Errorf("label %s: %d kills counted, want %d (%d kills in all, %d times not reached)", l.Name, n, t.o.perLabel, t.all[l.Name], t.misses[l.Name]))
		}
	}
	kills, counted := sum(t.all), sum(t.counted)
	fmt.Fprintf(t.o.out, "labels hit %d / %d\n", hit, len(labels))
	fmt.Fprintf(t.o.out, "SIGKILLs %d at labels (%d with two instances), %d elsewhere; counted %d, with a transaction open or a coupon in flight\n", kills, t.two, t.others, counted)
	for _, kind := range []string{"restart", "takeover", "rebalance", "rebuilt", "older", "damaged", "redis"} {
		ds := t.alls[kind]
		if len(ds) == 0 {
			continue
		}
		first := t.firsts[kind]
		slices.Sort(ds)
		slices.Sort(first)
		fmt.Fprintf(t.o.out, "recovery %-8s %4d times: killed to every partition moving min %s median %s max %s; to the first fact median %s max %s\n", kind, len(ds),
			ms(ds[0]), ms(ds[len(ds)/2]), ms(ds[len(ds)-1]), ms(first[len(first)/2]), ms(first[len(first)-1]))
	}
	fmt.Fprintf(t.o.out, "longest LSO stall %s\n", ms(t.longest))
	fmt.Fprintf(t.o.out, "verify content at %d / %d sites: %d events, %d facts\n", t.verifies, sites, t.events, t.facts)
	fmt.Fprintf(t.o.out, "%s\n", took.Round(time.Second))
	if kills == 0 || counted == 0 || t.verifies == 0 || t.facts == 0 || len(t.alls["restart"])+len(t.alls["takeover"]) == 0 || t.longest == 0 {
		errs = append(errs, errors.New("a figure is zero: nothing was proved"))
	}
	if sites >= 3 && t.two == 0 && t.o.only == "" { // every third site has two instances
		errs = append(errs, fmt.Errorf("no kill of %d was at a site with two instances", kills))
	}
	if t.verifies < sites {
		errs = append(errs, fmt.Errorf("verify was content at %d of %d sites", t.verifies, sites))
	}
	return errors.Join(errs...)
}

func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// run makes sites until every job is done.
func run(ctx context.Context, o *options) error {
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	where := "embedded parts"
	if realParts() {
		where = "real parts"
	}
	fmt.Fprintf(o.out, "%s, seed %d, %d sites at a time\n", where, o.seed, o.parallel)
	work, err := os.MkdirTemp("", "hongbao-crash-")
	if err != nil {
		return err
	}
	o.work = work
	began, t := time.Now(), newTally(o)
	q := newQueue(o, rand.New(rand.NewPCG(o.seed, 1)))
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var mu sync.Mutex
	var wg sync.WaitGroup
	sites := 0
	for range o.parallel {
		wg.Go(func() {
			for q.left() > 0 && ctx.Err() == nil {
				mu.Lock()
				n := sites
				sites++
				mu.Unlock()
				two := o.takeovers || n%3 == 2
				s := &site{o: o, n: n, queue: q, tally: t, two: two, sync: []string{"never", "step"}[n%2], rng: rand.New(rand.NewPCG(o.seed, uint64(n)+10))} //nolint:gosec // as above
				if err := s.live(ctx); err != nil {
					fail(fmt.Errorf("site %d (%s): %w", n, s.dir, err))
				}
			}
		})
	}
	wg.Wait()
	var labels []crashpoint.Label
	for _, l := range crashpoint.Labels() {
		if len(o.only) == 0 || len(l.Name) >= len(o.only) && l.Name[:len(o.only)] == o.only {
			labels = append(labels, l)
		}
	}
	err = errors.Join(context.Cause(ctx), t.print(labels, sites, time.Since(began)))
	if err == nil {
		err = os.RemoveAll(work)
	}
	return err
}
