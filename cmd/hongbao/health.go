package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"hongbao/internal/telemetry"
)

// healthTimeout bounds the question: an instance that needs longer is not well.
const healthTimeout = 5 * time.Second

func newHealthCommand(a *app) *cobra.Command {
	var ready bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the instance on this machine how it is; for container health checks",
		Long: `Ask the instance on this machine, at --listen, how it is.
Exit code 0: it answers and can go on, or, with --ready, it is ready. 1: it does not, with its reasons.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			ok, answer, err := askHealth(cmd.Context(), "http://"+a.cfg.Listen+path)
			if err != nil {
				return err
			}
			if err := a.answer(answer, func(w io.Writer) { printHealth(w, answer) }); err != nil || ok {
				return err
			}
			return errFailed
		},
	}
	addFlags(cmd.Flags(), "listen")
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it is ready, not only alive")
	return cmd
}

func askHealth(ctx context.Context, url string) (ok bool, answer telemetry.Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, answer, fmt.Errorf("ask %s: %w", url, err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return false, answer, fmt.Errorf("no instance answers: %w", err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return false, answer, fmt.Errorf("%s does not answer like an instance of hongbao: %w", url, err)
	}
	return resp.StatusCode == http.StatusOK, answer, nil
}

func printHealth(w io.Writer, answer telemetry.Answer) {
	fmt.Fprintln(w, answer.Status)
	for _, f := range answer.Findings {
		fmt.Fprintf(w, "  %s: %s\n", f.Check, f)
	}
}
