package processor

import (
	"fmt"

	"hongbao/internal/crashpoint"
	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// activateCampaigns makes the configured campaigns facts: the first fact under a version in a partition is
// CampaignActivated, so that verify and replay need the topics only (domain.md section 5). A file older than what is in force refuses
// the start, in whichever of the first partitions that shows; of one that comes later, another owner may have been told a newer file.
func (w *worker) activateCampaigns() error {
	for _, c := range w.x.cfg.Campaigns {
		have, ok := w.state.Campaign(c.ID)
		if ok && have.Rules.Version == c.Version && have.Rules.SHA256 == c.SHA256 {
			continue
		}
		if ok && c.Version < have.Rules.Version && !w.x.member.starts(w.id) {
			w.log.Warn("the configured campaign file is older than what was applied since this process began; the facts win",
				"campaign", c.ID, "configured", c.Version, "in_force", have.Rules.Version)
			continue
		}
		if p := contradicts(have, ok, c); p != nil {
			stop := &Stop{
				Partition: w.id, Rule: "campaign version", Expected: "the configured campaign file to be what is in force, or a higher version of it",
				Found: p.Sentence, Remedy: "give the changed file a higher version, or deploy the file that is in force",
			}
			w.x.fail(stop) // a wrong file is wrong for every partition: refuse to start
			return stop
		}
		if err := w.activate(c); err != nil {
			return err
		}
	}
	w.x.member.begun(w.id)
	return nil
}

// contradicts says why c may not follow what is in force: the same version with another hash, or a lower one.
func contradicts(have *projections.CampaignState, ok bool, c *schemas.Campaign) *schemas.Poison {
	if !ok || c.Version > have.Rules.Version {
		return nil
	}
	return &schemas.Poison{
		Reason: pb.Reason_REASON_STALE_CHANGE,
		Sentence: fmt.Sprintf("%s (campaign %d version %d, sha256 %x) after the file of fact %d (version %d, sha256 %x) came into force",
			c.Name, c.ID, c.Version, c.SHA256[:6], have.ActivatedSeq, have.Rules.Version, have.Rules.SHA256[:6]),
	}
}

func (w *worker) activate(c *schemas.Campaign) error {
	err := w.rare(nil, &pb.Fact{Body: &pb.Fact_CampaignActivated{CampaignActivated: &pb.CampaignActivated{
		Campaign: c.ID, Version: c.Version, Sha256: c.SHA256[:], Text: string(c.Text),
	}}}, schemas.FactCampaignActivated)
	crashpoint.Hit("campaign.activate.after")
	w.stock.changed(w.draft.seq)
	return err
}

func (w *worker) applyCampaign(a *pb.CampaignApply) (*schemas.Poison, error) {
	c, err := w.x.cfg.Projections.Campaigns.Parse("campaign apply", []byte(a.GetText()))
	if err != nil {
		return &schemas.Poison{Reason: pb.Reason_REASON_INVALID_FIELD, Sentence: err.Error()}, nil
	}
	have, ok := w.state.Campaign(c.ID)
	if ok && have.Rules.Version == c.Version && have.Rules.SHA256 == c.SHA256 {
		return nil, nil //nolint:nilnil // a redelivery: nothing wrong, nothing to do
	}
	if p := contradicts(have, ok, c); p != nil {
		return p, nil
	}
	if w.x.cfg.CodeKeys.Demo() && c.ID != schemas.DemoCampaignID {
		return &schemas.Poison{Reason: pb.Reason_REASON_INVALID_FIELD, Sentence: fmt.Sprintf(
			"campaign %d under the published demo key, which is good for campaign %d alone: set HONGBAO_CODE_KEYS", c.ID, schemas.DemoCampaignID)}, nil
	}
	return nil, w.activate(c)
}

// changeCampaign carries out pause, resume, stop and top-up, once per (campaign, number).
func (w *worker) changeCampaign(c *pb.CampaignChange, offset int64) (*schemas.Poison, error) {
	have, ok := w.state.Campaign(c.GetCampaign())
	if !ok {
		return &schemas.Poison{Reason: pb.Reason_REASON_UNKNOWN_CAMPAIGN, Sentence: fmt.Sprintf("change %d of campaign %d, which is not known here", c.GetNumber(), c.GetCampaign())}, nil
	}
	if c.GetNumber() <= have.Change {
		return nil, nil //nolint:nilnil // a redelivery: nothing wrong, nothing to do
	}
	if p := tooMuch(have, c); p != nil {
		return p, nil
	}
	w.stock.changed(w.draft.seq + 1)
	err := w.rare(nil, &pb.Fact{Body: &pb.Fact_CampaignChanged{CampaignChanged: &pb.CampaignChanged{Change: c, Offset: offset}}}, schemas.FactCampaignChanged)
	crashpoint.Hit("campaign.change.after")
	return nil, err
}

// tooMuch refuses a top-up that the issuer could never be told.
func tooMuch(have *projections.CampaignState, c *pb.CampaignChange) *schemas.Poison {
	pieces, minor := have.ToppedUp(c.GetCoupon(), c.GetBudgetCurrency())
	if c.GetStockDelta() <= schemas.MaxCount-pieces && c.GetBudgetDeltaMinor() <= schemas.MaxCount-minor {
		return nil
	}
	return &schemas.Poison{Reason: pb.Reason_REASON_INVALID_FIELD, Sentence: fmt.Sprintf(
		"change %d of campaign %d adds %d pieces of %q and %d minor units of %q; with the %d and %d that earlier top-ups added that is above 2^53-1",
		c.GetNumber(), c.GetCampaign(), c.GetStockDelta(), c.GetCoupon(), c.GetBudgetDeltaMinor(), c.GetBudgetCurrency(), pieces, minor)}
}
