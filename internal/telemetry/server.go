package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of the server. A request is a line or two; an answer may be large (metrics,
// queries of other rooms) and slow on a busy machine.
const (
	headerTimeout   = 5 * time.Second
	idleTimeout     = time.Minute
	shutdownTimeout = 3 * time.Second
	maxHeaderBytes  = 16 << 10
)

// ServerConfig says where the server listens and what it serves.
type ServerConfig struct {
	// Listen is host:port on loopback; port 0 takes a free one. Required.
	Listen string
	// Gatherer is asked for /metrics. Required.
	Gatherer prometheus.Gatherer
	// Checks are asked for /healthz and /readyz. Required.
	Checks *Checks
	// Logger gets what goes wrong while serving. Default: none.
	Logger *slog.Logger
}

// Validate answers in a sentence what is wrong.
func (c ServerConfig) Validate() error {
	if c.Gatherer == nil || c.Checks == nil {
		return errors.New("telemetry: a server needs a gatherer and checks")
	}
	return CheckListen(c.Listen)
}

// CheckListen refuses an address that is not host:port on loopback (invariant 2).
func CheckListen(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port, e.g. 127.0.0.1:9180", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not on loopback; the server takes commands without authentication, so it listens on 127.0.0.1, [::1] or localhost only", address)
	}
	return nil
}

// Server serves /metrics, /healthz, /readyz and what other rooms add.
type Server struct {
	mux      *http.ServeMux
	server   *http.Server
	listener net.Listener
	log      *slog.Logger
}

// Listen takes the address at once, so that a port in use is known before anything else starts.
// The server answers from Run on; a Server that is never run wants Close.
func Listen(cfg ServerConfig) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics and health on %s: %w", cfg.Listen, err)
	}
	mux := http.NewServeMux()
	s := &Server{mux: mux, listener: listener, log: cfg.Logger, server: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelWarn),
	}}
	mux.Handle("GET /metrics", promhttp.HandlerFor(cfg.Gatherer, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelError),
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, healthOf(cfg.Checks.findings(false)))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, readinessOf(cfg.Checks.findings(true)))
	})
	return s, nil
}

// Handle adds a route before Run; the pattern is http.ServeMux's and must be new.
func (s *Server) Handle(pattern string, handler http.Handler) { s.mux.Handle(pattern, handler) }

// Addr is the address that clients dial, host:port, with the port that was taken.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close gives up an address that was taken by Listen and will not be served.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx ends, then lets running requests finish for up to 3 s. Its error is
// nil after ctx ended; any other end is an error.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve metrics and health on %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := s.server.Shutdown(stop); err != nil {
		s.log.Warn("requests were cut off at shutdown", "addr", s.Addr(), "err", err)
		_ = s.server.Close() // its error is that of closing a listener that Shutdown has closed
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics and health on %s: %w", s.Addr(), err)
	}
	return nil
}

// Answer is the body of /healthz and /readyz. Its names are a contract.
type Answer struct {
	Status   string    `json:"status"` // ok, degraded or failed; ready or not ready
	Findings []Finding `json:"findings"`

	code int
}

// healthOf keeps invariant 4: only a fatal finding asks for a restart.
func healthOf(found []Finding) Answer {
	status := Answer{Status: "ok", Findings: found, code: http.StatusOK}
	for _, f := range found {
		if f.Fatal {
			return Answer{Status: "failed", Findings: found, code: http.StatusServiceUnavailable}
		}
		status.Status = "degraded"
	}
	return status
}

func readinessOf(found []Finding) Answer {
	if len(found) > 0 {
		return Answer{Status: "not ready", Findings: found, code: http.StatusServiceUnavailable}
	}
	return Answer{Status: "ready", Findings: found, code: http.StatusOK}
}

func (s *Server) answer(w http.ResponseWriter, a Answer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(a.code)
	if err := json.NewEncoder(w).Encode(a); err != nil {
		s.log.Debug("a client left before its answer", "err", err)
	}
}
