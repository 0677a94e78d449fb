package processor

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"hongbao/eventstore"
	"hongbao/internal/replay"
	"hongbao/schemas"
)

// Standing is where a partition that works here stands.
type Standing struct {
	Committed     int64 // seq of the last fact committed in Kafka
	CommittedHash schemas.Hash
	Stored        eventstore.Boundary // the last step in the store, perhaps not yet committed
	Nodes         int64               // seq at which the stored nodes stand
}

// Standing of p, from a snapshot. ErrElsewhere, ErrBusy: it does not work here.
func (x *Processor) Standing(p int32) (s Standing, err error) {
	snap, committed, err := x.snapshot(p)
	if err != nil {
		return s, err
	}
	defer snap.Close()
	s = Standing{Committed: committed, Stored: snap.Last(), Nodes: snap.NodesSeq()}
	s.CommittedHash, _, err = snap.BoundaryHash(committed)
	return s, err
}

// StateHash hashes the state of p as its snapshot shows it, at the last write of nodes. It reads the whole state, beside the worker; one
// partition at a time, so that memory is bounded.
func (x *Processor) StateHash(p int32) (h replay.StateHash, err error) {
	x.hashing.Lock()
	defer x.hashing.Unlock()
	snap, _, err := x.snapshot(p)
	if err != nil {
		return h, err
	}
	defer snap.Close()
	if h, err = replay.HashOf(snap); err != nil {
		return h, fmt.Errorf("hash the state of partition %d: %w", p, err)
	}
	return h, nil
}

func (x *Processor) snapshot(p int32) (*eventstore.Snapshot, int64, error) {
	if err := x.mine(p); err != nil {
		return nil, 0, err
	}
	part := x.running(p)
	if part == nil {
		return nil, 0, fmt.Errorf("partition %d has stopped: its store is closed", p)
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	if part.store == nil {
		return nil, 0, fmt.Errorf("partition %d: %w", p, ErrBusy)
	}
	snap, err := part.store.Snapshot()
	return snap, part.committed.Load(), err
}

// Owner is who owns a partition by the group's word. Address is its admin API, on its own machine's loopback.
type Owner struct{ Instance, Address string }

// Owners asks the group. A partition without an owner, or whose owner is no hongbao, is left out.
func (x *Processor) Owners(ctx context.Context) (map[int32]Owner, error) {
	if !x.opened.Load() {
		return map[int32]Owner{}, nil
	}
	groups, err := kadm.NewClient(x.plain).DescribeGroups(ctx, x.cfg.Group)
	if err != nil {
		return nil, fmt.Errorf("describe group %s: %w", x.cfg.Group, err)
	}
	owners := map[int32]Owner{}
	for _, m := range groups[x.cfg.Group].Members {
		who, ok := parseClientID(m.ClientID)
		assigned, consumes := m.Assigned.AsConsumer()
		if !ok || !consumes {
			continue
		}
		for _, t := range assigned.Topics {
			if t.Topic != x.routes.names[schemas.TopicEvents] {
				continue
			}
			for _, p := range t.Partitions {
				owners[p] = who
			}
		}
	}
	return owners, nil
}

// parseClientID reads what clientID wrote.
func parseClientID(id string) (o Owner, ok bool) {
	rest, ok := strings.CutPrefix(id, "hongbao/")
	if !ok {
		return o, false
	}
	o.Instance, o.Address, ok = strings.Cut(rest, "/")
	return o, ok
}
