package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strconv"
)

// Mux takes routes; a *telemetry.Server.
type Mux interface {
	Handle(pattern string, handler http.Handler)
}

// Config says what is served.
type Config struct {
	Instance   Instance
	Partitions int32
	Drain      func() // begins the shutdown; it does not wait
	Logger     *slog.Logger
}

// Register adds the routes, before the server runs.
func Register(mux Mux, cfg Config) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &server{cfg}
	s.handle(mux, "GET /v1/status", func(*http.Request) (any, error) { return cfg.Instance.Status(), nil })
	s.handle(mux, "GET /v1/partitions", func(r *http.Request) (any, error) { return cfg.Instance.Partitions(r.Context()) })
	s.handle(mux, "GET /v1/partitions/{p}", s.partition)
	s.handle(mux, "GET /v1/partitions/{p}/state-hash", s.stateHash)
	s.handle(mux, "POST /v1/partitions/{p}/swap", s.swap)
	s.handle(mux, "POST /v1/drain", s.drain)
}

type server struct{ Config }

// handle keeps A1 and A2 around a request.
func (s *server) handle(mux Mux, pattern string, answer func(*http.Request) (any, error)) {
	mux.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refusal := stranger(r); refusal != nil {
			s.write(w, refusal.Code, refusal)
			return
		}
		value, err := answer(r)
		if err == nil {
			s.write(w, http.StatusOK, value)
			return
		}
		refusal, ok := errors.AsType[*Refusal](err)
		if !ok {
			refusal = &Refusal{Sentence: err.Error(), Code: http.StatusInternalServerError}
		}
		s.write(w, refusal.Code, refusal)
	}))
}

// stranger keeps A1: the server listens on loopback, but a browser on this machine would carry a page's requests there.
func stranger(r *http.Request) *Refusal {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	ip := net.ParseIP(host)
	switch {
	case host != "localhost" && (ip == nil || !ip.IsLoopback()):
		return &Refusal{Sentence: fmt.Sprintf("host %q is not loopback; ask 127.0.0.1, [::1] or localhost", r.Host), Code: http.StatusForbidden}
	case r.Header.Get("Origin") != "":
		return &Refusal{Sentence: fmt.Sprintf("origin %q: web pages are not served", r.Header.Get("Origin")), Code: http.StatusForbidden}
	case r.Method != http.MethodPost:
		return nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &Refusal{Sentence: fmt.Sprintf("content type %q: a command is application/json", r.Header.Get("Content-Type")), Code: http.StatusForbidden}
	}
	return nil
}

func (s *server) write(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		s.Logger.Debug("a client left before its answer", "err", err)
	}
}

// number is the partition that the path names.
func (s *server) number(r *http.Request) (int32, error) {
	p, err := strconv.ParseInt(r.PathValue("p"), 10, 32)
	if err != nil || p < 0 || p >= int64(s.Partitions) {
		return 0, &Refusal{Sentence: fmt.Sprintf("partition %q: there are 0..%d", r.PathValue("p"), s.Partitions-1), Code: http.StatusNotFound}
	}
	return int32(p), nil
}

func (s *server) partition(r *http.Request) (any, error) {
	p, err := s.number(r)
	if err != nil {
		return nil, err
	}
	all, err := s.Instance.Partitions(r.Context())
	if err != nil {
		return nil, err
	}
	return all[p], nil
}

func (s *server) stateHash(r *http.Request) (any, error) {
	p, err := s.number(r)
	if err != nil {
		return nil, err
	}
	return s.Instance.StateHash(p)
}

func (s *server) swap(r *http.Request) (any, error) {
	p, err := s.number(r)
	if err != nil {
		return nil, err
	}
	s.Logger.Info("admin: swap", "partition", p)
	if err := s.Instance.Swap(r.Context(), p); err != nil {
		return nil, err
	}
	return Done{fmt.Sprintf("partition %d works on what lay in the shadow store", p)}, nil
}

func (s *server) drain(*http.Request) (any, error) {
	s.Logger.Info("admin: drain")
	s.Drain()
	return Done{"the instance finishes, publishes its tails, leaves the group and ends"}, nil
}
