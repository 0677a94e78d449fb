package processor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A transaction is due by its pace, which follows a slow broker, or by its size; a lane that lags makes fewer and larger ones.
func TestGather(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		queued, unread int64
		took, want     time.Duration
	}{
		"one event":                 {1, 0, time.Millisecond, transactionPace},
		"a slow broker":             {1, 0, 30 * time.Millisecond, 60 * time.Millisecond},
		"a very slow broker":        {1, 0, time.Second, laggingPace},
		"a whole transaction":       {transactionEvents, 0, time.Millisecond, 0},
		"lagging":                   {100, laggingEvents, time.Millisecond, laggingPace},
		"lagging, half a queue":     {transactionEvents / 2, laggingEvents, time.Millisecond, 0},
		"not lagging, half a queue": {laggingEvents - 1, 0, time.Millisecond, transactionPace},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := idleLife(t.Context())
				f.queue.events.Store(c.queued)
				f.active[0].box.waiting.Store(c.unread)
				signal(f.queue.wake)
				began := time.Now()
				if !f.gather(began, c.took) {
					t.Fatal("the life is not over")
				}
				if got := time.Since(began); got != c.want {
					t.Errorf("due after %v, want %v", got, c.want)
				}
			})
		})
	}
}

// What comes while a transaction waits for its time may make it due.
func TestGatherGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := idleLife(t.Context())
		f.queue.events.Store(1)
		signal(f.queue.wake)
		time.AfterFunc(3*time.Millisecond, func() {
			f.queue.events.Store(transactionEvents)
			signal(f.queue.wake)
		})
		began := time.Now()
		if f.gather(began, 0); time.Since(began) != 3*time.Millisecond {
			t.Errorf("due after %v", time.Since(began))
		}
	})
}

// Without a step there is no transaction, and the end of the life ends the wait.
func TestGatherEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if idleLife(ctx).gather(time.Time{}, 0) {
			t.Error("a transaction of nothing")
		}
	})
}

func idleLife(ctx context.Context) *life {
	f := &life{ctx: ctx, active: map[int32]*partition{0: {}}}
	f.queue.wake = make(chan struct{}, 1)
	return f
}
