package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// campaignPlace is what one partition's facts say of a campaign. Version 0: it is not known there.
type campaignPlace struct {
	version int64
	sha256  [32]byte
	change  int64 // number of the last change
	paused  bool
	stopped bool
}

// campaignFacts are what all partitions' facts say of a campaign, and what hongbao.control holds that they do
// not say yet.
type campaignFacts struct {
	places  []campaignPlace
	rules   *schemas.Campaign    // of the highest version in force somewhere; nil: of none
	coming  *schemas.Campaign    // of a higher version that is not in force anywhere yet; nil: there is none
	changes []*pb.CampaignChange // in force somewhere, by number
	number  int64                // the highest of any change, in force or coming
	stopped bool                 // so too
}

// newest are the rules of the highest version, in force or coming.
func (c *campaignFacts) newest() *schemas.Campaign {
	if c.coming != nil {
		return c.coming
	}
	return c.rules
}

// campaignLog is all campaigns, as far as the topics had been written when reading began.
type campaignLog struct {
	partitions int
	byID       map[int64]*campaignFacts
	ends       topiclog.Offsets // of facts, control and coupon.dead: what comes later was not read
}

// readCampaigns reads the fact log whole, then what no worker has read yet of hongbao.control. Where a worker
// stands is taken from its last StepEnded, and so from the same log: the two leave no gap between them.
func readCampaigns(ctx context.Context, log *topiclog.Client) (*campaignLog, error) {
	if err := settleControl(ctx, log); err != nil {
		return nil, err
	}
	ends, err := log.Ends(ctx, topiclog.Committed, schemas.TopicFacts, schemas.TopicControl, schemas.TopicCouponDead)
	if err != nil {
		return nil, err
	}
	starts, err := log.Starts(ctx, schemas.TopicControl)
	if err != nil {
		return nil, err
	}
	unread := starts[schemas.TopicControl]
	all := &campaignLog{partitions: len(unread), byID: map[int64]*campaignFacts{}, ends: ends}
	var f schemas.Fact
	err = log.Read(ctx, schemas.TopicFacts, topiclog.ReadOptions{To: ends[schemas.TopicFacts]}, func(r *topiclog.Record) error {
		if err := f.Decode(r.Value); err != nil {
			return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		switch f.Kind {
		case schemas.FactStepEnded:
			unread[r.Partition] = max(unread[r.Partition], f.Step.Positions[schemas.TopicControl])
		case schemas.FactCampaignActivated:
			return all.activated(r.Partition, f.Rare.GetCampaignActivated())
		case schemas.FactCampaignChanged:
			all.changed(r.Partition, f.Rare.GetCampaignChanged().GetChange())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = log.Read(ctx, schemas.TopicControl, topiclog.ReadOptions{From: unread, To: ends[schemas.TopicControl]}, func(r *topiclog.Record) error {
		all.coming(r.Value)
		return nil
	})
	for _, c := range all.byID {
		slices.SortFunc(c.changes, func(a, b *pb.CampaignChange) int { return cmp.Compare(a.GetNumber(), b.GetNumber()) })
	}
	return all, err
}

// controlPatience is longer than a transaction whose sender has died stays open.
const controlPatience = 50 * time.Second

// settleControl waits until what stands on hongbao.control now is committed or aborted. A broadcast is committed
// before its markers are written, so that without this the next command would not see it and take its number again.
func settleControl(ctx context.Context, log *topiclog.Client) error {
	const t = schemas.TopicControl
	high, err := log.Ends(ctx, topiclog.Uncommitted, t)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, controlPatience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		stable, err := log.Ends(ctx, topiclog.Committed, t)
		if err != nil {
			return err
		}
		open := -1
		for p, end := range high[t] {
			if stable[t][p] < end {
				open = p
			}
		}
		if open < 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("a transaction is open on %s/%d from offset %d on and did not end within %s: %w", t, open, stable[t][open], controlPatience, ctx.Err())
		case <-tick.C:
		}
	}
}

func (all *campaignLog) get(id int64) *campaignFacts {
	c := all.byID[id]
	if c == nil {
		c = &campaignFacts{places: make([]campaignPlace, all.partitions)}
		all.byID[id] = c
	}
	return c
}

func (all *campaignLog) activated(partition int32, m *pb.CampaignActivated) error {
	c := all.get(m.GetCampaign())
	at := &c.places[partition]
	at.version = m.GetVersion()
	copy(at.sha256[:], m.GetSha256())
	if c.rules != nil && c.rules.Version >= m.GetVersion() {
		return nil
	}
	rules, err := schemas.ParseCampaign("CampaignActivated", []byte(m.GetText()))
	if err != nil {
		return fmt.Errorf("campaign %d version %d of %s: %w", m.GetCampaign(), m.GetVersion(), schemas.TopicFacts, err)
	}
	c.rules = rules
	return nil
}

func (all *campaignLog) changed(partition int32, m *pb.CampaignChange) {
	c := all.get(m.GetCampaign())
	at := &c.places[partition]
	at.change = m.GetNumber()
	switch m.GetKind() {
	case pb.ChangeKind_CHANGE_KIND_PAUSE:
		at.paused = true
	case pb.ChangeKind_CHANGE_KIND_RESUME:
		at.paused = false
	case pb.ChangeKind_CHANGE_KIND_STOP:
		at.stopped = true
	}
	c.foresee(m)
	if !slices.ContainsFunc(c.changes, func(o *pb.CampaignChange) bool { return o.GetNumber() == m.GetNumber() }) {
		c.changes = append(c.changes, m)
	}
}

// coming notes a command that some partition has not read yet. What does not decode is a dead letter to be.
func (all *campaignLog) coming(value []byte) {
	cmd, err := schemas.DecodeControl(value)
	if err != nil {
		return
	}
	if m := cmd.GetCampaignChange(); m != nil {
		all.get(m.GetCampaign()).foresee(m)
	}
	if m := cmd.GetCampaignApply(); m != nil {
		rules, err := schemas.ParseCampaign("campaign apply", []byte(m.GetText()))
		if err != nil {
			return
		}
		if c := all.get(rules.ID); c.newest() == nil || c.newest().Version < rules.Version {
			c.coming = rules
		}
	}
}

func (c *campaignFacts) foresee(m *pb.CampaignChange) {
	c.number = max(c.number, m.GetNumber())
	c.stopped = c.stopped || m.GetKind() == pb.ChangeKind_CHANGE_KIND_STOP
}
