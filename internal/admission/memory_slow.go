package admission

import (
	"context"
	"errors"
	"time"
)

// slowServer lets the calls of a Memory take as long as SetSlow says. One that takes longer than a client of Redis waits fails, although the
// script has run.
type slowServer struct {
	server

	memory *Memory
}

// readTimeout is how long an answer is waited for.
const readTimeout = 2 * time.Second

var errMemorySlow = errors.New("admission: the memory server has not answered in time")

// SetSlow makes every answer come d after the script has run, until it is called with 0.
func (m *Memory) SetSlow(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slow = d
}

// answer waits as long as an answer takes.
func (s *slowServer) answer(ctx context.Context) error {
	s.memory.mu.Lock()
	d := s.memory.slow
	if d > 0 {
		s.memory.calls.Late++
	}
	s.memory.mu.Unlock()
	if d == 0 {
		return nil
	}
	t := time.NewTimer(min(d, readTimeout))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if d > readTimeout {
		return errMemorySlow
	}
	return nil
}

func (s *slowServer) begin(ctx context.Context, expect, head string, partitions int32) (sight, error) {
	at, err := s.server.begin(ctx, expect, head, partitions)
	if err == nil {
		err = s.answer(ctx)
	}
	return at, err
}

func (s *slowServer) mark(ctx context.Context, e epoch, p int32) (sight, error) {
	at, err := s.server.mark(ctx, e, p)
	if err == nil {
		err = s.answer(ctx)
	}
	return at, err
}

func (s *slowServer) admit(ctx context.Context, e epoch, b *batch) (bool, error) {
	ok, err := s.server.admit(ctx, e, b)
	if err == nil {
		err = s.answer(ctx)
	}
	return ok && err == nil, err
}

func (s *slowServer) release(ctx context.Context, rs []release) (int64, error) {
	n, err := s.server.release(ctx, rs)
	if err == nil {
		err = s.answer(ctx)
	}
	return n, err
}

func (s *slowServer) claims(ctx context.Context, e epoch, p *page) (string, bool, error) {
	met, ok, err := s.server.claims(ctx, e, p)
	if err == nil {
		err = s.answer(ctx)
	}
	return met, ok && err == nil, err
}

func (s *slowServer) shares(ctx context.Context, e epoch, p *page) (bool, error) {
	ok, err := s.server.shares(ctx, e, p)
	if err == nil {
		err = s.answer(ctx)
	}
	return ok && err == nil, err
}
