package processor

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// TestLeaseReadsGenerationBeforeOwnership: what a transaction uses is of one moment: while ownership is read no
// callback may change it, and the generation read before it is at most older (X7).
func TestLeaseReadsGenerationBeforeOwnership(t *testing.T) {
	t.Parallel()
	cl, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	m := &member{cl: cl, topic: "t", owned: map[int32]bool{3: true}, log: slog.New(slog.DiscardHandler), take: func(int32) {}, assigned: true}
	changed := make(chan struct{})
	var seen []int32
	_, ok := m.lease(func(p int32) {
		seen = append(seen, p)
		if len(seen) == 1 {
			go func() {
				m.onAssigned(context.Background(), cl, map[string][]int32{"t": {4}})
				close(changed)
			}()
			if m.mu.TryLock() {
				t.Error("a callback may change ownership while it is read")
				m.mu.Unlock()
			}
		}
	})
	if ok {
		t.Error("a lease without a member id")
	}
	<-changed
	if len(seen) != 1 || !m.owns(4) || !m.owns(3) || m.owns(5) {
		t.Errorf("read %v, now owned %v", seen, m.owned)
	}
	m.drop([]int32{3})
	if m.owns(3) {
		t.Error("dropped and still owned")
	}
}

// joinedMember is one that has its first partition.
func joinedMember(t *testing.T, renewed func()) *member {
	t.Helper()
	x, joined := settleProcessor(t), make(chan struct{})
	m := &member{
		group: "g", instance: "a", topic: x.routes.names[schemas.TopicEvents], log: slog.New(slog.DiscardHandler),
		take: func(int32) { close(joined) }, release: func(context.Context, []int32) {}, lose: func([]int32) {}, renewed: renewed,
	}
	if err := m.start(x.plain.Opts()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.cl.Close)
	select {
	case <-joined:
	case <-t.Context().Done():
		t.Fatal("no partition was assigned")
	}
	return m
}

// TestNewMemberID: a member that the group knows under another id than its ownership belongs to has no lease, once, and
// everything that was begun before ends; under one id nothing does (X7).
func TestNewMemberID(t *testing.T) {
	t.Parallel()
	renewed := 0
	m := joinedMember(t, func() { renewed++ })
	nobody := func(int32) {}
	first, ok := m.lease(nobody)
	again, still := m.lease(nobody)
	if !ok || !still || first.member == "" || again != first || renewed != 0 {
		t.Fatalf("leases %+v %v, %+v %v; renewed %d times", first, ok, again, still, renewed)
	}
	m.mu.Lock()
	m.id = "given up" // as if the ownership were of an earlier session
	m.mu.Unlock()
	if _, ok := m.lease(nobody); ok || renewed != 1 {
		t.Errorf("a lease under a new member id: %v; renewed %d times", ok, renewed)
	}
	if l, ok := m.lease(nobody); !ok || l.member != first.member || renewed != 1 {
		t.Errorf("then %+v %v; renewed %d times", l, ok, renewed)
	}
}

// TestLeaseBelongsToAGeneration: a heartbeat in a generation whose assignment has not come proves nothing, though the broker answers it without error; one
// that is answered with UNKNOWN_MEMBER_ID takes back what was proved before (X11).
func TestLeaseBelongsToAGeneration(t *testing.T) {
	t.Parallel()
	m := joinedMember(t, func() {})
	if err := m.prove(t.Context(), 0); err != nil || !m.confirmedWithin(time.Hour) {
		t.Fatalf("a heartbeat after the assignment: %v", err)
	}
	m.mu.Lock()
	synced := m.synced
	m.synced, m.confirmed = synced-1, time.Time{} // as if it had joined again and not synced
	m.mu.Unlock()
	if err := m.prove(t.Context(), 0); err != nil || m.confirmedWithin(time.Hour) {
		t.Errorf("a heartbeat before the assignment (%v) proves the lease", err)
	}
	m.confirm(time.Now(), synced-1)
	m.instance = "b"
	if err := m.heartbeat(t.Context()); err == nil || m.confirmedWithin(time.Hour) {
		t.Errorf("a heartbeat of a stranger (%v) leaves what was proved", err)
	}
}

