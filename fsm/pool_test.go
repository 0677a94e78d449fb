package fsm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

// TestPoolIssues: everything submitted is done, once, in batches.
func TestPoolIssues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runPool(t, func(_ *scripted, c *PoolConfig) { c.Batch = 50 })
		r.submit(demoTasks(1000)...)
		synctest.Wait()
		got := r.end()
		for ticket := range uint64(1000) {
			if got[ticket].Answer != Done {
				t.Errorf("task %d: %s, want done", ticket, got[ticket].Answer)
			}
		}
		if n := r.issuer.issues.Load(); n > 1000/4 {
			t.Errorf("%d calls for 1000 tasks: hardly any batches", n)
		}
		if s := r.pool.Stats(); s.Answers[Done] != 1000 || s.Queued != 0 || s.Failed != 0 || s.Calls != r.issuer.issues.Load() {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestPoolKeepsRate: 3000 tasks at 1000/s take three seconds, less the burst.
func TestPoolKeepsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runPool(t, func(_ *scripted, c *PoolConfig) {
			rate := Rate{PerSecond: 1000}
			fleet, err := NewMemoryLimiter(rate, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if c.Limiter, err = NewSmooth(fleet, rate, time.Now); err != nil {
				t.Fatal(err)
			}
		})
		r.submit(demoTasks(3000)...)
		time.Sleep(time.Minute)
		if got := r.end(); len(got) != 3000 {
			t.Fatalf("%d outcomes of 3000", len(got))
		}
		last := r.at[len(r.at)-1]
		if last < 2900*time.Millisecond || last > 3300*time.Millisecond {
			t.Errorf("the last of 3000 at 1000/s came after %s", last)
		}
	})
}

// TestPoolAsksReadinessLast: a lease that is lost while permits are awaited stops the
// task at the last moment, and only that one (X11, F6).
func TestPoolAsksReadinessLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lost atomic.Bool
		r := runPool(t, func(_ *scripted, c *PoolConfig) {
			c.Ready = func(task *Task) bool { return task.Partition != 1 || !lost.Load() }
			c.Limiter = limiterFunc(func(want int) (int, time.Duration, error) {
				lost.Store(true) // between the first look and the call
				return want, 0, nil
			})
		})
		r.submit(demoTasks(10)...)
		synctest.Wait()
		got := r.end()
		for ticket := range uint64(10) {
			want := Done
			if ticket%2 == 1 {
				want = NotSent
			}
			if got[ticket].Answer != want {
				t.Errorf("task %d: %s, want %s", ticket, got[ticket].Answer, want)
			}
		}
		if n := r.issuer.asked.Load(); n != 5 {
			t.Errorf("%d requests reached the issuer, want the 5 that were ready", n)
		}
	})
}

// TestPoolEndsAttempts: a call that hangs ends after 5 s with an unknown outcome.
func TestPoolEndsAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runPool(t, func(s *scripted, _ *PoolConfig) {
			s.issue = func(ctx context.Context, _ []Request, _ []Result) error { <-ctx.Done(); return ctx.Err() }
		})
		r.submit(demoTasks(1)...)
		time.Sleep(time.Minute)
		if got := r.end()[0]; got.Answer != Unknown || got.Detail != context.DeadlineExceeded.Error() {
			t.Errorf("%+v, want unknown by the deadline", got)
		}
		if r.at[0] != 5*time.Second {
			t.Errorf("delivered after %s, want 5s", r.at[0])
		}
	})
}

// TestPoolLooksUpLastAttempt: what became of the 4th attempt is asked by key before a
// coupon is given up (X11, F6).
func TestPoolLooksUpLastAttempt(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection cut")
	for _, c := range []struct {
		name    string
		happens bool
		issue   Answer
		lookup  error
		want    Answer
		wantOf3 Answer // the same at the 3rd attempt, which is not looked up
	}{
		{"lost answer", true, Unknown, nil, Done, Unknown},
		{"nothing happened", false, Unknown, nil, Transient, Unknown},
		{"transient, and an earlier one had come through", true, Transient, nil, Done, Transient},
		{"lookup fails", false, Unknown, lost, Unknown, Unknown},
		{"lookup fails after transient", false, Transient, lost, Unknown, Transient},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := runPool(t, func(s *scripted, _ *PoolConfig) {
					s.issue = func(ctx context.Context, requests []Request, results []Result) error {
						if c.happens {
							_ = s.MemoryIssuer.Issue(ctx, requests, results)
						}
						fill(results, c.issue, "")
						return lost
					}
					if c.lookup != nil {
						s.lookup = func(context.Context, []Key, []Result) error { return c.lookup }
					}
				})
				tasks := demoTasks(2)
				tasks[0].Attempts, tasks[1].Attempts = 3, 2
				r.submit(tasks...)
				synctest.Wait()
				got := r.end()
				if got[0].Answer != c.want || got[1].Answer != c.wantOf3 {
					t.Errorf("4th attempt %s, 3rd %s; want %s and %s", got[0].Answer, got[1].Answer, c.want, c.wantOf3)
				}
				if n := r.issuer.lookups.Load(); n != 1 {
					t.Errorf("%d lookups, want one, for the 4th attempt", n)
				}
			})
		})
	}
}

