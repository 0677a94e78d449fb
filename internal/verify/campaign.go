package verify

import (
	"crypto/sha256"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// campaign is one campaign as a partition's facts have told it so far.
type campaign struct {
	rules   *schemas.Campaign
	paused  bool
	stopped bool
	number  int64 // of the last change
	since   int64 // offset of the last verdict when it was first activated
	members map[int64]int32

	versions int            // that were in force
	had      map[string]int // of them, how many have a coupon kind
}

// activate reads a version's text: rewards and reasons are judged by it from here on.
func (p *partition) activate(m *pb.CampaignActivated) {
	if sum := sha256.Sum256([]byte(m.Text)); string(sum[:]) != string(m.Sha256) {
		p.bad(CheckRewards, "campaign %d version %d: the text's SHA-256 is %s, the fact says %s", m.Campaign, m.Version, hex(sum[:]), hex(m.Sha256))
	}
	rules, err := p.v.texts.Parse("CampaignActivated", []byte(m.Text))
	if err != nil {
		p.bad(CheckRewards, "campaign %d version %d does not read: %v", m.Campaign, m.Version, err)
		return
	}
	p.orders.applied[rules.SHA256] = true
	if rules.ID != m.Campaign || rules.Version != m.Version {
		p.bad(CheckRewards, "the fact names campaign %d version %d, its text campaign %d version %d", m.Campaign, m.Version, rules.ID, rules.Version)
	}
	c := p.campaigns[m.Campaign]
	if c == nil {
		c = &campaign{members: make(map[int64]int32), since: p.answered, had: make(map[string]int)}
		p.campaigns[m.Campaign] = c
	} else if m.Version <= c.rules.Version {
		p.bad(CheckRewards, "campaign %d: version %d is activated after version %d; only higher ones take effect", m.Campaign, m.Version, c.rules.Version)
	}
	c.rules = rules
	c.versions++
	for i := range rules.Coupons {
		c.had[string(rules.Coupons[i].Name)]++
	}
}

// change takes effect at its seq.
func (p *partition) change(m *pb.CampaignChanged) {
	ch := m.GetChange()
	p.orders.changed[m.Offset] = ch
	c := p.campaigns[ch.GetCampaign()]
	if c == nil {
		p.bad(CheckGraph, "campaign %d is changed and was never activated", ch.GetCampaign())
		return
	}
	if ch.Number <= c.number {
		p.bad(CheckGraph, "campaign %d: change %d follows change %d; each takes effect once, in order", ch.Campaign, ch.Number, c.number)
	}
	c.number = ch.Number
	switch ch.Kind {
	case pb.ChangeKind_CHANGE_KIND_PAUSE:
		c.paused = true
	case pb.ChangeKind_CHANGE_KIND_RESUME:
		c.paused = false
	case pb.ChangeKind_CHANGE_KIND_STOP:
		c.stopped = true
	}
}

// closed has a bit for every reason of the campaign not to take an event of that time.
func (c *campaign) closed(timeMS int64) (reasons uint64) {
	if timeMS < c.rules.StartsMS {
		reasons |= bit(pb.Reason_REASON_CAMPAIGN_NOT_STARTED)
	}
	if timeMS >= c.rules.EndsMS || c.stopped {
		reasons |= bit(pb.Reason_REASON_CAMPAIGN_CLOSED)
	}
	if c.paused {
		reasons |= bit(pb.Reason_REASON_CAMPAIGN_PAUSED)
	}
	return reasons
}
