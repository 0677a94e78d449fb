package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"hongbao/internal/admission"
	"hongbao/internal/telemetry"
)

// Exit codes (invariant 6).
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// process is what the operating system gave this process; tests give their own.
type process struct {
	args        []string // without the program's name
	env         []string // NAME=value
	hostname    func() (string, error)
	in          io.Reader
	out, errOut io.Writer
}

// app is what commands share. Its fields are set when a command's RunE is called.
type app struct {
	process

	cfg    Config
	source func(key string) string // what calls a setting by which name: "--redis", "default"
	log    *slog.Logger
	claims *admission.Memory // in Redis's place, for a bench alone
	ran    bool              // a command was called rightly; what fails from now on is not its usage
}

// errFailed ends a command with exit code 1 that has said on standard output what it found.
var errFailed = errors.New("the command found something wrong and has said so")

// run is the whole program but for signals. It returns the exit code.
func run(ctx context.Context, p process) int {
	a := &app{process: p, log: slog.New(slog.DiscardHandler)}
	root := newRootCommand(a)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errFailed):
		return exitFailed
	case a.ran:
		fmt.Fprintln(a.errOut, "hongbao:", err)
		return exitFailed
	default:
		fmt.Fprintf(a.errOut, "hongbao: %v\nhongbao --help shows the commands, hongbao COMMAND --help their flags.\n", err)
		return exitUsage
	}
}

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "hongbao",
		Short:         "Viral invite campaigns on Kafka: invite graph, rewards, coupons issued exactly once",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.prepare(cmd)
		},
	}
	root.SetArgs(a.args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errOut)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().String("config", "", "configuration file (YAML)")
	addFlagsOfEvery(root.PersistentFlags())
	root.AddCommand(
		newBenchCommand(a),
		newCampaignCommand(a),
		newCodeCommand(a),
		newConfigCommand(a),
		newDeadCommand(a),
		newDemoCommand(a),
		newHealthCommand(a),
		newHeldCommand(a),
		newLoadCommand(a),
		newReplayCommand(a),
		newRunCommand(a),
		newVerifyCommand(a),
		newTopicsCommand(a),
		newVersionCommand(a),
		newSettingsTopic(),
	)
	return root
}

// newGroup makes a command that only holds others. Alone it shows them; a word that is none of
// them is refused, where cobra would show the help page and be content.
func newGroup(use, short string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	group.AddCommand(commands...)
	return group
}

// prepare loads the configuration before a command runs.
func (a *app) prepare(cmd *cobra.Command) error {
	if err := setFlagsFromEnv(cmd.Flags(), a.env); err != nil {
		return err
	}
	layers, err := loadLayers(cmd.Flags(), a.env)
	if err != nil {
		return err
	}
	cfg, err := layers.config(a.hostname)
	if err != nil {
		return err
	}
	log, err := telemetry.NewLogger(a.errOut, telemetry.LogConfig{Format: cfg.LogFormat, Level: cfg.LogLevel})
	if err != nil {
		return err
	}
	a.cfg, a.source, a.log, a.ran = cfg, layers.source, log, true
	return nil
}

// answer prints what a command found: value as JSON with --json, else what text writes.
func (a *app) answer(value any, text func(io.Writer)) error {
	if !a.cfg.JSON {
		text(a.out)
		return nil
	}
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}
