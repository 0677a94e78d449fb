package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// benchReplayAnswer is what `bench replay --json` prints.
type benchReplayAnswer struct {
	Facts  replayed `json:"facts"`
	Events judged   `json:"events"`
}

// replayed is what one `replay` said of itself; CPU is that of its process, the broker's not counted.
type replayed struct {
	N         int64   `json:"facts"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"facts_per_s"`
	CPU       float64 `json:"cpu_us_per_fact"`
	PeakRSS   int64   `json:"peak_rss_bytes"`
}

// judged is what one `replay events` said of itself.
type judged struct {
	N         int64   `json:"events"`
	Changed   int64   `json:"changed"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"events_per_s"`
	PeakRSS   int64   `json:"peak_rss_bytes"`
}

func newBenchReplayCommand(a *app) *cobra.Command {
	b := &bench{app: a, spent: &spentTopics{}}
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "How fast replay folds facts into an empty directory, and judges events again under another campaign",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			defer func() { err = errors.Join(err, b.sweep(cmd.Context())) }()
			var answer benchReplayAnswer
			if err := b.on(cmd.Context(), func(ctx context.Context) error {
				if _, err := b.drain(ctx); err != nil {
					return err
				}
				return b.replays(ctx, &answer)
			}); err != nil {
				return err
			}
			return a.answer(&answer, answer.print)
		},
	}
	b.flags(cmd, 1_000_000)
	return cmd
}

// replays runs the two replays, each as a process of its own.
func (b *bench) replays(ctx context.Context, a *benchReplayAnswer) error {
	if err := b.self(ctx, &a.Facts, "replay", "--into", filepath.Join(b.dir, "rebuilt"), "--data", b.cfg.Data, "--group", b.cfg.Group); err != nil {
		return err
	}
	other := bytes.Replace(benchCampaign, []byte("version: 1"), []byte("version: 2"), 1)
	other = bytes.Replace(other, []byte("every: 10"), []byte("every: 5"), 1)
	file := filepath.Join(b.dir, "other.yaml")
	if err := os.WriteFile(file, other, 0o600); err != nil {
		return err
	}
	return b.self(ctx, &a.Events, "replay", "events", "--campaign", file)
}

// self runs this binary with this process's settings, and reads the JSON that it prints.
func (b *bench) self(ctx context.Context, answer any, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args = append(args, "--json", "--brokers", strings.Join(b.cfg.Brokers, ","), "--prefix", b.cfg.Prefix)
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // this very binary, with this process's own settings
	cmd.Env, cmd.Stderr = b.env, b.errOut
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return json.Unmarshal(out, answer)
}

func (a *benchReplayAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "%d facts folded into an empty directory in %.2f s: %.0f facts/s, %.2f us of CPU per fact; peak memory %d MB\n",
		a.Facts.N, a.Facts.Seconds, a.Facts.PerSecond, a.Facts.CPU, a.Facts.PeakRSS>>20)
	fmt.Fprintf(w, "%d events judged again under another campaign in %.2f s: %.0f events/s; peak memory %d MB\n",
		a.Events.N, a.Events.Seconds, a.Events.PerSecond, a.Events.PeakRSS>>20)
}
