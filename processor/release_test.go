package processor

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/eventstore"
)

// TestReleaseBetweenLives: a partition that leaves while the lane has no client is closed too, and its directory is free for
// whoever takes it next.
func TestReleaseBetweenLives(t *testing.T) {
	t.Parallel()
	store, err := eventstore.Open(eventstore.Config{Dir: t.TempDir(), Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	l := &lane{x: &Processor{store: store}, log: slog.New(slog.DiscardHandler), owned: map[int32]bool{0: true, 1: true}, open: map[int32]*partition{}}
	for p := range int32(2) {
		l.open[p] = newPartition(l, p)
		if err := l.open[p].openStore(); err != nil {
			t.Fatal(err)
		}
	}
	working := l.open[1]
	l.mu.Lock()
	l.open[0].endWork() // its worker went with the last life
	l.mu.Unlock()
	l.release(t.Context(), 0)
	l.release(t.Context(), 1)
	if l.open[0] != nil || l.open[1] != working || working.store == nil {
		t.Errorf("open: %v; whoever works on partition 1 closes it", l.open)
	}
	again, err := store.Partition(0)
	if err != nil {
		t.Fatalf("partition 0 was released: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	working.leave()
	if len(l.open) != 0 {
		t.Errorf("open: %v", l.open)
	}
}

// TestLeavingTakesNothing: a rebalance while a process drains gives it partitions that it does not take over, since each new step would
// wait for the next owner.
func TestLeavingTakesNothing(t *testing.T) {
	t.Parallel()
	x := &Processor{stops: map[int32]*Stop{}}
	l := &lane{x: x, log: slog.New(slog.DiscardHandler), owned: map[int32]bool{}}
	x.lanes, x.metrics = []*lane{l}, newMetrics(prometheus.NewRegistry(), x)
	if x.take(1); !l.owned[1] {
		t.Error("partition 1 is not taken")
	}
	x.leaving.Store(true)
	if x.take(2); l.owned[2] {
		t.Error("partition 2 is taken by a process that leaves")
	}
}
