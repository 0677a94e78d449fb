package main

import (
	"fmt"
	"slices"
	"strings"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// campaignOrder is what is to be sent about one campaign: a version of its rules or a change.
type campaignOrder struct {
	id      int64
	rules   *schemas.Campaign  // of an apply
	change  *pb.CampaignChange // of anything else
	command *pb.ControlCommand
	waiting []int32 // partitions in whose facts it does not stand yet
}

// orderApply keeps domain.md section 5: a higher version takes effect, the same with another hash or a lower one is refused.
func orderApply(all *campaignLog, c *schemas.Campaign) (*campaignOrder, error) {
	known := all.get(c.ID)
	if now := known.newest(); now != nil {
		switch {
		case now.Version > c.Version:
			return nil, fmt.Errorf("%s has campaign %d version %d; version %d is in force or on its way, and only a higher one takes effect", c.Name, c.ID, c.Version, now.Version)
		case now.Version == c.Version && now.SHA256 != c.SHA256:
			return nil, fmt.Errorf("%s has campaign %d version %d with sha256 %x; that version is in force or on its way with sha256 %x: give the changed file a higher version",
				c.Name, c.ID, c.Version, c.SHA256, now.SHA256)
		}
	}
	o := &campaignOrder{id: c.ID, rules: c, command: &pb.ControlCommand{Body: &pb.ControlCommand_CampaignApply{CampaignApply: &pb.CampaignApply{
		Campaign: c.ID, Version: c.Version, Sha256: c.SHA256[:], Text: string(c.Text),
	}}}}
	for p := range known.places {
		if at := &known.places[p]; at.version != c.Version || at.sha256 != c.SHA256 {
			o.waiting = append(o.waiting, int32(p))
		}
	}
	return o, nil
}

// orderChange numbers a change and refuses one that would do nothing.
func orderChange(all *campaignLog, m *pb.CampaignChange) (*campaignOrder, error) {
	if strings.TrimSpace(m.GetReason()) == "" {
		return nil, fmt.Errorf("--reason is empty; a %s of campaign %d says why, for whoever reads the facts", changeName(m.GetKind()), m.GetCampaign())
	}
	known := all.get(m.GetCampaign())
	rules := known.newest()
	if rules == nil {
		return nil, fmt.Errorf("campaign %d is not known: neither %s nor %s has it; `hongbao campaign apply FILE` brings it into force",
			m.GetCampaign(), schemas.TopicFacts, schemas.TopicControl)
	}
	if known.stopped && m.GetKind() != pb.ChangeKind_CHANGE_KIND_TOP_UP {
		return nil, fmt.Errorf("campaign %d is STOPPED, which is for good: a %s would do nothing", m.GetCampaign(), changeName(m.GetKind()))
	}
	if err := checkTopUp(rules, m); err != nil {
		return nil, err
	}
	m.Number = known.number + 1
	o := &campaignOrder{id: m.GetCampaign(), change: m, command: &pb.ControlCommand{Body: &pb.ControlCommand_CampaignChange{CampaignChange: m}}}
	for p := range known.places {
		o.waiting = append(o.waiting, int32(p))
	}
	return o, nil
}

// checkTopUp refuses to add to what the campaign does not have: nobody would notice, for it is never asked for.
func checkTopUp(rules *schemas.Campaign, m *pb.CampaignChange) error {
	has := func(k schemas.CouponKind) bool { return string(k.Name) == m.GetCoupon() }
	if m.GetCoupon() != "" && !slices.ContainsFunc(rules.Coupons, has) {
		return fmt.Errorf("--coupon %q: campaign %d version %d has no such kind; `hongbao campaign check FILE` shows what a file has", m.GetCoupon(), rules.ID, rules.Version)
	}
	bounds := func(b schemas.Budget) bool { return string(b.Currency) == m.GetBudgetCurrency() }
	if m.GetBudgetCurrency() != "" && !slices.ContainsFunc(rules.Budget, bounds) {
		return fmt.Errorf("--budget %s: campaign %d version %d has no budget in it that could be raised", m.GetBudgetCurrency(), rules.ID, rules.Version)
	}
	return nil
}
