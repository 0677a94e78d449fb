package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// campaignListAnswer is what `campaign list --json` prints.
type campaignListAnswer struct {
	Campaigns []campaignState `json:"campaigns"`
}

// campaignState is one campaign where it is furthest on; the partitions that are not there yet are behind.
type campaignState struct {
	Campaign int64            `json:"campaign"`
	Version  int64            `json:"version"`
	SHA256   string           `json:"sha256"`
	State    string           `json:"state"`  // RUNNING, PAUSED or STOPPED; starts and ends are event time
	Starts   string           `json:"starts"` // RFC 3339, UTC
	Ends     string           `json:"ends"`
	Change   int64            `json:"change"` // number of the last one; 0 before the first
	Changes  []campaignChange `json:"changes"`
	Behind   []int32          `json:"behind"` // partitions with an older version or change, or none
}

type campaignChange struct {
	Number      int64  `json:"number"`
	Kind        string `json:"kind"` // PAUSE, RESUME, STOP or TOP_UP
	Reason      string `json:"reason"`
	Coupon      string `json:"coupon,omitempty"`
	Stock       int64  `json:"stock,omitempty"` // pieces added
	Currency    string `json:"currency,omitempty"`
	BudgetMinor int64  `json:"budget_minor,omitempty"` // budget added
}

func newCampaignListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show the campaigns in force and their changes, as the facts have them",
		Long: `Show the campaigns in force and their changes, as the facts have them; all of hongbao.facts is read. With --json:
{campaigns: [{campaign, version, sha256, state, starts, ends, change, changes: [{number, kind, reason, coupon, stock, currency, budget_minor}], behind}]}.
state is RUNNING, PAUSED or STOPPED; behind are the partitions where an older version or change is in force, or none.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listCampaigns(cmd.Context()) },
	}
}

func (a *app) listCampaigns(ctx context.Context) error {
	log, err := a.dialTopics(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	all, err := readCampaigns(ctx, log)
	if err != nil {
		return err
	}
	answer := campaignListAnswer{Campaigns: []campaignState{}}
	for _, c := range all.byID {
		if c.rules != nil {
			answer.Campaigns = append(answer.Campaigns, c.state())
		}
	}
	slices.SortFunc(answer.Campaigns, func(x, y campaignState) int { return cmp.Compare(x.Campaign, y.Campaign) })
	return a.answer(answer, answer.print)
}

func (c *campaignFacts) state() campaignState {
	front := slices.MaxFunc(c.places, func(x, y campaignPlace) int {
		return cmp.Or(cmp.Compare(x.change, y.change), cmp.Compare(x.version, y.version))
	})
	s := campaignState{
		Campaign: c.rules.ID, Version: c.rules.Version, SHA256: hex.EncodeToString(c.rules.SHA256[:]), State: front.state(),
		Starts: utc(c.rules.StartsMS), Ends: utc(c.rules.EndsMS), Change: front.change,
		Changes: []campaignChange{}, Behind: []int32{},
	}
	for _, m := range c.changes {
		s.Changes = append(s.Changes, campaignChange{
			Number: m.GetNumber(), Kind: changeName(m.GetKind()), Reason: m.GetReason(), Coupon: m.GetCoupon(), Stock: m.GetStockDelta(),
			Currency: m.GetBudgetCurrency(), BudgetMinor: m.GetBudgetDeltaMinor(),
		})
	}
	for p := range c.places {
		if c.places[p].version != c.rules.Version || c.places[p].change != front.change {
			s.Behind = append(s.Behind, int32(p))
		}
	}
	return s
}

func (at campaignPlace) state() string {
	switch {
	case at.stopped:
		return "STOPPED"
	case at.paused:
		return "PAUSED"
	}
	return "RUNNING"
}

func changeName(k pb.ChangeKind) string { return strings.TrimPrefix(k.String(), "CHANGE_KIND_") }

func utc(unixMS int64) string { return time.UnixMilli(unixMS).UTC().Format(time.RFC3339) }

func (l *campaignListAnswer) print(w io.Writer) {
	if len(l.Campaigns) == 0 {
		fmt.Fprintln(w, "no campaign is in force: there are no facts of one in "+schemas.TopicFacts.String())
	}
	for i := range l.Campaigns {
		c := &l.Campaigns[i]
		fmt.Fprintf(w, "campaign %d version %d %s, from %s to %s, sha256 %s\n", c.Campaign, c.Version, c.State, c.Starts, c.Ends, c.SHA256)
		for _, m := range c.Changes {
			fmt.Fprintf(w, "  change %d %s%s: %s\n", m.Number, m.Kind, m.added(), m.Reason)
		}
		if len(c.Behind) > 0 {
			fmt.Fprintf(w, "  not yet so in %s\n", partitionNames(c.Behind))
		}
	}
}

func (m *campaignChange) added() string {
	switch {
	case m.Coupon != "":
		return fmt.Sprintf(" of %d %s", m.Stock, m.Coupon)
	case m.Currency != "":
		return fmt.Sprintf(" of %d %s", m.BudgetMinor, m.Currency)
	}
	return ""
}

// partitionNames is "partition 3", or "partitions 3, 7".
func partitionNames(ps []int32) string {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = fmt.Sprint(p)
	}
	if len(ps) == 1 {
		return "partition " + names[0]
	}
	return "partitions " + strings.Join(names, ", ")
}
