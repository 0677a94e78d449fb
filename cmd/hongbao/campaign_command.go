package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"hongbao/schemas"
)

func newCampaignCommand(a *app) *cobra.Command {
	return newGroup("campaign", "Bring campaigns into force, pause, resume, stop and top them up, without a restart",
		newCampaignCheckCommand(a), newCampaignListCommand(a), newCampaignApplyCommand(a),
		newSwitchCommand(a, "pause", "Refuse events of a campaign until it is resumed"),
		newSwitchCommand(a, "resume", "Take events of a paused campaign again"),
		newSwitchCommand(a, "stop", "Close a campaign for good"),
		newTopUpCommand(a),
	)
}

// campaignFileAnswer is what `campaign check --json` prints.
type campaignFileAnswer struct {
	Campaign int64            `json:"campaign"`
	Version  int64            `json:"version"`
	SHA256   string           `json:"sha256"`
	Starts   string           `json:"starts"` // RFC 3339, UTC
	Ends     string           `json:"ends"`
	MaxDepth int32            `json:"max_depth"`
	Beyond   string           `json:"beyond"` // link or refuse
	Coupons  []campaignCoupon `json:"coupons"`
	Budget   []campaignBudget `json:"budget"` // a currency without one is not bounded
	Rewards  []campaignReward `json:"rewards"`
}

type campaignCoupon struct {
	Kind       string `json:"kind"`
	Stock      int64  `json:"stock"`
	ValidFor   string `json:"valid_for"`
	ValueMinor int64  `json:"value_minor"`
	Currency   string `json:"currency"`
}

type campaignBudget struct {
	Currency string `json:"currency"`
	Minor    int64  `json:"minor"`
}

type campaignReward struct {
	ID       string `json:"id"`
	On       string `json:"on"`
	To       string `json:"to"`
	Level    int32  `json:"level,omitempty"`
	Every    int64  `json:"every,omitempty"`
	Repeat   bool   `json:"repeat,omitempty"`
	MinMinor int64  `json:"min_minor,omitempty"`
	Coupon   string `json:"coupon"`
}

func newCampaignCheckCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Parse a campaign file and print what it says",
		Long: `Parse a campaign file and print what it says; nothing is asked or sent. A refusal names file, line, key, value and rule. With --json:
{campaign, version, sha256, starts, ends, max_depth, beyond, coupons: [{kind, stock, valid_for, value_minor, currency}], budget: [{currency, minor}],
rewards: [{id, on, to, level, every, repeat, min_minor, coupon}]}.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := readCampaignFile(args[0])
			if err != nil {
				return err
			}
			answer := sayCampaign(c)
			return a.answer(answer, answer.print)
		},
	}
}

func readCampaignFile(name string) (*schemas.Campaign, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("campaign file: %w", err)
	}
	return schemas.ParseCampaign(name, text)
}

func sayCampaign(c *schemas.Campaign) *campaignFileAnswer {
	answer := &campaignFileAnswer{
		Campaign: c.ID, Version: c.Version, SHA256: hex.EncodeToString(c.SHA256[:]), Starts: utc(c.StartsMS), Ends: utc(c.EndsMS),
		MaxDepth: c.MaxDepth, Beyond: "link", Coupons: []campaignCoupon{}, Budget: []campaignBudget{}, Rewards: []campaignReward{},
	}
	if c.Refuse {
		answer.Beyond = "refuse"
	}
	for _, k := range c.Coupons {
		answer.Coupons = append(answer.Coupons, campaignCoupon{
			Kind: string(k.Name), Stock: k.Stock, ValidFor: (time.Duration(k.ValidForMS) * time.Millisecond).String(),
			ValueMinor: k.ValueMinor, Currency: string(k.Currency),
		})
	}
	for _, b := range c.Budget {
		answer.Budget = append(answer.Budget, campaignBudget{Currency: string(b.Currency), Minor: b.Minor})
	}
	for _, r := range c.Rules {
		answer.Rewards = append(answer.Rewards, campaignReward{
			ID: string(r.ID), On: triggerNames[r.On], To: beneficiaryNames[r.To], Level: r.Level, Every: r.Every, Repeat: r.Repeat,
			MinMinor: r.MinMinor, Coupon: string(c.Coupons[r.Coupon].Name),
		})
	}
	return answer
}

var (
	triggerNames     = map[schemas.Trigger]string{schemas.OnJoin: "join", schemas.OnDirectJoins: "direct_joins", schemas.OnPurchase: "purchase"}
	beneficiaryNames = map[schemas.Beneficiary]string{
		schemas.ToInvitee: "invitee", schemas.ToInviter: "inviter", schemas.ToLevel: "level", schemas.ToBuyer: "buyer",
	}
)

func (c *campaignFileAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "campaign %d version %d, from %s to %s, depth %d, beyond: %s, sha256 %s\n",
		c.Campaign, c.Version, c.Starts, c.Ends, c.MaxDepth, c.Beyond, c.SHA256)
	for _, k := range c.Coupons {
		fmt.Fprintf(w, "coupon %s: %d pieces of %d %s (minor units), good for %s\n", k.Kind, k.Stock, k.ValueMinor, k.Currency, k.ValidFor)
	}
	for _, b := range c.Budget {
		fmt.Fprintf(w, "budget %s: %d (minor units)\n", b.Currency, b.Minor)
	}
	for _, r := range c.Rewards {
		fmt.Fprintf(w, "reward %s: on %s to %s%s, coupon %s\n", r.ID, r.On, r.To, r.conditions(), r.Coupon)
	}
}

func (r *campaignReward) conditions() string {
	text := ""
	if r.Level > 0 {
		text += fmt.Sprintf(" %d", r.Level)
	}
	if r.Every > 0 {
		text += fmt.Sprintf(", every %d", r.Every)
		if !r.Repeat {
			text += ", once"
		}
	}
	if r.MinMinor > 0 {
		text += fmt.Sprintf(", from %d (minor units)", r.MinMinor)
	}
	return text
}
