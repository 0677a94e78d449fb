package fsm

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// scripted is an Issuer of a few functions; nil ones are a MemoryIssuer's.
type scripted struct {
	*MemoryIssuer
	issue   func(ctx context.Context, requests []Request, results []Result) error
	lookup  func(ctx context.Context, keys []Key, results []Result) error
	issues  atomic.Int64
	lookups atomic.Int64
	asked   atomic.Int64 // requests in all calls of Issue
}

func (s *scripted) Issue(ctx context.Context, requests []Request, results []Result) error {
	s.issues.Add(1)
	s.asked.Add(int64(len(requests)))
	if s.issue != nil {
		return s.issue(ctx, requests, results)
	}
	return s.MemoryIssuer.Issue(ctx, requests, results)
}

func (s *scripted) Lookup(ctx context.Context, keys []Key, results []Result) error {
	s.lookups.Add(1)
	if s.lookup != nil {
		return s.lookup(ctx, keys, results)
	}
	return s.MemoryIssuer.Lookup(ctx, keys, results)
}

// unlimited grants whatever is asked.
type unlimited struct{}

func (unlimited) Take(_ context.Context, want int) (int, time.Duration, error) { return want, 0, nil }

// limiterFunc is a Limiter of one function.
type limiterFunc func(want int) (int, time.Duration, error)

func (f limiterFunc) Take(_ context.Context, want int) (int, time.Duration, error) { return f(want) }

// poolRun is a pool at work in a synctest bubble.
type poolRun struct {
	t      *testing.T
	pool   *Pool
	issuer *scripted
	cancel context.CancelFunc
	ended  chan error
	start  time.Time

	mu       sync.Mutex
	outcomes []Outcome
	at       []time.Duration // since start
}

// runPool starts a pool over an open MemoryIssuer with stock; change may alter both.
func runPool(t *testing.T, change func(s *scripted, c *PoolConfig)) *poolRun {
	t.Helper()
	memory, err := NewMemoryIssuer(testPartitions)
	if err != nil {
		t.Fatal(err)
	}
	r := &poolRun{t: t, issuer: &scripted{MemoryIssuer: memory}, ended: make(chan error, 1), start: time.Now()}
	place{fullIssuer: memory}.openAll(t)
	if err := memory.Declare(t.Context(), demoCampaign()); err != nil {
		t.Fatal(err)
	}
	cfg := PoolConfig{
		Issuer: r.issuer, Limiter: unlimited{}, Ready: func(*Task) bool { return true },
		Deliver: func(o Outcome) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.outcomes, r.at = append(r.outcomes, o), append(r.at, time.Since(r.start))
		},
	}
	if change != nil {
		change(r.issuer, &cfg)
	}
	if r.pool, err = NewPool(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() { r.ended <- r.pool.Run(ctx) }()
	return r
}

func (r *poolRun) submit(tasks ...Task) {
	r.t.Helper()
	for _, task := range tasks {
		if !r.pool.Submit(task) {
			r.t.Fatalf("task %d was not taken", task.Ticket)
		}
	}
}

// end stops the pool and returns all outcomes by ticket.
func (r *poolRun) end() map[uint64]Result {
	r.t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		r.t.Fatal(err)
	}
	byTicket := make(map[uint64]Result)
	for _, o := range r.outcomes {
		if _, twice := byTicket[o.Task.Ticket]; twice {
			r.t.Errorf("task %d was delivered twice", o.Task.Ticket)
		}
		byTicket[o.Task.Ticket] = o.Result
	}
	return byTicket
}

func demoTasks(n int) []Task {
	tasks := make([]Task, n)
	for i := range tasks {
		tasks[i] = Task{Request: demoRequest(uint64(i)), Partition: int32(i % testPartitions), Ticket: uint64(i)}
	}
	return tasks
}
