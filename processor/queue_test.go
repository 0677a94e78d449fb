package processor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func newTestQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// TestQueueTakesWholeSteps: steps leave in their order, as many as a transaction holds, each whole (X4).
func TestQueueTakesWholeSteps(t *testing.T) {
	t.Parallel()
	q, p := newTestQueue(), &partition{}
	var all []*step
	for range 5 {
		s := &step{partition: p, events: transactionEvents / 2}
		all = append(all, s)
		q.push(s)
	}
	got := q.takeInto(nil)
	if len(got) != 2 || got[0] != all[0] || got[1] != all[1] {
		t.Fatalf("%d steps", len(got))
	}
	got = q.takeInto(nil)
	if len(got) != 2 || got[0] != all[2] {
		t.Fatalf("then %d steps", len(got))
	}
	if n := q.events.Load(); n != 5*transactionEvents/2 {
		t.Errorf("%d events queued: those of the running transaction count (X9)", n)
	}
	select {
	case <-q.wake:
	default:
		t.Error("nobody was woken")
	}
}

// TestQueueDrained waits for one partition's steps, those of the running transaction included, not for its
// neighbour's (X7).
func TestQueueDrained(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testQueueDrained)
}

func testQueueDrained(t *testing.T) {
	q, p, other := newTestQueue(), &partition{id: 1}, &partition{id: 2}
	a, b := &step{partition: p}, &step{partition: p}
	q.push(a)
	q.push(b)
	q.push(&step{partition: other})
	q.takeInto(nil)
	done := make(chan error, 1)
	go func() { done <- q.drained(t.Context(), p) }()
	synctest.Wait()
	q.done(a)
	synctest.Wait()
	select {
	case err := <-done:
		t.Fatalf("drained with a step under way: %v", err)
	default:
	}
	q.done(b)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := q.drained(t.Context(), p); err != nil {
		t.Errorf("drained again: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.drained(ctx, other); !errors.Is(err, context.Canceled) {
		t.Errorf("the neighbour's step is under way: %v", err)
	}
	select {
	case <-q.room:
	default:
		t.Error("room was not signalled")
	}
}
