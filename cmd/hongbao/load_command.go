package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"hongbao/internal/cascade"
	"hongbao/schemas"
)

// loadAnswer is what `load --json` prints.
type loadAnswer struct {
	Sent      int64            `json:"sent"`
	Seconds   float64          `json:"seconds"`
	EventsPS  float64          `json:"events_per_s"`
	Shares    int64            `json:"shares"` // of these counts: what a correct hongbao answers to this stream alone
	Joins     int64            `json:"joins"`
	Purchases int64            `json:"purchases"`
	Reversals int64            `json:"reversals"`
	Duplicate int64            `json:"duplicates"`
	Refused   map[string]int64 `json:"refused"`
	Dead      map[string]int64 `json:"dead"`
	Depth     map[string]int64 `json:"depth"`
}

type loadFlags struct {
	rate     string
	campaign int64
	json     bool
}

func newLoadCommand(a *app) *cobra.Command {
	return newGroup("load", "Send invite events: real cascades or a generated campaign", newLoadCascadesCommand(a), newLoadSyntheticCommand(a))
}

func (f *loadFlags) add(cmd *cobra.Command) {
	addFlags(cmd.Flags(), "code-keys", "campaigns", "topic-partitions")
	cmd.Flags().StringVar(&f.rate, "rate", "max", "events per second, or max")
	cmd.Flags().Int64Var(&f.campaign, "campaign", schemas.DemoCampaignID, "campaign of the events")
	cmd.Flags().BoolVar(&f.json, "json-events", false, "send the events as JSON instead of Protobuf")
}

func newLoadCascadesCommand(a *app) *cobra.Command {
	var f loadFlags
	cmd := &cobra.Command{
		Use:   "cascades FILE.zip",
		Short: "Send real propagation trees: each cascade a chain, each edge a share and a join",
		Long: `Send the cascades of a zip, one text file each, with lines
  reply: ['child','seconds']->['parent','its seconds']
Each cascade becomes a chain, its root the seed user; every edge a share by the parent (once per parent, before its first child)
and a join by the child. Event times are shifted to end now; all chains are merged in time order.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cascades, err := cascade.ReadZip(args[0])
			if err != nil {
				return err
			}
			cfg, err := a.cascadeConfig(&f)
			if err != nil {
				return err
			}
			records, counts, err := cascade.Records(cascades, cfg)
			if err != nil {
				return err
			}
			return a.load(cmd.Context(), &f, records, func() *cascade.Counts { return counts }, counts.Records)
		},
	}
	f.add(cmd)
	return cmd
}

func newLoadSyntheticCommand(a *app) *cobra.Command {
	var f loadFlags
	s := cascade.SyntheticConfig{}
	var describe bool
	cmd := &cobra.Command{
		Use:   "synthetic",
		Short: "Send a generated campaign of the shape of real cascades",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if describe {
				d := cascade.Describe()
				return a.answer(&d, func(w io.Writer) { _ = d.Print(w) }) // an unwritable terminal is nobody's loss
			}
			cfg, err := a.cascadeConfig(&f)
			if err != nil {
				return err
			}
			s.Config = cfg
			stream, err := cascade.NewSynthetic(s)
			if err != nil {
				return err
			}
			return a.load(cmd.Context(), &f, stream.Records(), stream.Counts, s.Events)
		},
	}
	f.add(cmd)
	cmd.Flags().Int64Var(&s.Events, "events", 100_000, "records in all")
	cmd.Flags().IntVar(&s.Chains, "chains", 1000, "invite chains")
	cmd.Flags().Uint64Var(&s.Seed, "seed", 1, "the same seed makes the same stream")
	cmd.Flags().Float64Var(&s.Duplicate, "dup", 2, "per cent of records sent again")
	cmd.Flags().Float64Var(&s.Bad, "bad", 1, "per cent of records that are refused or dead")
	cmd.Flags().Float64Var(&s.Giant, "giant", 0, "part of the events (0 to 0.9) that one chain has")
	cmd.Flags().BoolVar(&describe, "describe", false, "print the fit to the real cascades and send nothing")
	return cmd
}

// cascadeConfig says for whom records are made: codes live until the campaign ends.
func (a *app) cascadeConfig(f *loadFlags) (cascade.Config, error) {
	keys, err := a.cfg.loadCodeKeys()
	if err != nil {
		return cascade.Config{}, err
	}
	campaigns, err := a.cfg.loadCampaigns()
	if err != nil {
		return cascade.Config{}, err
	}
	for _, c := range campaigns {
		if c.ID == f.campaign {
			cfg := cascade.Config{Campaign: c.ID, Keys: keys, CodeEndS: c.EndsMS / 1000, NowMS: time.Now().UnixMilli(), Partitions: a.cfg.partitions()}
			if f.json {
				cfg.Format = cascade.JSON
			}
			return cfg, nil
		}
	}
	return cascade.Config{}, fmt.Errorf("campaign %d: its file is not among --campaigns, so nobody knows until when its codes live", f.campaign)
}

func (a *app) load(ctx context.Context, f *loadFlags, records iter.Seq[*cascade.Record], counts func() *cascade.Counts, total int64) error {
	rate, err := parseRate(f.rate)
	if err != nil {
		return err
	}
	log, err := a.dialTopics(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	s := &sender{log: log, rate: rate, bar: newBar(a.errOut, total, "sending")}
	began := time.Now()
	n, err := s.send(ctx, records)
	if err != nil {
		return err
	}
	answer := countsAnswer(counts())
	answer.Sent, answer.Seconds = n, time.Since(began).Seconds()
	answer.EventsPS = float64(n) / answer.Seconds
	return a.answer(answer, func(w io.Writer) {
		fmt.Fprintf(w, "%d events sent in %.1f s (%.0f/s): %d shares, %d joins, %d purchases, %d reversals, %d duplicates, refused %v, dead %v\n",
			n, answer.Seconds, answer.EventsPS, answer.Shares, answer.Joins, answer.Purchases, answer.Reversals, answer.Duplicate, answer.Refused, answer.Dead)
	})
}

func countsAnswer(k *cascade.Counts) loadAnswer {
	return loadAnswer{
		Shares: k.Shares, Joins: k.Joins, Purchases: k.Purchases, Reversals: k.Reversals, Duplicate: k.Duplicates,
		Refused: reasonCounts(&k.Refused), Dead: reasonCounts(&k.Dead), Depth: depthCounts(k.Depth),
	}
}

func reasonCounts(by *cascade.ByReason) map[string]int64 {
	m := map[string]int64{}
	for r, n := range by.Each() {
		m[r.String()[len("REASON_"):]] = n
	}
	return m
}

func depthCounts(depth []int64) map[string]int64 {
	m := map[string]int64{}
	for d, n := range depth {
		if n > 0 {
			m[fmt.Sprint(d)] = n
		}
	}
	return m
}
