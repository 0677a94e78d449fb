package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"hongbao/internal/telemetry"
)

// start runs the command as a process with these arguments and variables would.
func start(t *testing.T, env []string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e strings.Builder
	code = run(t.Context(), process{
		args: args, env: env, hostname: func() (string, error) { return "host-1", nil },
		in: strings.NewReader(""), out: &o, errOut: &e,
	})
	return code, o.String(), e.String()
}

func TestVersion(t *testing.T) {
	t.Parallel()
	code, out, errOut := start(t, nil, "version", "--json")
	var v versionAnswer
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitDone || errOut != "" {
		t.Fatalf("exit %d, %q, %q: %v", code, out, errOut, err)
	}
	if v.Version == "" || !strings.HasPrefix(v.Go, "go1.") || !strings.Contains(v.Platform, "/") {
		t.Errorf("got %+v", v)
	}
	if code, out, _ := start(t, nil, "version"); code != exitDone || !strings.HasPrefix(out, "hongbao ") {
		t.Errorf("as text: exit %d, %q", code, out)
	}
}

func TestHelpOfSettingsNamesEvery(t *testing.T) {
	t.Parallel()
	_, out, _ := start(t, nil, "help", "settings")
	for _, s := range settings() {
		name := s.key
		if s.secret {
			name = s.env
		}
		if !strings.Contains(out, "  "+name+" ") {
			t.Errorf("%s is missing", name)
		}
	}
}

// A command's own flags take their value from the environment too; the command line wins.
func TestOwnFlagFromEnvironment(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"default":      {nil, nil, "10"},
		"environment":  {[]string{"HONGBAO_BATCH_RATE=20"}, nil, "20"},
		"command line": {[]string{"HONGBAO_BATCH_RATE=20"}, []string{"--batch-rate", "30"}, "30"},
		"refused":      {[]string{"HONGBAO_BATCH_RATE=fast"}, nil, "HONGBAO_BATCH_RATE"},
	} {
		cmd := &cobra.Command{Use: "x"}
		cmd.Flags().Int("batch-rate", 10, "")
		if err := cmd.ParseFlags(test.args); err != nil {
			t.Fatal(err)
		}
		if err := setFlagsFromEnv(cmd.Flags(), test.env); err != nil {
			if !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%s: got refusal %q, want it to begin with %s", name, err, test.want)
			}
			continue
		}
		if got := cmd.Flag("batch-rate").Value.String(); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestHealthAsksTheInstance(t *testing.T) {
	t.Parallel()
	var checks telemetry.Checks
	checks.Health("partitions", func() []telemetry.Finding {
		return []telemetry.Finding{{Partition: 3, Rule: "X8", Expected: "seq 8", Found: "seq 9", Do: "restore"}}
	})
	server, err := telemetry.Listen(telemetry.ServerConfig{
		Listen: "127.0.0.1:0", Gatherer: telemetry.NewRegistry("v1"), Checks: &checks,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	// Alive: a stopped partition does not ask for a restart of its neighbours.
	code, out, _ := start(t, nil, "health", "--listen", server.Addr())
	if code != exitDone || !strings.HasPrefix(out, "degraded\n") {
		t.Errorf("alive: exit %d, %q", code, out)
	}
	code, out, _ = start(t, []string{"HONGBAO_LISTEN=" + server.Addr()}, "health", "--ready")
	if code != exitFailed || !strings.Contains(out, "partitions: partition 3: rule X8: expected seq 8, found seq 9; restore") {
		t.Errorf("ready: exit %d, %q", code, out)
	}
	code, out, _ = start(t, nil, "health", "--ready", "--json", "--listen", server.Addr())
	var answer telemetry.Answer
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != exitFailed || answer.Status != "not ready" {
		t.Errorf("ready as JSON: exit %d, %q, %v", code, out, err)
	}
}
