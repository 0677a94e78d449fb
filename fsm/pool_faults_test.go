package fsm

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPoolEndsAttempts: a call that hangs ends after 5 s with an unknown outcome.
func TestPoolEndsAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runPool(t, func(s *scripted, _ *PoolConfig) {
			s.issue = func(ctx context.Context, _ []Request, _ []Result) error { <-ctx.Done(); return ctx.Err() }
		})
		r.submit(demoTasks(1)...)
		pass(time.Minute)
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
		pass(10 * time.Minute)
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
		pass(3 * time.Second)
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
		pass(time.Hour)
		synctest.Wait()
		if len(r.outcomes) != 0 {
			t.Fatalf("%d outcomes while the issuer is not rebuilt, first %+v", len(r.outcomes), r.outcomes[0])
		}
		if s := r.pool.Stats(); s.Breaker != "closed" || s.Waiting == 0 || s.Reason == "" {
			t.Errorf("stats %+v, want workers that wait and a reason", s)
		}
		place{fullIssuer: r.issuer.MemoryIssuer}.openAll(t)
		pass(2 * time.Second)
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
		pass(time.Hour)
		synctest.Wait()
		if n := r.issuer.issues.Load(); n != 0 {
			t.Errorf("%d calls without a permit", n)
		}
		up.Store(true)
		pass(2 * time.Second)
		if r.end(); r.pool.Stats().Answers[Done] != 100 {
			t.Errorf("stats %+v, want 100 done", r.pool.Stats())
		}
	})
}
