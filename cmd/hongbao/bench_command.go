package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"hongbao/internal/cascade"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

//go:embed bench_campaign.yaml
var benchCampaign []byte

// bench is one measurement on topics of its own.
type bench struct {
	*app
	log      *topiclog.Client
	dir      string
	campaign string // file
	events   int64
	chains   int
	seed     uint64
	rates    []int
	seconds  int
	warmup   int64
	profile  string // file for a CPU profile of the worker
	spent    *spentTopics
}

// spentTopics are those of measurements that are over. They go last: the next measurement is not to pay for the removal.
type spentTopics []*topiclog.Client

func (s *spentTopics) remove(ctx context.Context) (err error) {
	for _, log := range *s {
		err = errors.Join(err, log.Remove(ctx))
		log.Close()
	}
	return err
}

func newBenchCommand(a *app) *cobra.Command {
	return newGroup("bench", "Measure the pipeline on this machine's Kafka and Redis",
		newBenchPipelineCommand(a), newBenchRestoreCommand(a), newBenchReplayCommand(a), newBenchWorkerCommand(a))
}

func (b *bench) flags(cmd *cobra.Command, events int64) {
	cmd.Flags().Int64Var(&b.events, "events", events, "events to drain")
	cmd.Flags().IntVar(&b.chains, "chains", 100_000, "invite chains, one of them with 20 % of the joins")
	cmd.Flags().StringVar(&b.profile, "cpuprofile", "", "write a CPU profile of the worker here")
	cmd.Flags().Uint64Var(&b.seed, "seed", 1, "of the generated campaign")
}

func newBenchPipelineCommand(a *app) *cobra.Command {
	b := &bench{app: a, spent: &spentTopics{}}
	cmd := &cobra.Command{
		Use:   "pipeline",
		Short: "Throughput, CPU and latency of the whole path",
		Long: `Drain --events generated events as fast as they go, then measure the latency from intended send time to a read_committed
consumer at each of --rates for --seconds, with claims in Redis and without. Topics, group and keys are of its own and are removed.
A broker that has just started runs code that its JVM has not compiled yet, at two to three times the cost: --warmup events and
a short run at the highest rate go through the same path first and are not measured.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			defer func() { err = errors.Join(err, b.sweep(cmd.Context())) }()
			var answer pipelineAnswer
			if err := b.warmUp(cmd.Context()); err != nil {
				return err
			}
			err = b.on(cmd.Context(), func(ctx context.Context) (err error) {
				if answer, err = b.drain(ctx); err != nil {
					return err
				}
				if answer.Latency, err = b.latencies(ctx); err != nil {
					return err
				}
				return answer.measureMemory(b)
			})
			if err != nil {
				return err
			}
			return a.answer(answer, answer.print)
		},
	}
	b.flags(cmd, 5_000_000)
	cmd.Flags().IntSliceVar(&b.rates, "rates", []int{20_000, 60_000}, "events per second of the latency runs")
	cmd.Flags().Int64Var(&b.warmup, "warmup", 5_000_000, "events that go through before anything is measured")
	cmd.Flags().IntVar(&b.seconds, "seconds", 60, "length of each latency run")
	return cmd
}

func newBenchRestoreCommand(a *app) *cobra.Command {
	b := &bench{app: a, spent: &spentTopics{}}
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "How fast an empty data directory is rebuilt from facts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			defer func() { err = errors.Join(err, b.sweep(cmd.Context())) }()
			var answer restoreAnswer
			if err := b.on(cmd.Context(), func(ctx context.Context) (err error) {
				answer, err = b.restore(ctx)
				return err
			}); err != nil {
				return err
			}
			return a.answer(answer, answer.print)
		},
	}
	b.flags(cmd, 5_000_000)
	return cmd
}

// on runs fn on fresh topics under a prefix of its own, and removes its keys afterwards; sweep removes the topics.
func (b *bench) on(ctx context.Context, fn func(context.Context) error) (err error) {
	var id [4]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	b.cfg.Prefix += "bench" + hex.EncodeToString(id[:]) + "."
	if b.dir, err = os.MkdirTemp("", "hongbao-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.cfg.Data, b.campaign = filepath.Join(b.dir, "data"), filepath.Join(b.dir, "campaign.yaml")
	if err := os.WriteFile(b.campaign, benchCampaign, 0o600); err != nil {
		return err
	}
	if b.log, err = b.dialTopics(ctx); err != nil {
		return err
	}
	*b.spent = append(*b.spent, b.log)
	if _, err := b.log.Create(ctx, topiclog.Options{Partitions: partitions, Dev: b.cfg.DevMode()}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.removeKeys(context.WithoutCancel(ctx))) }()
	return fn(ctx)
}

// sweep removes the topics of all measurements.
func (b *bench) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return b.spent.remove(ctx)
}

// benchSpanMS is the event time of a stream: a campaign's busy hour. Buckets of the share limit older than a day would
// have to be looked up in the state as well.
const benchSpanMS = 60 * 60 * 1000

// stream is the load of the measurements: 30 % shares, 65 % joins, 5 % purchases, 2 % duplicates, 1 % bad.
func (b *bench) stream(events int64, seed uint64) (*cascade.Synthetic, error) {
	keys, err := b.cfg.loadCodeKeys()
	if err != nil {
		return nil, err
	}
	camp, err := schemas.ParseCampaign(b.campaign, benchCampaign)
	if err != nil {
		return nil, err
	}
	chains := min(b.chains, int(events/20))
	return cascade.NewSynthetic(cascade.SyntheticConfig{
		Config: cascade.Config{Campaign: camp.ID, Keys: keys, CodeEndS: camp.EndsMS / 1000, NowMS: time.Now().UnixMilli(), Partitions: partitions},
		Seed:   seed, Events: events, Chains: chains, Duplicate: 2, Bad: 1, Giant: 0.2, SpanMS: benchSpanMS,
	})
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.errOut, "bench: "+format+"\n", args...)
}
