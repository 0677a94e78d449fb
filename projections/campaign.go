package projections

import (
	"bytes"
	"fmt"
	"slices"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// CampaignState is a campaign as this partition knows it. It belongs to the state: read it, and
// not across a Fold.
type CampaignState struct {
	Rules        *schemas.Campaign // the version in force
	ActivatedSeq int64
	Paused       bool
	Stopped      bool
	Change       int64 // number of the last change; 0 before the first
	TopUps       []TopUp
	Stats        Stats
}

// TopUp is a change that raised stock, a budget or both.
type TopUp struct {
	Number           int64 // of the change
	Coupon           string
	StockDelta       int64
	BudgetCurrency   string
	BudgetDeltaMinor int64
}

// ToppedUp is what the top-ups add to the stock of a coupon kind, in pieces, and to the budget in a currency, in minor units.
func (c *CampaignState) ToppedUp(coupon, currency string) (pieces, minor int64) {
	for i := range c.TopUps {
		t := &c.TopUps[i]
		if t.Coupon == coupon {
			pieces += t.StockDelta
		}
		if t.BudgetCurrency == currency {
			minor += t.BudgetDeltaMinor
		}
	}
	return pieces, minor
}

// campaign is one campaign's state: rules, tables and their indexes.
type campaign struct {
	CampaignState
	*source
	id int64

	members    table[memberPage, *memberPage]
	inviters   table[inviterPage, *inviterPage]
	chains     table[chainPage, *chainPage]
	shares     table[sharePage, *sharePage]
	users      index // of the members in memory
	cold       sieve // of the members whose page may be absent
	shareIDs   index // of shares whose code has not expired
	shareInfo  []sharePageInfo
	shareFloor uint32 // pages below it are gone
	keyedDay   uint16 // day up to which cold pages have their keys

	changed bool // anything, since the last flush
	ruled   bool // rules or switches, since the last flush
}

func newCampaign(id int64, src *source) *campaign {
	c := &campaign{source: src, id: id}
	c.members = table[memberPage, *memberPage]{source: src, space: SpaceMembers, campaign: id, next: 1}
	c.inviters = table[inviterPage, *inviterPage]{source: src, space: SpaceInviters, campaign: id, next: 1}
	c.chains = table[chainPage, *chainPage]{source: src, space: SpaceChains, campaign: id, next: 1}
	c.shares = table[sharePage, *sharePage]{source: src, space: SpaceShares, campaign: id, next: 1}
	c.users.prepare(0, 0)
	c.shareIDs.prepare(0, 0)
	return c
}

// campaign is nil for one that is not active here. There are few, and the last one asked for is
// nearly always the next.
func (s *State) campaign(id int64) *campaign {
	if s.last != nil && s.last.id == id {
		return s.last
	}
	for _, c := range s.campaigns {
		if c.id == id {
			s.last = c
			return c
		}
	}
	return nil
}

// Campaign is what this partition knows of a campaign, ok if it is active here.
func (s *State) Campaign(id int64) (state *CampaignState, ok bool) {
	if c := s.campaign(id); c != nil {
		return &c.CampaignState, true
	}
	return nil, false
}

// EachCampaign goes through the campaigns by id.
func (s *State) EachCampaign(fn func(*CampaignState)) {
	for _, c := range s.campaigns {
		fn(&c.CampaignState)
	}
}

// foldActivated brings a version into force from this fact on. Switches and top-ups stay.
func (s *State) foldActivated(seq int64, a *pb.CampaignActivated) error {
	rules, err := s.cfg.Campaigns.Parse(fmt.Sprintf("campaign %d version %d of fact %d", a.GetCampaign(), a.GetVersion(), seq), []byte(a.GetText()))
	if err != nil {
		return err
	}
	if rules.ID != a.GetCampaign() || rules.Version != a.GetVersion() || !bytes.Equal(rules.SHA256[:], a.GetSha256()) {
		return fmt.Errorf("campaign %d version %d is activated with the text of campaign %d version %d, SHA-256 %x", a.GetCampaign(), a.GetVersion(), rules.ID, rules.Version, rules.SHA256)
	}
	c := s.campaign(rules.ID)
	if c == nil {
		c = newCampaign(rules.ID, &s.source)
		s.insert(c)
	} else if rules.Version <= c.Rules.Version {
		return fmt.Errorf("campaign %d version %d is activated after version %d", rules.ID, rules.Version, c.Rules.Version)
	}
	c.Rules, c.ActivatedSeq = rules, seq
	c.changed, c.ruled = true, true
	return nil
}

func (s *State) insert(c *campaign) {
	at, _ := slices.BinarySearchFunc(s.campaigns, c.id, func(o *campaign, id int64) int { return int(min(max(o.id-id, -1), 1)) })
	s.campaigns = slices.Insert(s.campaigns, at, c)
}

// foldChanged: each number once, in rising order.
func (s *State) foldChanged(ch *pb.CampaignChange) error {
	c := s.campaign(ch.GetCampaign())
	if c == nil {
		return fmt.Errorf("change %d of campaign %d, which is not active here", ch.GetNumber(), ch.GetCampaign())
	}
	if ch.GetNumber() <= c.Change {
		return fmt.Errorf("change %d of campaign %d after change %d", ch.GetNumber(), c.id, c.Change)
	}
	switch ch.GetKind() {
	case pb.ChangeKind_CHANGE_KIND_PAUSE:
		c.Paused = true
	case pb.ChangeKind_CHANGE_KIND_RESUME:
		c.Paused = false
	case pb.ChangeKind_CHANGE_KIND_STOP:
		c.Stopped = true
	case pb.ChangeKind_CHANGE_KIND_TOP_UP:
		c.TopUps = append(c.TopUps, TopUp{
			Number: ch.GetNumber(), Coupon: ch.GetCoupon(), StockDelta: ch.GetStockDelta(),
			BudgetCurrency: ch.GetBudgetCurrency(), BudgetDeltaMinor: ch.GetBudgetDeltaMinor(),
		})
	default:
		return fmt.Errorf("change %d of campaign %d is of kind %d: there is no such kind", ch.GetNumber(), c.id, ch.GetKind())
	}
	c.Change = ch.GetNumber()
	c.changed, c.ruled = true, true
	return nil
}
