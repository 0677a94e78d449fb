package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
)

// Times of the group protocol (X7). A killed instance that comes back within the session has its partitions at once.
const (
	sessionTimeout    = 10 * time.Second
	heartbeatInterval = 500 * time.Millisecond
	rebalanceTimeout  = 8 * time.Second // below the session: who waits for others to join again is not given up meanwhile
	revokePatience    = 3 * time.Second // X7: then the lane's client is closed
	takeoverPatience  = 2 * time.Second // then the first assignment's rebalance is forced, taken over or not
)

// lease is what the broker checks a transaction's offsets against (X7).
type lease struct {
	member     string
	generation int32
}

// member is the instance's one group member. It reads nothing: it only decides who owns which partition.
type member struct {
	cl       *kgo.Client
	group    string
	instance string
	topic    string // the subscribed topic, invite.events under the prefix
	log      *slog.Logger

	// The owner of partitions. Called from the group's callbacks, in their order, never concurrently.
	take    func(p int32)
	release func(ctx context.Context, ps []int32) // returns once the tails are published, or ctx is over
	lose    func(ps []int32)

	// renewed ends whatever was begun as another member; called under the lock, it must neither wait nor ask for the lease.
	renewed func()

	mu        sync.Mutex
	id        string // the member id that owned belongs to
	owned     map[int32]bool
	synced    int32          // the generation whose assignment has come
	confirmed time.Time      // when the last heartbeat that proved the lease was sent (monotonic)
	assigned  bool           // once at least
	first     map[int32]bool // of the first assignment, what is not taken over yet
	starting  map[int32]bool // of the first partitions that came, those whose campaigns have not been compared yet; nil: none came
	force     func()         // asks for the rebalance that follows it; nil: it was asked for
	patience  *time.Timer
}

func (m *member) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.ConsumerGroup(m.group),
		kgo.ConsumeTopics(m.topic),
		kgo.InstanceID(m.instance),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(heartbeatInterval),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(m.onAssigned),
		kgo.OnPartitionsRevoked(m.onRevoked),
		kgo.OnPartitionsLost(m.onLost),
	}
}

// start joins the group. Partitions arrive by callback.
func (m *member) start(opts []kgo.Opt) error {
	m.mu.Lock() // who looks may do so before anything is owned
	m.owned = map[int32]bool{}
	m.mu.Unlock()
	cl, err := kgo.NewClient(append(opts, m.options()...)...)
	if err != nil {
		return fmt.Errorf("group member %s: %w", m.instance, err)
	}
	cl.PauseFetchTopics(m.topic)
	m.mu.Lock()
	m.cl = cl
	m.mu.Unlock()
	return nil
}

func (m *member) onAssigned(_ context.Context, cl *kgo.Client, got map[string][]int32) {
	ps := got[m.topic]
	m.mu.Lock()
	_, m.synced = cl.GroupMetadata()
	for _, p := range ps {
		m.owned[p] = true
	}
	if m.starting == nil && len(ps) > 0 {
		m.starting = maps.Clone(m.owned)
	}
	first := !m.assigned
	m.assigned = true
	if first {
		m.await(ps, cl.ForceRebalance)
	}
	m.mu.Unlock()
	m.log.Info("partitions assigned", "partitions", ps)
	for _, p := range ps {
		m.take(p)
	}
	crashpoint.Hit("member.assign.after")
	if first && len(ps) == 0 {
		m.rebalance()
	}
}

// starts says whether p is one of the partitions that this process began with, and has not been said to have begun.
func (m *member) starts(p int32) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.starting[p]
}

func (m *member) begun(p int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.starting, p)
}

// await has force called once the first assignment is taken over: a kill in mid-revoke otherwise left a partition owned
// by nobody while the group was Stable. Not at once: in a rebalance nobody proves a lease (X5b) before every other
// instance has heard of it, which takes a heartbeat. The caller holds the lock.
func (m *member) await(ps []int32, force func()) {
	m.first, m.force = map[int32]bool{}, force
	for _, p := range ps {
		m.first[p] = true
	}
	m.patience = time.AfterFunc(takeoverPatience, m.rebalance)
}

// taken says that the takeover of p is over, one way or another.
func (m *member) taken(p int32) {
	m.mu.Lock()
	delete(m.first, p)
	over := len(m.first) == 0
	m.mu.Unlock()
	if over {
		m.rebalance()
	}
}

// rebalance forces the one rebalance after the first assignment.
func (m *member) rebalance() {
	m.mu.Lock()
	force := m.force
	m.force = nil
	if m.patience != nil {
		m.patience.Stop()
	}
	m.mu.Unlock()
	if force != nil {
		force()
	}
}