// TestPoolBreaker: an issuer that is down costs a handful of attempts, then only
// lookups, and is used again within a second of its return.
func TestPoolBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		r := runPool(t, func(s *scripted, c *PoolConfig) {
			c.Workers, c.Batch = 1, 1
			s.issue = func(ctx context.Context, requests []Request, results []Result) error {
				if down.Load() {
					return errors.New("connection refused")
				}
				return s.MemoryIssuer.Issue(ctx, requests, results)
			}
			s.lookup = func(ctx context.Context, keys []Key, results []Result) error {
				if down.Load() {
					return errors.New("connection refused")
				}
				return s.MemoryIssuer.Lookup(ctx, keys, results)
			}
		})
		r.submit(demoTasks(100)...)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := r.issuer.issues.Load(); n != 5 {
			t.Errorf("%d attempts while the issuer was down for ten minutes, want 5", n)
		}
		if n := r.issuer.lookups.Load(); n < 300 || n > 700 {
			t.Errorf("%d lookups probed it in ten minutes, want about one a second", n)
		}
		if s := r.pool.Stats(); s.Breaker == "closed" || s.Waiting != 1 || s.Reason == "" {
			t.Errorf("stats %+v, want an open breaker, a waiting worker and a reason", s)
		}
		down.Store(false)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		got := r.end()
		unknown := 0
		for _, result := range got {
			if result.Answer == Unknown {
				unknown++
			}
		}
		if len(got) != 100 || unknown != 5 || r.pool.Stats().Answers[Done] != 95 {
			t.Errorf("%d outcomes, %d unknown, stats %+v; want 5 unknown and 95 done", len(got), unknown, r.pool.Stats())
		}
	})
}

// TestPoolWaitsForRebuilding: an issuer that is not rebuilt uses up no attempt (F5).
func TestPoolWaitsForRebuilding(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runPool(t, nil)
		r.issuer.Fail()
		r.submit(demoTasks(100)...)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(r.outcomes) != 0 {
			t.Fatalf("%d outcomes while the issuer is not rebuilt, first %+v", len(r.outcomes), r.outcomes[0])
		}
		if s := r.pool.Stats(); s.Breaker != "closed" || s.Waiting == 0 || s.Reason == "" {
			t.Errorf("stats %+v, want workers that wait and a reason", s)
		}
		place{fullIssuer: r.issuer.MemoryIssuer}.openAll(t)
		time.Sleep(2 * time.Second)
		if got := r.end(); len(got) != 100 || r.pool.Stats().Answers[Done] != 100 {
			t.Errorf("%d outcomes, stats %+v; want 100 done", len(got), r.pool.Stats())
		}
	})
}

// TestPoolWaitsForLimiter: without a limiter's word nothing is sent (contract of Limiter).
func TestPoolWaitsForLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		r := runPool(t, func(_ *scripted, c *PoolConfig) {
			c.Limiter = limiterFunc(func(want int) (int, time.Duration, error) {
				if !up.Load() {
					return 0, 0, errors.New("Redis is down")
				}
				return want, 0, nil
			})
		})
		r.submit(demoTasks(100)...)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := r.issuer.issues.Load(); n != 0 {
			t.Errorf("%d calls without a permit", n)
		}
		up.Store(true)
		time.Sleep(2 * time.Second)
		if r.end(); r.pool.Stats().Answers[Done] != 100 {
			t.Errorf("stats %+v, want 100 done", r.pool.Stats())
		}
	})
}

// TestPoolEnds: the call under way is finished, the rest comes back unsent, and
// nothing is taken any more (F8).
func TestPoolEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runPool(t, func(s *scripted, c *PoolConfig) {
			c.Workers, c.Batch, c.Queue = 1, 2, 5
			s.issue = func(ctx context.Context, requests []Request, results []Result) error {
				time.Sleep(2 * time.Second) // longer than the pool lives
				if ctx.Err() != nil {
					t.Error("the end of the pool cut a call short")
				}
				return s.MemoryIssuer.Issue(ctx, requests, results)
			}
		})
		tasks := demoTasks(9)
		r.submit(tasks[0])
		synctest.Wait() // the worker is in its call
		r.submit(tasks[1:6]...)
		if r.pool.Submit(tasks[6]) {
			t.Error("a full queue took a task")
		}
		time.Sleep(time.Second)
		got := r.end()
		if r.pool.Submit(tasks[7]) {
			t.Error("a pool that has ended took a task")
		}
		if got[0].Answer != Done || len(got) != 6 {
			t.Errorf("%d outcomes, of the call under way %s; want 6 and done", len(got), got[0].Answer)
		}
		for ticket := uint64(1); ticket < 6; ticket++ {
			if got[ticket].Answer != NotSent {
				t.Errorf("task %d: %s, want not sent", ticket, got[ticket].Answer)
			}
		}
		if err := r.pool.Run(t.Context()); err == nil {
			t.Error("a second Run was taken")
		}
	})
}

// TestPoolRefusesConfig: what cannot work is refused in a sentence.
func TestPoolRefusesConfig(t *testing.T) {
	t.Parallel()
	whole := PoolConfig{Issuer: &scripted{}, Limiter: unlimited{}, Ready: func(*Task) bool { return true }, Deliver: func(Outcome) {}}
	for name, spoil := range map[string]func(c *PoolConfig){
		"no issuer":        func(c *PoolConfig) { c.Issuer = nil },
		"no lease check":   func(c *PoolConfig) { c.Ready = nil },
		"negative workers": func(c *PoolConfig) { c.Workers = -1 },
		"endless queue":    func(c *PoolConfig) { c.Queue = 1 << 30 },
		"negative timeout": func(c *PoolConfig) { c.AttemptTimeout = -1 },
	} {
		c := whole
		spoil(&c)
		if _, err := NewPool(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := NewPool(whole); err != nil {
		t.Error(err)
	}
}
