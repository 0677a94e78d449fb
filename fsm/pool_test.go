package fsm

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

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
		pass(time.Minute)
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

// TestPoolEnds: the call under way is finished, the rest comes back unsent, and
// nothing is taken any more (F8).
func TestPoolEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runPool(t, func(s *scripted, c *PoolConfig) {
			c.Workers, c.Batch, c.Queue = 1, 2, 5
			s.issue = func(ctx context.Context, requests []Request, results []Result) error {
				pass(2 * time.Second) // longer than the pool lives
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
		pass(time.Second)
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

// pass lets time go by: only inside a bubble of testing/synctest, where that costs none
// and means that everybody else has come to rest.
func pass(d time.Duration) { time.Sleep(d) }
