package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"hongbao/internal/admin"
	"hongbao/internal/admission"
	"hongbao/internal/telemetry"
	"hongbao/internal/topiclog"
	"hongbao/processor"
)

func newRunCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Process invite events: one instance of the group",
		Long: `Process invite events as one instance of --group. Instances share the partitions; start as many as there are machines.
SIGTERM finishes what is under way, publishes it and leaves the group; a second one ends the process at once, which loses nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context()) },
	}
	addFlags(cmd.Flags(), "listen", "code-keys", "campaigns", "pin", "sync", "sync-every", "share-limit-count", "share-limit-window", "issue-rate", "open-max", "topic-partitions")
	return cmd
}

// serve runs the pipeline, its health pages and its admin API until ctx ends or the instance is drained.
func (a *app) serve(ctx context.Context) error {
	if err := a.checkTopics(ctx); err != nil {
		return err
	}
	if err := a.checkRedis(ctx); err != nil {
		return err
	}
	reg := telemetry.NewRegistry(buildVersion().Version)
	checks := &telemetry.Checks{}
	server, err := telemetry.Listen(telemetry.ServerConfig{Listen: a.cfg.Listen, Gatherer: reg, Checks: checks, Logger: a.log})
	if err != nil {
		return err
	}
	p, err := newPipeline(&a.cfg, server.Addr(), a.claims, a.log, reg)
	if err != nil {
		return errors.Join(err, server.Close())
	}
	watch(checks, p.x)
	ctx, drain := context.WithCancel(ctx)
	defer drain()
	admin.Register(server, admin.Config{
		Instance: &instance{x: p.x, cfg: &a.cfg, address: server.Addr()}, Partitions: a.cfg.partitions(), Drain: drain, Logger: a.log,
	})
	a.log.Info("hongbao runs", "instance", a.cfg.Instance, "group", a.cfg.GroupID(), "brokers", a.cfg.Brokers, "redis", a.cfg.Redis, "health", server.Addr())
	err = runBeside(ctx, server.Run, p.x.Run)
	return errors.Join(err, p.close.Close())
}

// runBeside runs both until ctx ends or one of them fails; either ends the other.
func runBeside(ctx context.Context, runs ...func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, run := range runs {
		g.Go(func() error { return run(ctx) })
	}
	return g.Wait()
}

// checkTopics refuses to start on topics whose settings would lose records.
func (a *app) checkTopics(ctx context.Context) error {
	log, err := a.dialTopics(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	found, err := log.Check(ctx, topiclog.Options{Partitions: a.cfg.partitions(), Dev: a.cfg.DevMode()})
	if err != nil || len(found) == 0 {
		return err
	}
	var lines []string
	for _, f := range found {
		lines = append(lines, f.String())
	}
	return fmt.Errorf("the topics are not as they must be; `hongbao topics create` makes missing ones:\n  %s", strings.Join(lines, "\n  "))
}

func (a *app) dialTopics(ctx context.Context) (*topiclog.Client, error) {
	opts, err := a.cfg.kafkaOptions()
	if err != nil {
		return nil, err
	}
	return topiclog.Dial(ctx, topiclog.Config{Brokers: a.cfg.Brokers, Prefix: a.cfg.Prefix, Options: opts})
}

// watch turns the processor's state into findings of health and readiness.
func watch(checks *telemetry.Checks, x *processor.Processor) {
	checks.Health("partitions", func() []telemetry.Finding {
		var found []telemetry.Finding
		for _, s := range x.Status().Stopped {
			found = append(found, telemetry.Finding{Partition: s.Partition, Rule: s.Rule, Expected: s.Expected, Found: s.Found, Do: s.Remedy})
		}
		return found
	})
	checks.Ready("ownership", func() []telemetry.Finding {
		s := x.Status()
		if len(s.Owned) > 0 && len(s.Working)+len(s.Stopped) >= len(s.Owned) {
			return nil
		}
		return []telemetry.Finding{{
			Partition: telemetry.NoPartition, Rule: "X5", Expected: "every owned partition to be taken over",
			Found: fmt.Sprintf("%d owned, %d working", len(s.Owned), len(s.Working)), Do: "wait: takeover and restore are under way; the log shows their progress",
		}}
	})
	checks.Ready("redis", func() []telemetry.Finding {
		s := x.Status()
		if s.Gate.State == admission.Ready {
			return nil
		}
		return []telemetry.Finding{{
			Partition: telemetry.NoPartition, Rule: "X10", Expected: "Redis to answer and to hold every partition's claims",
			Found: s.Gate.Sentence, Do: "bring Redis back, and see that every partition has an owner; nothing is lost meanwhile",
		}}
	})
}
