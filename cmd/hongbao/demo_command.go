package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"hongbao/internal/cascade"
	"hongbao/internal/embedded"
	"hongbao/internal/topiclog"
	"hongbao/internal/verify"
)

// demoPatience bounds a demo with generated events, which needs some ten seconds.
const demoPatience = 5 * time.Minute

// demoAnswer is what `demo --json` prints.
type demoAnswer struct {
	*verify.Report
	TopInviters []demoInviter `json:"top_inviters"`
	Seconds     float64       `json:"seconds"`
	EventsPerS  float64       `json:"events_per_s"` // from the first event sent to the last verdict
}

type demoInviter struct {
	User   int64 `json:"user"`
	Chain  int64 `json:"chain"`
	Direct int32 `json:"direct"`
	Total  int32 `json:"total"` // within max_depth hops
}

func newDemoCommand(a *app) *cobra.Command {
	var d demo
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play a viral campaign on an embedded Kafka and Redis and show what happened",
		Long: `Start an embedded Kafka and Redis, run the pipeline on them, send a campaign of real shape and wait until its last coupon
is issued. Nothing but this binary is needed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context(), a) },
	}
	cmd.Flags().StringVar(&d.zip, "cascades", "", "play the cascades of this zip instead of generated ones")
	cmd.Flags().Uint64Var(&d.seed, "seed", 1, "of the generated campaign")
	cmd.Flags().BoolVar(&d.stay, "stay", false, "keep everything up afterwards, until interrupted, so that your own producer can join in")
	return cmd
}

// demo is one play.
type demo struct {
	zip  string
	seed uint64
	stay bool
}

func (d *demo) run(ctx context.Context, a *app) (err error) {
	dir, err := os.MkdirTemp("", "hongbao-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	parts, err := embedded.Start(embedded.Config{Dir: filepath.Join(dir, "broker"), Partitions: partitions})
	if err != nil {
		return err
	}
	defer parts.Close()
	a.cfg = onParts(&a.cfg, parts.Brokers(), parts.RedisAddr(), filepath.Join(dir, "data"))
	log, err := a.dialTopics(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	if _, err := log.Create(ctx, topiclog.Options{Partitions: partitions, Dev: true}); err != nil {
		return err
	}
	p, err := newPipeline(&a.cfg, "", nil, a.log, prometheus.NewRegistry())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close.Close()) }()
	err = runBeside(ctx, p.x.Run, func(ctx context.Context) error {
		if err := d.play(ctx, a, log); err != nil {
			return err
		}
		if !d.stay {
			return errPlayed
		}
		fmt.Fprintf(a.errOut, "Kafka is on %s, Redis on %s; interrupt to end.\n", a.cfg.Brokers[0], a.cfg.Redis)
		<-ctx.Done()
		return nil
	})
	if errors.Is(err, errPlayed) {
		return nil
	}
	return err
}

// onParts is the configuration of a demo: names and keys as given, so that other commands find it, but parts, connections
// and rules of its own, whatever environment and file say of a Kafka elsewhere.
func onParts(c *Config, brokers []string, redis, data string) Config {
	d := defaultConfig(c.Instance)
	d.Brokers, d.Redis, d.Data = brokers, redis, data
	d.Group, d.Prefix, d.CodeKeys = c.Group, c.Prefix, c.CodeKeys
	d.JSON, d.LogFormat, d.LogLevel = c.JSON, c.LogFormat, c.LogLevel
	return d
}

// errPlayed ends the pipeline beside a demo that is over.
var errPlayed = errors.New("the demo is over")

// play sends the events and waits until every one has its verdict and every coupon its end.
func (d *demo) play(ctx context.Context, a *app, log *topiclog.Client) error {
	records, total, err := d.stream(a)
	if err != nil {
		return err
	}
	began := time.Now()
	s := &sender{log: log, bar: newBar(a.errOut, total, "sending")}
	sent, err := s.send(ctx, records)
	if err != nil {
		return err
	}
	if d.zip == "" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, demoPatience)
		defer cancel()
	}
	answer, err := d.wait(ctx, a, log, began, sent)
	if err != nil {
		return err
	}
	if err := a.answer(answer, answer.print); err != nil || answer.OK {
		return err
	}
	return errFailed
}

func (d *demo) stream(a *app) (iter.Seq[*cascade.Record], int64, error) {
	cfg, err := a.cascadeConfig(&loadFlags{campaign: 1})
	if err != nil {
		return nil, 0, err
	}
	if d.zip != "" {
		cascades, err := cascade.ReadZip(d.zip)
		if err != nil {
			return nil, 0, err
		}
		records, counts, err := cascade.Records(cascades, cfg)
		if err != nil {
			return nil, 0, err
		}
		return records, counts.Records, nil
	}
	s, err := cascade.Demo(d.seed, cfg)
	if err != nil {
		return nil, 0, err
	}
	return s.Records(), 0, nil
}

// wait looks at the topics, as an auditor would, until nothing is in flight.
func (d *demo) wait(ctx context.Context, a *app, log *topiclog.Client, began time.Time, sent int64) (*demoAnswer, error) {
	keys, err := a.cfg.loadCodeKeys()
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	var judged time.Time
	for {
		answer := &demoAnswer{}
		top := &topInviters{}
		r, err := verify.Run(ctx, verify.Config{Log: verify.OnKafka(log), Group: a.cfg.GroupID(), Keys: keys, Users: top.add})
		if err != nil {
			return nil, err
		}
		if judged.IsZero() && r.Events >= sent {
			judged = time.Now()
		}
		if r.OK || r.BrokenTotal > 0 {
			answer.Report, answer.TopInviters, answer.Seconds = r, top.best, time.Since(began).Seconds()
			answer.EventsPerS = float64(r.Events) / judged.Sub(began).Seconds()
			return answer, nil
		}
		fmt.Fprintf(a.errOut, "%d events judged, %d joins, %d records wait, coupons %v\n", r.Events, r.JoinsAccepted, r.Lag, r.Coupons)
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the demo did not end in time: lag %d, open coupons %d: %w", r.Lag, r.Open, ctx.Err())
		case <-tick.C:
		}
	}
}

// topInviters keeps the ten with the most direct joins; ties go to the lower id (domain.md section 1).
type topInviters struct{ best []demoInviter }

func (t *topInviters) add(u verify.User) {
	if u.Direct == 0 {
		return
	}
	t.best = append(t.best, demoInviter{User: u.ID, Chain: u.Chain, Direct: u.Direct, Total: u.Total})
	slices.SortFunc(t.best, func(a, b demoInviter) int {
		return cmp.Or(cmp.Compare(b.Direct, a.Direct), cmp.Compare(a.User, b.User))
	})
	t.best = t.best[:min(len(t.best), 10)]
}

func (d *demoAnswer) print(w io.Writer) {
	_ = d.Report.Print(w) // an unwritable terminal is nobody's loss
	fmt.Fprintf(w, "\n%-20s %-20s %8s %8s\n", "top inviters", "chain", "direct", "total")
	for _, t := range d.TopInviters {
		fmt.Fprintf(w, "%-20d %-20d %8d %8d\n", t.User, t.Chain, t.Direct, t.Total)
	}
	fmt.Fprintf(w, "\n%d events in %.1f s, %.0f events/s until the last verdict\n", d.Events, d.Seconds, d.EventsPerS)
}
