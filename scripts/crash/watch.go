package main

import (
	"context"
	"sync"
	"time"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// watchEvery is the grain of what the watch measures.
const watchEvery = 50 * time.Millisecond

// watch looks at the ends of the fact log all the time: who moves, and for how long a last stable offset stands still before the end.
type watch struct {
	log *topiclog.Client

	mu      sync.Mutex
	stable  []int64
	high    []int64
	since   []time.Time // stable is what it is, with something behind it
	longest time.Duration
	changed chan struct{}
}

func newWatch(log *topiclog.Client) *watch {
	return &watch{
		log: log, changed: make(chan struct{}),
		stable: make([]int64, partitions), high: make([]int64, partitions), since: make([]time.Time, partitions),
	}
}

func (w *watch) run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		w.look(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func (w *watch) look(ctx context.Context) {
	stable, err := w.log.Ends(ctx, topiclog.Committed, schemas.TopicFacts)
	if err != nil {
		return
	}
	high, err := w.log.Ends(ctx, topiclog.Uncommitted, schemas.TopicFacts)
	if err != nil {
		return
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range partitions {
		lso, hw := stable[schemas.TopicFacts][p], high[schemas.TopicFacts][p]
		switch {
		case lso != w.stable[p] || lso == hw:
			w.since[p] = time.Time{}
		case w.since[p].IsZero():
			w.since[p] = now
		default:
			w.longest = max(w.longest, now.Sub(w.since[p]))
		}
		w.stable[p], w.high[p] = lso, hw
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// ends are the ends of the log after this moment.
func (w *watch) ends(ctx context.Context) []int64 {
	w.look(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]int64(nil), w.high...)
}

// markers bounds what the end of an open transaction adds to a log without any new fact.
const markers = 2

// moved waits until every partition has new facts beyond from. first is when the first one had.
func (w *watch) moved(ctx context.Context, from []int64) (first, all time.Time, ok bool) {
	for {
		w.mu.Lock()
		n := 0
		for p := range from {
			if w.stable[p] > from[p]+markers {
				n++
			}
		}
		changed := w.changed
		w.mu.Unlock()
		if n > 0 && first.IsZero() {
			first = time.Now()
		}
		if n == len(from) {
			return first, time.Now(), true
		}
		select {
		case <-ctx.Done():
			return first, all, false
		case <-changed:
		}
	}
}

func (w *watch) stall() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.longest
}
