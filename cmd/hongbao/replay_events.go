package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"hongbao/eventstore"
	"hongbao/internal/admission"
	"hongbao/internal/replay"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// whatIfFetchBytes: a what-if has two cursors open on every partition.
const whatIfFetchBytes = 256 << 10

// whatIfFlags are those of `hongbao replay events`.
type whatIfFlags struct {
	campaign   string
	keepPrefix bool
	csv        bool
	top        int
}

func newReplayEventsCommand(a *app) *cobra.Command {
	var f whatIfFlags
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Judge the events again under another campaign file: who would have got what",
		Long: `Judge the events of invite.events again as if --campaign had been in force from the first one on, and compare what would have been granted with
what the facts say was. Nothing is written but to standard output, and nothing is asked of Redis: docs/replay.md says what is exact.
--csv prints a line for everybody and each rule; --json the report.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := a.whatIf(cmd.Context(), &f)
			if err != nil {
				return err
			}
			if f.csv {
				return printGrants(a.out, answer.Rows())
			}
			return a.answer(answer, answer.print)
		},
	}
	addFlags(cmd.Flags(), "code-keys", "share-limit-count", "share-limit-window")
	cmd.Flags().StringVar(&f.campaign, "campaign", "", "the other campaign file (required)")
	cmd.Flags().BoolVar(&f.keepPrefix, "keep-prefix", false, "where retention has removed events, let what was decided on them stand")
	cmd.Flags().BoolVar(&f.csv, "csv", false, "answer in CSV: everybody's grants, by rule")
	cmd.Flags().IntVar(&f.top, "top", 20, "how many of the largest changes to show, at most 1000")
	return cmd
}

// whatIfAnswer is what `replay events --json` prints. Its names are a contract.
type whatIfAnswer struct {
	*replay.WhatIfReport

	Seconds  float64 `json:"seconds"`
	EventsPS float64 `json:"events_per_s"`
	PeakRSS  int64   `json:"peak_rss_bytes"`
}

func (a *app) whatIf(ctx context.Context, f *whatIfFlags) (_ *whatIfAnswer, err error) {
	switch {
	case f.campaign == "":
		return nil, errors.New("--campaign: name the campaign file under which the events are judged again")
	case f.csv && a.cfg.JSON:
		return nil, errors.New("--csv and --json: choose one of the two")
	case f.top < 0 || f.top > 1000:
		return nil, fmt.Errorf("--top %d: 0 to 1000 changes can be shown; --csv has everybody", f.top)
	}
	text, err := os.ReadFile(f.campaign)
	if err != nil {
		return nil, fmt.Errorf("campaign file: %w", err)
	}
	campaign, err := schemas.ParseCampaign(f.campaign, text)
	if err != nil {
		return nil, err
	}
	keys, err := a.cfg.loadCodeKeys()
	if err != nil {
		return nil, err
	}
	opts, err := a.cfg.kafkaOptions()
	if err != nil {
		return nil, err
	}
	log, err := topiclog.Dial(ctx, topiclog.Config{Brokers: a.cfg.Brokers, Prefix: a.cfg.Prefix, Options: opts, FetchBytes: whatIfFetchBytes})
	if err != nil {
		return nil, err
	}
	defer log.Close()
	starts, err := log.Starts(ctx, schemas.TopicFacts)
	if err != nil {
		return nil, err
	}
	count := int32(len(starts[schemas.TopicFacts])) //nolint:gosec // partitions are few
	dir, err := os.MkdirTemp("", "hongbao-whatif-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	scratch, err := eventstore.Open(eventstore.Config{Dir: dir, Partitions: count, Logger: a.log})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()

	w := replay.NewWhatIf(replay.WhatIfConfig{
		Log: log, Scratch: scratch, Campaign: campaign, Keys: keys, KeepPrefix: f.keepPrefix,
		Limit: admission.Limit{Count: a.cfg.ShareLimit.Count, WindowMS: a.cfg.ShareLimit.Window.Milliseconds()},
	})
	began := time.Now()
	stop := a.everySecond(ctx, func() {
		done, all := w.Progress()
		fmt.Fprintf(a.errOut, "replay: %d of %d events, %s\n", done, all, pace(done, all, began, "events"))
	})
	report, err := w.Run(ctx)
	stop()
	if err != nil {
		return nil, err
	}
	report.Largest = report.Largest[:min(f.top, len(report.Largest))]
	answer := &whatIfAnswer{WhatIfReport: report, Seconds: time.Since(began).Seconds(), PeakRSS: peakRSS()}
	answer.EventsPS = float64(report.Events) / max(answer.Seconds, 1e-3)
	return answer, nil
}

func (r *whatIfAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "campaign %d: versions %d as decided, version %d as given\n", r.Campaign, r.VersionsBefore, r.Version)
	fmt.Fprintf(w, "%d events judged again, %d of them accepted in one history alone; %d verdicts kept; %d of other campaigns\n\n", r.Events-r.Kept, r.Changed, r.Kept, r.OtherCampaigns)
	fmt.Fprintf(w, "%-24s %12s %12s\n", "verdict", "before", "after")
	names := slices.Sorted(maps.Keys(r.Before))
	for name := range r.After {
		if _, ok := r.Before[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "%-24s %12d %12d\n", name, r.Before[name], r.After[name])
	}
	fmt.Fprintf(w, "\n%-16s %-16s %9s %9s %16s %16s %16s\n", "rule", "coupon", "before", "after", "value before", "value after", "change")
	for _, d := range r.Rules {
		fmt.Fprintf(w, "%-16s %-16s %9d %9d %16s %16s %16s\n", d.Rule, d.Coupon, d.BeforeCount, d.AfterCount,
			money(d.BeforeMinor, d.Currency), money(d.AfterMinor, d.Currency), money(d.DeltaMinor, d.Currency))
	}
	for _, t := range r.Totals {
		fmt.Fprintf(w, "%-16s %-16s %9d %9d %16s %16s %16s   %d users get more, %d less\n", "total", "", t.BeforeCount, t.AfterCount,
			money(t.BeforeMinor, t.Currency), money(t.AfterMinor, t.Currency), money(t.DeltaMinor, t.Currency), t.UsersMore, t.UsersLess)
	}
	for _, s := range r.Stock {
		if s.Granted > s.Declared {
			fmt.Fprintf(w, "coupon %s: %d granted, %d declared: the latest %d would fail for want of stock\n", s.Coupon, s.Granted, s.Declared, s.Granted-s.Declared)
		}
	}
	if len(r.Largest) > 0 {
		fmt.Fprintf(w, "\n%-20s %16s %16s %16s\n", "largest changes", "before", "after", "change")
	}
	for _, u := range r.Largest {
		fmt.Fprintf(w, "%-20d %16s %16s %16s\n", u.User, money(u.BeforeMinor, u.Currency), money(u.AfterMinor, u.Currency), money(u.DeltaMinor, u.Currency))
	}
	fmt.Fprintf(w, "\n%.2f s, %.0f events/s; peak memory %d MB\n", r.Seconds, r.EventsPS, r.PeakRSS>>20)
}

// money is an amount of hundredths with its currency.
func money(minor int64, currency string) string {
	sign := ""
	if minor < 0 {
		sign, minor = "-", -minor
	}
	return fmt.Sprintf("%s%d.%02d %s", sign, minor/100, minor%100, currency)
}

// printGrants is the form of --csv.
func printGrants(to io.Writer, rows []replay.Row) error {
	w := csv.NewWriter(to)
	if err := w.Write([]string{"user", "rule", "coupon", "currency", "before_count", "after_count", "before_minor", "after_minor", "delta_minor"}); err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		line := []string{strconv.FormatInt(r.User, 10), r.Rule, r.Coupon, r.Currency}
		for _, n := range []int64{r.BeforeCount, r.AfterCount, r.BeforeMinor, r.AfterMinor, r.Delta()} {
			line = append(line, strconv.FormatInt(n, 10))
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
