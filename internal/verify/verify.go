package verify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// run is one verification.
type run struct {
	cfg    Config
	n      int32 // partitions
	starts topiclog.Offsets
	early  topiclog.Offsets // ends before the committed offsets were read (V2)
	late   topiclog.Offsets // ends after that, with what was open then settled

	parts   []*partition
	letters [][]letter // of invite.dead, by origin partition, in order of origin offset

	texts  schemas.CampaignTexts
	broken recorder
	dead   int64
	lag    int64
	read   atomic.Int64 // facts, for progress
	shown  sync.Mutex
}

// Run verifies the topics of cfg.Log against the group's committed offsets. An error means that
// it could not be done; what is wrong with the log is in the report.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	v := &run{cfg: cfg, broken: recorder{keep: cfg.KeepBroken}}
	steps := []func(context.Context) error{
		v.snapshot, v.readInviteDead, v.readControlDead, v.walk, v.readResults, v.readCouponDead, v.readLag, v.checkStock,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("verify: %w", err)
		}
	}
	for _, p := range v.parts {
		p.finishCoupons()
	}
	v.checkAcross()
	v.eachUser()
	return v.report(), nil
}

// snapshot fixes the moment that is judged (V2).
func (v *run) snapshot(ctx context.Context) (err error) {
	if v.starts, v.early, err = v.cfg.Log.Bounds(ctx, 0); err != nil {
		return err
	}
	commits, err := v.cfg.Log.Commits(ctx, v.cfg.Group)
	if err != nil {
		return err
	}
	if _, v.late, err = v.cfg.Log.Bounds(ctx, v.cfg.Settle); err != nil {
		return err
	}
	v.n = int32(len(commits)) //nolint:gosec // partitions
	for t := range schemas.Topics {
		if len(v.early[t]) != int(v.n) || len(v.late[t]) != int(v.n) {
			return fmt.Errorf("topic %s has %d partitions and %s has %d; one chain's records lie in the same partition of every topic keyed by chain, so all have the same number",
				t, len(v.late[t]), schemas.TopicEvents, v.n)
		}
	}
	for i, c := range commits {
		v.parts = append(v.parts, v.partition(int32(i), c))
	}
	return nil
}

// walk merges the topics of every partition, some partitions at a time (V1).
func (v *run) walk(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(v.parts))
	turn := make(chan struct{}, v.cfg.Workers)
	var wg sync.WaitGroup
	for i, p := range v.parts {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			if errs[i] = p.walk(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// progress is told of facts read, in thousands.
func (v *run) progress(facts int64) {
	done := v.read.Add(facts)
	if v.cfg.Progress == nil {
		return
	}
	var total int64
	for _, p := range v.parts {
		total += p.meta.Seq
	}
	v.shown.Lock()
	defer v.shown.Unlock()
	v.cfg.Progress(done, total)
}

// eachUser hands out the graph, for comparison with what queries answer.
func (v *run) eachUser() {
	if v.cfg.Users == nil {
		return
	}
	for _, p := range v.parts {
		for id, c := range p.campaigns {
			for _, i := range c.members {
				v.cfg.Users(p.graph.user(id, i))
			}
		}
	}
}
