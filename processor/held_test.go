package processor

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/eventstore"
	"hongbao/internal/admission"
	pb "hongbao/schemas/invitepb"
)

// doorkeeper is a Redis that grants claims and refuses the shares of one user; it may be slow to take things back.
type doorkeeper struct {
	admitter
	refuse   int64
	away     bool // what is released does not arrive
	released []admission.Release
}

func (d *doorkeeper) Admit(_ context.Context, asks []admission.Ask, answers []admission.Answer) error {
	for i := range asks {
		answers[i] = admission.Answer{}
		if asks[i].Want&admission.WantClaim != 0 {
			answers[i].Claim = admission.Yes
		}
		if asks[i].Want&admission.WantShare != 0 {
			answers[i].Share = admission.Yes
			if asks[i].User == d.refuse {
				answers[i].Share = admission.No
			}
		}
	}
	return nil
}

func (d *doorkeeper) Release(items []admission.Release) int {
	d.released = append(d.released, items...)
	if d.away {
		return len(d.released)
	}
	return 0
}

// storedWorker is a worker on a store that is opened as a takeover does; its queue nobody reads.
func storedWorker(t *testing.T, store *eventstore.Store, d *doorkeeper) *worker {
	t.Helper()
	w := foldWorker(t, 0, 1, nil)
	w.life, w.owner, w.state = &life{queue: *newTestQueue()}, d, nil
	var err error
	if w.store, err = store.Partition(0); err != nil {
		t.Fatal(err)
	}
	if err := w.openState(); err != nil {
		t.Fatal(err)
	}
	w.held.Store(w.undo.first())
	w.nodesAt, w.checkpointAt = w.now, w.now.Add(time.Hour)
	return w
}

// step decides the records as one step, with its nodes, and has it committed in Kafka.
func (w *worker) stepOf(t *testing.T, recs ...*kgo.Record) {
	t.Helper()
	w.now = w.now.Add(time.Minute)
	w.draft.begin(w.store.Last())
	if len(recs) > 0 {
		if n, err := w.judge(t.Context(), recs); err != nil || n != len(recs) {
			t.Fatalf("judged %d of %d: %v", n, len(recs), err)
		}
	}
	if err := w.commit(); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.life.queue.takeInto(nil) {
		w.published(s)
		w.giveBack(w.committed.Load())
	}
}

func (w *worker) steps(t *testing.T, n int) {
	t.Helper()
	for range n {
		w.stepOf(t)
	}
}

// TestGrantOfRefusedOutlivesProcess: a grant to an event that is then refused is given back by the next open, however
// long ago fact and nodes were written, as long as Redis has not taken it back; then its entry goes (X10, X2).
func TestGrantOfRefusedOutlivesProcess(t *testing.T) {
	t.Parallel()
	store, err := eventstore.Open(eventstore.Config{Dir: t.TempDir(), Partitions: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	const seed, member, user = 7, 8, 9
	d := &doorkeeper{refuse: member, away: true}
	w, m := storedWorker(t, store, d), &maker{tb: t}
	w.draft.begin(w.store.Last())
	if err := w.activate(withoutRewards(t)); err != nil {
		t.Fatal(err)
	}
	if err := w.commit(); err != nil {
		t.Fatal(err)
	}
	w.stepOf(t, m.share(seed, seed), m.join(seed, seed, member))
	// As if Redis granted the member's share the join is asked for; as it refuses, there is no share to join by.
	share, join := m.share(seed, member), m.join(seed, member, user)
	at := join.Offset
	w.stepOf(t, share, join)
	w.steps(t, 100)
	if len(d.released) != 1 || d.released[0].User != user || d.released[0].Offset != at {
		t.Fatalf("released %+v; want the claim of user %d at offset %d", d.released, user, at)
	}

	reopen := func() *worker { // as after a kill: what was handed to the gate is forgotten
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
		return storedWorker(t, store, d)
	}
	d.released = nil
	w = reopen()
	if len(w.undo.items) != 1 || w.undo.items[0].User != user || w.undo.items[0].Want != admission.WantClaim {
		t.Fatalf("after the restart %+v is to be given back", w.undo.items)
	}
	w.committed.Store(w.store.Last().Seq)
	w.steps(t, 100)
	if len(d.released) != 1 {
		t.Fatalf("released %+v", d.released)
	}
	d.away = false
	w.steps(t, 100)
	if w = reopen(); len(w.undo.items) != 0 {
		t.Errorf("Redis has it back, and %+v is kept", w.undo.items)
	}
	if err := w.store.Close(); err != nil {
		t.Error(err)
	}
}

// TestGrantToEarlierOwner: an owner asked Redis for events and died. The next one refuses them before it asks, since a pause came
// first; it gives back what may have been granted. Of events that nobody can have asked for it gives nothing back (X10).
func TestGrantToEarlierOwner(t *testing.T) {
	t.Parallel()
	w, m := foldWorker(t, 0, 1, withoutRewards(t)), &maker{tb: t}
	const seed = 7
	w.fold(t, []*kgo.Record{m.share(seed, seed)}, &step{})
	joins := []*kgo.Record{m.join(seed, seed, 8), m.join(seed, seed, 9), m.join(seed, seed, 10)}
	w.asked = joins[2].Offset
	w.draft.begin(eventstore.Boundary{Seq: w.state.Seq()})
	if p, err := w.changeCampaign(&pb.CampaignChange{Campaign: 1, Number: 1, Kind: pb.ChangeKind_CHANGE_KIND_PAUSE}, 0); p != nil || err != nil {
		t.Fatal(p, err)
	}
	w.fold(t, joins, &step{})
	var users []int64
	for _, r := range w.undo.items {
		if r.Want != admission.WantClaim {
			t.Errorf("%+v", r)
		}
		users = append(users, r.User)
	}
	if len(users) != 2 || users[0] != 8 || users[1] != 9 {
		t.Errorf("claims of %v are given back, want those of 8 and 9", users)
	}
}
