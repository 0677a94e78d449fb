package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server until the test ends and fails the test if it ends badly.
func serve(t *testing.T, checks *Checks, routes func(*Server)) (base string, stop func()) {
	t.Helper()
	s, err := Listen(ServerConfig{Listen: "127.0.0.1:0", Gatherer: NewRegistry("v1"), Checks: checks})
	if err != nil {
		t.Fatal(err)
	}
	if routes != nil {
		routes(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run after its context ended: %v", err)
		}
	}
	t.Cleanup(stop)
	return "http://" + s.Addr(), stop
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

var (
	stoppedPartition = Finding{
		Partition: 3, Rule: "X5d", Expected: "fact with seq 17", Found: "end of the topic",
		Do: "restore the topic, or run: hongbao topics adopt 3",
	}
	restoring  = Finding{Partition: 1, Rule: "X5e", Expected: "state at seq 900", Found: "seq 450", Do: "wait"}
	storeGone  = Finding{Partition: NoPartition, Rule: "X2", Expected: "a writable store", Found: "no space left on device", Do: "make room", Fatal: true}
	answerName = map[string]int{"ok": 200, "degraded": 200, "failed": 503, "ready": 200, "not ready": 503}
)

// Invariant 4: what /healthz and /readyz say, and with which code.
func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		health, ready         []Finding
		wantHealth, wantReady string
		wantFindings          int // of readiness
	}{
		"nothing wrong":                          {nil, nil, "ok", "ready", 0},
		"a stopped partition keeps the process":  {[]Finding{stoppedPartition}, nil, "degraded", "not ready", 1},
		"restoring is health and no readiness":   {nil, []Finding{restoring}, "ok", "not ready", 1},
		"a fatal finding asks for a restart":     {[]Finding{stoppedPartition, storeGone}, nil, "failed", "not ready", 2},
		"both kinds of findings add up on ready": {[]Finding{stoppedPartition}, []Finding{restoring}, "degraded", "not ready", 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var checks Checks
			checks.Health("partitions", func() []Finding { return test.health })
			checks.Ready("restore", func() []Finding { return test.ready })
			base, _ := serve(t, &checks, nil)
			for path, want := range map[string]string{"/healthz": test.wantHealth, "/readyz": test.wantReady} {
				code, body := get(t, base+path)
				var got Answer
				if err := json.Unmarshal([]byte(body), &got); err != nil {
					t.Fatalf("%s: %v in %q", path, err, body)
				}
				if got.Status != want || code != answerName[want] {
					t.Errorf("%s: got %q with %d, want %q with %d", path, got.Status, code, want, answerName[want])
				}
				if path == "/readyz" && len(got.Findings) != test.wantFindings {
					t.Errorf("%s: got %d findings, want %d: %s", path, len(got.Findings), test.wantFindings, body)
				}
			}
		})
	}
}

// Invariant 3: a finding carries everything that a person needs, in the answer and in the log line.
func TestFindingSaysWhatToDo(t *testing.T) {
	t.Parallel()
	var checks Checks
	checks.Health("partitions", func() []Finding { return []Finding{stoppedPartition, storeGone} })
	base, _ := serve(t, &checks, nil)
	_, body := get(t, base+"/healthz")
	for _, want := range []string{
		`"check":"partitions"`, `"partition":3`, `"rule":"X5d"`, `"expected":"fact with seq 17"`,
		`"found":"end of the topic"`, `"do":"restore the topic, or run: hongbao topics adopt 3"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("answer lacks %s: %s", want, body)
		}
	}
	if strings.Index(body, `"X2"`) > strings.Index(body, `"X5d"`) {
		t.Errorf("the instance's finding comes after a partition's: %s", body)
	}
	sentence := "partition 3: rule X5d: expected fact with seq 17, found end of the topic; restore the topic, or run: hongbao topics adopt 3"
	if got := stoppedPartition.String(); got != sentence {
		t.Errorf("sentence:\n got %s\nwant %s", got, sentence)
	}
	if got := storeGone.String(); strings.Contains(got, "partition") {
		t.Errorf("a finding of the instance names a partition: %s", got)
	}
}

func TestTwoChecksOfOneName(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("the second check named lease was taken")
		}
	}()
	var checks Checks
	checks.Health("lease", func() []Finding { return nil })
	checks.Ready("lease", func() []Finding { return nil })
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	base, _ := serve(t, &Checks{}, nil)
	code, body := get(t, base+"/metrics")
	if code != http.StatusOK {
		t.Errorf("got code %d", code)
	}
	for _, want := range []string{`hongbao_build_info{go_version="go1.`, `version="v1"} 1`, "go_goroutines ", "process_cpu_seconds_total "} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
}

// Two registries live in one process: nothing is registered globally (invariant 1).
func TestRegistriesAreApart(t *testing.T) {
	t.Parallel()
	for range 2 {
		NewRegistry("v1").MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "hongbao_steps_total", Help: "x"}))
	}
}

func TestRunLetsARequestFinish(t *testing.T) {
	t.Parallel()
	arrived, proceed := make(chan struct{}), make(chan struct{})
	base, stop := serve(t, &Checks{}, func(s *Server) {
		s.Handle("GET /slow", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(arrived)
			<-proceed
			_, _ = io.WriteString(w, "done")
		}))
	})
	answered := make(chan string, 1)
	go func() {
		_, body := get(t, base+"/slow")
		answered <- body
	}()
	<-arrived
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(proceed)
	if got := <-answered; got != "done" {
		t.Errorf("the request got %q, want it to finish", got)
	}
	<-stopped
}

func TestListenRefusals(t *testing.T) {
	t.Parallel()
	taken, err := Listen(ServerConfig{Listen: "127.0.0.1:0", Gatherer: NewRegistry("v1"), Checks: &Checks{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for address, want := range map[string]string{
		"0.0.0.0:0":      "not on loopback",
		":9180":          "not on loopback",
		"example.com:80": "not on loopback",
		"9180":           "not host:port",
		taken.Addr():     "address already in use",
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			s, err := Listen(ServerConfig{Listen: address, Gatherer: NewRegistry("v1"), Checks: &Checks{}})
			if err == nil {
				_ = s.Close()
				t.Fatal("listens")
			}
			if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), address) {
				t.Errorf("got %q, want %q and the address in it", err, want)
			}
		})
	}
	if _, err := Listen(ServerConfig{Listen: "127.0.0.1:0"}); err == nil {
		t.Error("a server without gatherer and checks was made")
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		cfg       LogConfig
		want, err string
	}{
		"default":       {LogConfig{}, "level=INFO msg=moved partition=3\n", ""},
		"text":          {LogConfig{Format: "text"}, "level=INFO msg=moved partition=3\n", ""},
		"json":          {LogConfig{Format: "JSON"}, `"level":"INFO","msg":"moved","partition":3}` + "\n", ""},
		"below level":   {LogConfig{Level: "warn"}, "", ""},
		"debug":         {LogConfig{Level: "debug"}, "level=INFO", ""},
		"no such level": {LogConfig{Level: "loud"}, "", `log level "loud": it is debug, info, warn or error`},
		"no such form":  {LogConfig{Format: "xml"}, "", `log format "xml": it is text or json`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			log, err := NewLogger(&out, test.cfg)
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Fatalf("got error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			log.Info("moved", "partition", 3)
			if got := out.String(); !strings.HasSuffix(got, test.want) && !strings.Contains(got, test.want) || (test.want == "") != (got == "") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