// TestFirstAssignmentIsTakenBeforeTheRebalance: the one rebalance after the first assignment comes once its partitions are
// taken over, so that X5b need not wait for it, and once only.
func TestFirstAssignmentIsTakenBeforeTheRebalance(t *testing.T) {
	t.Parallel()
	forced := 0
	m := &member{}
	m.mu.Lock()
	m.await([]int32{1, 2}, func() { forced++ })
	m.mu.Unlock()
	m.taken(1)
	m.taken(1) // its worker began, and has ended
	if m.taken(7); forced != 0 {
		t.Error("a rebalance before partition 2 is taken over")
	}
	m.taken(2)
	m.taken(2)
	if m.rebalance(); forced != 1 {
		t.Errorf("%d rebalances", forced)
	}
	synctest.Test(t, func(t *testing.T) {
		forced := make(chan struct{}, 2)
		m := &member{}
		m.mu.Lock()
		m.await([]int32{1}, func() { forced <- struct{}{} })
		m.mu.Unlock()
		began := time.Now()
		<-forced // a long restore does not hold it back
		if took := time.Since(began); took != takeoverPatience {
			t.Errorf("after %s", took)
		}
		if m.taken(1); len(forced) > 0 {
			t.Error("twice")
		}
	})
}

// TestLeaseGrowsStale: a lease counts from when the request was sent, an older answer does not renew it, and an attempt that begins under it ends before
// the partitions can be another's (X11).
func TestLeaseGrowsStale(t *testing.T) {
	t.Parallel()
	m := &member{}
	if m.confirmedWithin(time.Hour) {
		t.Error("never confirmed")
	}
	now := time.Now()
	m.confirm(now, 0)
	m.confirm(now.Add(-time.Hour), 0)
	if !m.confirmedWithin(time.Minute) {
		t.Error("an older answer took a newer one back")
	}
	if leaseFresh+attemptTimeout > rebalanceTimeout || leaseFresh+attemptTimeout > sessionTimeout {
		t.Errorf("%s and an attempt of %s are more than a lease", leaseFresh, attemptTimeout)
	}
	m.confirmed = now.Add(-leaseFresh)
	if m.confirmedWithin(leaseFresh) {
		t.Error("fresh although an attempt might outlast it")
	}
}

// TestRetryIsNeverEarly: a retry record that is not due holds its topic, and says how long the worker may sleep.
func TestRetryIsNeverEarly(t *testing.T) {
	t.Parallel()
	w := foldWorker(t, 0, 1, schemas.DemoCampaign())
	chain := int64(7)
	retry := func(dueMS int64) *kgo.Record {
		v, err := proto.Marshal(&pb.RetryEnvelope{CouponId: make([]byte, 16), NotBeforeMs: dueMS, ChainId: chain})
		if err != nil {
			t.Fatal(err)
		}
		return &kgo.Record{Key: schemas.AppendKey(nil, chain), Value: v}
	}
	for ahead, want := range map[int64]bool{-1: true, 0: true, 1: false, 60_000: false} {
		w.coupons.begin()
		done, err := w.retry(schemas.TopicRetry1s, retry(w.clockMS+ahead))
		if err != nil || done != want {
			t.Errorf("due in %d ms: taken %v, %v", ahead, done, err)
		}
		wait := w.nextTimer()
		if !want && wait > time.Duration(ahead)*time.Millisecond && wait > time.Millisecond || wait > idleWait || wait <= 0 {
			t.Errorf("due in %d ms: the worker sleeps %s", ahead, wait)
		}
	}
	w.coupons.begin()
	w.coupons.wait(w.clockMS + 90)
	w.coupons.wait(w.clockMS + 30)
	w.coupons.wait(w.clockMS + 60)
	if got := w.nextTimer(); got != 30*time.Millisecond {
		t.Errorf("the earliest is due in 30 ms, the worker sleeps %s", got)
	}
}

// TestHeldBeforeStart: a health page may ask before the member has begun; the race detector sees whether they meet.
func TestHeldBeforeStart(t *testing.T) {
	t.Parallel()
	m := &member{group: "g", topic: "t", instance: "a", log: slog.New(slog.DiscardHandler)}
	began := make(chan error)
	go func() { began <- m.start([]kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}) }()
	if held := m.held(); len(held) > 0 {
		t.Errorf("holds %v", held)
	}
	if err := <-began; err != nil {
		t.Fatal(err)
	}
	m.cl.Close()
}
