package embedded

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	session   = 6 * time.Second // the shortest that a broker takes
	rebalance = 20 * time.Second
)

// joiner speaks the group protocol by hand, as a static member.
type joiner struct {
	cl              *kgo.Client
	group, instance string
	id              string
	generation      int32
}

func newJoiner(t *testing.T, brokers []string, group, instance string) *joiner {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return &joiner{cl: cl, group: group, instance: instance}
}

func (j *joiner) join(ctx context.Context) error {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.InstanceID, req.ProtocolType = j.group, j.id, &j.instance, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(session/time.Millisecond), int32(rebalance/time.Millisecond)
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name = "any"
	req.Protocols = append(req.Protocols, p)
	resp, err := req.RequestWith(ctx, j.cl)
	if err != nil {
		return err
	}
	j.id, j.generation = resp.MemberID, resp.Generation
	return kerr.ErrorForCode(resp.ErrorCode)
}

func (j *joiner) sync(ctx context.Context) error {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = j.group, j.id, j.generation, &j.instance
	resp, err := req.RequestWith(ctx, j.cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func (j *joiner) heartbeat(ctx context.Context) error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = j.group, j.id, j.generation, &j.instance
	resp, err := req.RequestWith(ctx, j.cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// TestKilledWhileJoining: a member whose process is killed while its JoinGroup waits is out of the group after its session, and the
// other one, which has given partitions up for it and joined again, goes on then. kfake by itself draws which of two ways it takes, so
// eight groups do it at once.
func TestKilledWhileJoining(t *testing.T) {
	t.Parallel()
	c, err := Start(Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var wg sync.WaitGroup
	for i := range 8 {
		group := "group" + strconv.Itoa(i)
		alive, killed := newJoiner(t, c.Brokers(), group, "alive"), newJoiner(t, c.Brokers(), group, "killed")
		wg.Go(func() {
			if err := killWhileJoining(t.Context(), alive, killed); err != nil {
				t.Errorf("%s: %v", group, err)
			}
		})
	}
	wg.Wait()
}

func killWhileJoining(ctx context.Context, alive, killed *joiner) error {
	ctx, cancel := context.WithTimeout(ctx, 2*session)
	defer cancel()
	if err := errors.Join(alive.join(ctx), alive.sync(ctx)); err != nil {
		return err
	}
	joined := make(chan error, 1)
	go func() { joined <- killed.join(ctx) }()
	for alive.heartbeat(ctx) == nil { // until the group waits for this one
		continue
	}
	killed.cl.Close()
	if err := <-joined; err == nil {
		return errors.New("the member joined before it was killed")
	}
	for range 50 { // the broker sees the end of the connection meanwhile
		if err := alive.heartbeat(ctx); !errors.Is(err, kerr.RebalanceInProgress) {
			return err
		}
	}
	if err := errors.Join(alive.join(ctx), alive.sync(ctx)); err != nil {
		return err
	}
	began := time.Now()
	for time.Since(began) < 100*time.Millisecond { // it publishes what it has of the partitions that it gives up
		if err := alive.heartbeat(ctx); err != nil {
			return err
		}
	}
	err := alive.join(ctx)
	if took := time.Since(began); err != nil || took < session/2 || took > session+2*time.Second {
		return fmt.Errorf("the group waited %s for a dead member (%w), want its session, %s", took, err, session)
	}
	return nil
}