// onRevoked keeps X7: the generation has moved already, so what ran under the old one is refused;
// the tail is published under the new one while the partition is still in the owned set, then it leaves the set.
func (m *member) onRevoked(ctx context.Context, _ *kgo.Client, got map[string][]int32) {
	ps := got[m.topic]
	if len(ps) == 0 {
		return // also called with nothing when a session ends
	}
	ctx, cancel := context.WithTimeout(ctx, revokePatience)
	defer cancel()
	crashpoint.Hit("member.revoke.before")
	m.release(ctx, ps)
	m.drop(ps)
	crashpoint.Released(ps)
	crashpoint.Hit("member.revoke.after")
	m.log.Info("partitions revoked", "partitions", ps)
}

func (m *member) onLost(_ context.Context, _ *kgo.Client, got map[string][]int32) {
	ps := got[m.topic]
	if len(ps) == 0 {
		return
	}
	m.drop(ps)
	m.lose(ps)
	m.log.Warn("partitions lost: the group went on without this instance", "partitions", ps)
}

func (m *member) drop(ps []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range ps {
		delete(m.owned, p)
		delete(m.starting, p)
	}
}

// lease reads, under the lock that the callbacks take, first member id and generation, then ownership (X7):
// a newer generation under older ownership would pass the broker's check and be a duplicate.
func (m *member) lease(owned func(p int32)) (lease, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cl == nil {
		return lease{}, false
	}
	id, gen := m.cl.GroupMetadata()
	ok := id != "" && gen >= 0
	// A member that the group had given up joins again under a new id, and the client tells nobody: what it still holds
	// may have been another's meanwhile. Its generation is good, its ownership is not: look again at X5.
	if was := m.id; ok && was != id {
		m.id = id
		if was != "" && !mutant.On(mutant.OldMember) {
			m.log.Warn("the group knows this instance under a new member id; every lane looks again", "rule", "X7")
			m.renewed()
			ok = false
		}
	}
	for p := range m.owned {
		owned(p)
	}
	return lease{member: id, generation: gen}, ok
}

// held are the partitions of this instance by the group's word, in order: for those who look, and decide nothing by it (X7 wants lease).
func (m *member) held() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.owned))
}

func (m *member) owns(p int32) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owned[p]
}

// confirm notes that a heartbeat sent at t in the given generation was answered without error. One between JoinGroup and the answer of SyncGroup is too,
// and proves nothing: the broker gives up a member that does not sync, however long ago it joined.
func (m *member) confirm(t time.Time, generation int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if generation == m.synced && t.After(m.confirmed) {
		m.confirmed = t
	}
}

// unconfirm forgets every proof: the broker has said that the lease is another's.
func (m *member) unconfirm() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.confirmed = time.Time{}
}

// confirmedWithin says whether the lease was proved less than d ago on the monotonic clock (X11).
func (m *member) confirmedWithin(d time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.confirmed.IsZero() && time.Since(m.confirmed) < d
}

// prove keeps X5b: a Heartbeat with our member id and generation is answered without error, before anybody is
// fenced. While a rebalance moves the generation the broker calls us a stranger, and what we keep is not announced
// again; so it asks again as long as p is in the owned set. A stranger for good is told so by the callbacks.
func (m *member) prove(ctx context.Context, p int32) error {
	for {
		if !m.owns(p) {
			return errGone
		}
		err := m.heartbeat(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !isStaleLease(err) && !kerr.IsRetriable(err):
			return err
		}
		m.log.Debug("the lease is not proved yet, the group is asked again", "rule", "X5b", "partition", p, "error", err)
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func (m *member) heartbeat(ctx context.Context) error {
	l, ok := m.lease(func(int32) {})
	if !ok {
		return kerr.RebalanceInProgress
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = m.group, l.member, l.generation, &m.instance
	sent := time.Now()
	resp, err := req.RequestWith(ctx, m.cl)
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
		m.unconfirm()
		return err
	case err != nil:
		return err
	}
	m.confirm(sent, l.generation)
	return nil
}

// leave takes the static member out of the group, so that the others get its partitions at once. The
// member's own client is closed by then: it would join again.
func (m *member) leave(ctx context.Context, cl *kgo.Client) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = m.group
	who := kmsg.NewLeaveGroupRequestMember()
	who.InstanceID = &m.instance
	req.Members = append(req.Members, who)
	if _, err := req.RequestWith(ctx, cl); err != nil {
		return fmt.Errorf("leave group %s as %s: %w", m.group, m.instance, err)
	}
	return nil
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
