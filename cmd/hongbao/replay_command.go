package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hongbao/eventstore"
	"hongbao/internal/replay"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// replayFlags are those of `hongbao replay`.
type replayFlags struct {
	partitions string
	toSeq      int64
	toTime     string
	into       string
	compare    bool
	swap       bool
	parallel   int
}

func newReplayCommand(a *app) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Rebuild partitions from facts beside the running service; compare them, swap them in",
		Long: `Fold hongbao.facts into a shadow store, DATA/shadow, while the service runs. Interrupted, it goes on where it stood.
--compare asks the running instance, at --listen, for the hash of its state and compares it at the same seq; exit code 1: something differs.
--swap puts the rebuilt partitions in place of the live ones, which their owner then takes over again. Without an instance that answers, both
use the data directory --data itself. Reading needs READ on hongbao.facts alone; the file docs/replay.md says more.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := a.replay(cmd.Context(), &f)
			if answer == nil {
				return err
			}
			if err = errors.Join(err, a.answer(answer, answer.print)); err != nil || answer.OK {
				return err
			}
			return errFailed
		},
	}
	cmd.AddCommand(newReplayEventsCommand(a))
	addFlags(cmd.Flags(), "listen")
	cmd.Flags().StringVar(&f.partitions, "partitions", "", "which, such as 0,3-5 (default: all)")
	cmd.Flags().Int64Var(&f.toSeq, "to-seq", 0, "fold to the last step that ends at or before this seq")
	cmd.Flags().StringVar(&f.toTime, "to-time", "", "fold to the last step that ended by this time, as 2026-11-22T13:00:00Z")
	cmd.Flags().StringVar(&f.into, "into", "", "leave the rebuilt store in this directory")
	cmd.Flags().BoolVar(&f.compare, "compare", false, "compare with the live store, by hash")
	cmd.Flags().BoolVar(&f.swap, "swap", false, "put the rebuilt partitions in place of the live ones")
	cmd.Flags().IntVar(&f.parallel, "parallel", 2*runtime.GOMAXPROCS(0), "partitions at once")
	return cmd
}

// target refuses what does not go together.
func (f *replayFlags) target() (t replay.Target, err error) {
	t.Seq = f.toSeq
	switch {
	case f.toSeq < 0:
		return t, fmt.Errorf("--to-seq %d: seqs are counted from 1", f.toSeq)
	case f.toSeq > 0 && f.toTime != "":
		return t, errors.New("--to-seq and --to-time: name one of the two")
	case f.into != "" && f.swap:
		return t, fmt.Errorf("--into %s and --swap: a store is swapped in from the data directory of its owner; leave --into out", f.into)
	case (f.compare || f.swap) && (f.toSeq > 0 || f.toTime != ""):
		return t, errors.New("--compare and --swap go to where the live store stands; --to-seq and --to-time stop before")
	case f.parallel < 1:
		return t, fmt.Errorf("--parallel %d: at least one partition at once", f.parallel)
	}
	if f.toTime != "" {
		at, err := time.Parse(time.RFC3339, f.toTime)
		if err != nil {
			return t, fmt.Errorf("--to-time %q: want a time as 2026-11-22T13:00:00Z or with its zone, +08:00", f.toTime)
		}
		t.TimeMS = at.UnixMilli()
	}
	return t, nil
}

// replayAnswer is what `replay --json` prints. Its names are a contract.
type replayAnswer struct {
	OK         bool            `json:"ok"` // nothing differs
	Facts      int64           `json:"facts"`
	Seconds    float64         `json:"seconds"` // of folding: comparing and swapping not counted
	FactsPerS  float64         `json:"facts_per_s"`
	CPU        float64         `json:"cpu_us_per_fact"` // of this process, broker not counted
	PeakRSS    int64           `json:"peak_rss_bytes"`
	Dirs       []string        `json:"dirs"`
	Partitions []replay.Result `json:"partitions"`
}

func (r *replayAnswer) print(w io.Writer) {
	for _, p := range r.Partitions {
		fmt.Fprintf(w, "partition %-3d seq %-10d %9d facts folded", p.Partition, p.Seq, p.Facts)
		if p.Compared != "" {
			fmt.Fprintf(w, "  %s", p.Compared)
		}
		if p.Swapped {
			fmt.Fprintf(w, "  swapped in %d ms", p.SwapMS)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d facts in %.2f s, %.0f facts/s, %.2f us of CPU per fact; peak memory %d MB; %s\n", r.Facts, r.Seconds, r.FactsPerS, r.CPU, r.PeakRSS>>20, strings.Join(r.Dirs, ", "))
}

// replay rebuilds group by group: the partitions of one shadow directory are a group. Beside an error it answers with the partitions that came
// to their end, if any did.
func (a *app) replay(ctx context.Context, f *replayFlags) (*replayAnswer, error) {
	target, err := f.target()
	if err != nil {
		return nil, err
	}
	log, err := a.dialTopics(ctx)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	starts, err := log.Starts(ctx, schemas.TopicFacts)
	if err != nil {
		return nil, err
	}
	count := int32(len(starts[schemas.TopicFacts])) //nolint:gosec // partitions are few
	chosen, err := parsePartitions(f.partitions, count)
	if err != nil {
		return nil, err
	}
	groups, done, err := a.replayGroups(ctx, f, chosen, count)
	if err != nil {
		return nil, err
	}
	defer done()
	answer := &replayAnswer{OK: true, Partitions: []replay.Result{}}
	for _, g := range groups {
		answer.Dirs = append(answer.Dirs, g.dir)
		if err = a.replayGroup(ctx, log, f, target, g, count, answer); err != nil {
			break
		}
	}
	if err != nil && len(answer.Partitions) == 0 {
		return nil, err
	}
	answer.sum()
	answer.OK = answer.OK && err == nil
	return answer, err
}

// sum fills in what follows from the partitions.
func (r *replayAnswer) sum() {
	for _, p := range r.Partitions {
		r.Facts += p.Facts
		r.OK = r.OK && (p.Compared == "" || p.Compared == replay.Same)
	}
	r.FactsPerS = float64(r.Facts) / max(r.Seconds, 1e-3)
	r.PeakRSS = peakRSS()
	if r.Facts > 0 {
		r.CPU = micros(cpuOf(os.Getpid())) / float64(r.Facts)
	}
}

func (a *app) replayGroup(ctx context.Context, log *topiclog.Client, f *replayFlags, target replay.Target, g replayGroup, count int32, answer *replayAnswer) error {
	dir, err := filepath.Abs(g.dir)
	if err != nil {
		return err
	}
	store, err := eventstore.Open(eventstore.Config{Dir: dir, Partitions: count, Logger: a.log})
	if err != nil {
		return err
	}
	e := replay.NewEngine(replay.Config{
		Log: log, Store: store, Dir: dir, Partitions: g.partitions, Target: target, Parallel: f.parallel,
		Live: g.live, Compare: f.compare, Swap: f.swap, Logger: a.log,
	})
	began := time.Now()
	stop := a.everySecond(ctx, func() {
		done, all, ended := e.Progress()
		fmt.Fprintf(a.errOut, "replay: %d of %d facts, %s, %d of %d partitions\n", done, all, pace(done, all, began, "facts"), ended, len(g.partitions))
	})
	results, err := e.Run(ctx)
	stop()
	answer.Seconds += e.Folding().Seconds()
	answer.Partitions = append(answer.Partitions, results...)
	return errors.Join(err, store.Close())
}

// everySecond calls tell about once a second until the returned function is called.
func (a *app) everySecond(ctx context.Context, tell func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				tell()
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// pace is how fast it goes and how long it will take.
func pace(done, all int64, began time.Time, what string) string {
	rate := float64(done) / time.Since(began).Seconds()
	if done == 0 {
		return "0 " + what + "/s, eta unknown"
	}
	eta := time.Duration(float64(max(0, all-done)) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%.0f %s/s, eta %s", rate, what, eta)
}

// parsePartitions reads a list such as 0,3-5; empty: all of them.
func parsePartitions(list string, count int32) ([]int32, error) {
	chosen := make([]bool, count)
	for part := range strings.SplitSeq(list, ",") {
		if list == "" {
			part = fmt.Sprintf("0-%d", count-1)
		}
		from, to, ranged := strings.Cut(strings.TrimSpace(part), "-")
		if !ranged {
			to = from
		}
		low, err1 := strconv.ParseInt(from, 10, 32)
		high, err2 := strconv.ParseInt(to, 10, 32)
		if err1 != nil || err2 != nil || low < 0 || high < low || high >= int64(count) {
			return nil, fmt.Errorf("--partitions %q: %q is not a partition 0..%d or a range of them, such as 3-5", list, part, count-1)
		}
		for p := low; p <= high; p++ {
			chosen[p] = true
		}
	}
	var all []int32
	for p, yes := range chosen {
		if yes {
			all = append(all, int32(p))
		}
	}
	return all, nil
}
