package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"hongbao/eventstore"
	"hongbao/internal/admin"
	"hongbao/internal/replay"
)

// shadowDir is the shadow store's place in a data directory.
const shadowDir = "shadow"

// replayGroup are the partitions of one shadow store, with the live side of it.
type replayGroup struct {
	dir        string
	partitions []int32
	live       replay.Live
}

// replayGroups says which partitions are rebuilt where. Those to be swapped are rebuilt in the data directory of their owner. done
// gives back what the groups hold.
func (a *app) replayGroups(ctx context.Context, f *replayFlags, chosen []int32, count int32) (groups []replayGroup, done func(), err error) {
	one := replayGroup{dir: f.into, partitions: chosen}
	if one.dir == "" {
		one.dir = filepath.Join(a.cfg.Data, shadowDir)
	}
	done = func() {}
	if !f.compare && !f.swap {
		return []replayGroup{one}, done, nil
	}
	asked := admin.NewClient(a.cfg.Listen)
	status, err := asked.Status(ctx)
	if errors.Is(err, admin.ErrNobody) {
		store, err := a.stoppedStore(count, err)
		if err != nil {
			return nil, nil, err
		}
		one.live = stoppedLive{store}
		return []replayGroup{one}, func() { _ = store.Close() }, nil // it was only read, or swapped, which syncs
	}
	if err != nil {
		return nil, nil, err
	}
	if status.Group != a.cfg.GroupID() {
		return nil, nil, fmt.Errorf("the instance at %s is of group %s, this command's group is %s: say the same --group and --prefix, or another --listen",
			a.cfg.Listen, status.Group, a.cfg.GroupID())
	}
	owners, err := findOwners(ctx, asked, &status, chosen)
	if err != nil {
		return nil, nil, err
	}
	if !f.swap {
		one.live = owners.live()
		return []replayGroup{one}, done, nil
	}
	for _, o := range owners {
		groups = append(groups, replayGroup{dir: filepath.Join(o.status.Data, shadowDir), partitions: o.partitions, live: owners.live()})
	}
	return groups, done, nil
}

// stoppedStore opens --data, since nobody answered for it.
func (a *app) stoppedStore(count int32, nobody error) (*eventstore.Store, error) {
	store, err := eventstore.Open(eventstore.Config{Dir: a.cfg.Data, Logger: a.log})
	if err != nil {
		return nil, fmt.Errorf("%w, and the data directory cannot be used instead: %w", nobody, err)
	}
	if n := store.Partitions(); n != count {
		return nil, errors.Join(fmt.Errorf("data directory %s was made for %d partitions, the topics have %d", a.cfg.Data, n, count), store.Close())
	}
	return store, nil
}

// owner is an instance on this machine with those of its partitions that are asked about.
type owner struct {
	client     *admin.Client
	status     admin.Status
	partitions []int32
}

type owners []*owner

// findOwners asks an instance who owns what, and each owner who it is: an address on loopback says nothing about the machine.
func findOwners(ctx context.Context, asked *admin.Client, status *admin.Status, chosen []int32) (owners, error) {
	all, err := asked.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	found := owners{{client: asked, status: *status}}
	for _, p := range chosen {
		at := all[p]
		if at.Owner == "" {
			return nil, fmt.Errorf("partition %d has no owner now, so there is nothing to compare or to swap: wait for the group, or leave it out of --partitions", p)
		}
		i := slices.IndexFunc(found, func(o *owner) bool { return o.status.Instance == at.Owner })
		if i < 0 {
			client := admin.NewClient(at.Address)
			status, err := client.Status(ctx)
			if err != nil || status.Instance != at.Owner {
				return nil, fmt.Errorf("partition %d is owned by instance %s, whose admin address %s is on another machine's loopback: run this there, or leave the partition out of --partitions",
					p, at.Owner, at.Address)
			}
			i = len(found)
			found = append(found, &owner{client: client, status: status})
		}
		found[i].partitions = append(found[i].partitions, p)
	}
	return slices.DeleteFunc(found, func(o *owner) bool { return len(o.partitions) == 0 }), nil
}

func (o owners) live() runningLive {
	live := runningLive{}
	for _, one := range o {
		for _, p := range one.partitions {
			live[p] = one.client
		}
	}
	return live
}

// runningLive asks the owners of partitions. One that has moved since answers with a refusal that names its new owner.
type runningLive map[int32]*admin.Client

// StateHash is replay.Live's.
func (l runningLive) StateHash(ctx context.Context, p int32) (h replay.StateHash, err error) {
	var answer admin.StateHash
	if err := whenReady(ctx, func() (err error) { answer, err = l[p].StateHash(ctx, p); return err }); err != nil {
		return h, err
	}
	h.Seq = answer.Seq
	return h, errors.Join(parseHash(h.Hash[:], answer.Hash), parseHash(h.State[:], answer.StateHash))
}

func parseHash(dst []byte, text string) error {
	raw, err := hex.DecodeString(text)
	if err != nil || copy(dst, raw) != len(raw) || len(raw) != len(dst) {
		return fmt.Errorf("the instance answers hash %.40q, want %d bytes in hex", text, len(dst))
	}
	return nil
}

// Swap is replay.Live's. The owner knows where its shadow store is.
func (l runningLive) Swap(ctx context.Context, p int32, _ string) error {
	return whenReady(ctx, func() error { return l[p].Swap(ctx, p) })
}

// busyPatience is how long a partition may be under takeover before it is given up.
const busyPatience = 30 * time.Second

// whenReady asks again while the answer is "not now".
func whenReady(ctx context.Context, ask func() error) error {
	began := time.Now()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		refusal, ok := errors.AsType[*admin.Refusal](err)
		if !ok || refusal.Code != http.StatusConflict || time.Since(began) > busyPatience {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// stoppedLive is a data directory that no process holds.
type stoppedLive struct{ store *eventstore.Store }

// StateHash is replay.Live's.
func (l stoppedLive) StateHash(_ context.Context, p int32) (h replay.StateHash, err error) {
	part, err := l.store.Partition(p)
	if err != nil {
		return h, err
	}
	snap, err := part.Snapshot()
	if err == nil {
		h, err = replay.HashOf(snap)
		snap.Close()
	}
	return h, errors.Join(err, part.Close())
}

// Swap is replay.Live's.
func (l stoppedLive) Swap(_ context.Context, p int32, dir string) error { return l.store.Swap(p, dir) }
