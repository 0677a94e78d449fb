package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// sentHelp documents what all commands that send have in common.
const sentHelp = `
One record goes to every partition in one transaction, on hongbao.control. Then the command waits until every partition has
said by a committed fact that it is in force there: within 2 s where all partitions have an owner.
Exit code 0: in force everywhere, or sent with --no-wait. 1: refused, or some partitions have not answered within --patience;
what was sent stays on hongbao.control and takes effect there as soon as an instance owns them. All of hongbao.facts is read first.
With --json: {ok, campaign, version, sha256, change, kind, sent, waiting: [partition], refused: [{partition, reason, sentence}]};
an apply has version and sha256, the others change (its number) and kind.`

func newCampaignApplyCommand(a *app) *cobra.Command {
	var wait waitFlags
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Bring a campaign file into force on all partitions",
		Long: `Bring a campaign file into force on all partitions. A file that is in force already is no error; the same version with
another text, or a lower version than the one in force, is refused. Give the file to the instances too before they are restarted with --campaigns:
an instance does not start with a lower version than the one in force.
` + sentHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := readCampaignFile(args[0])
			if err != nil {
				return err
			}
			return a.sendCampaign(cmd.Context(), wait, func(all *campaignLog) (*campaignOrder, error) { return orderApply(all, c) })
		},
	}
	wait.add(cmd)
	return cmd
}

func newSwitchCommand(a *app, verb, short string) *cobra.Command {
	var wait waitFlags
	var reason string
	kind := pb.ChangeKind(pb.ChangeKind_value["CHANGE_KIND_"+strings.ToUpper(verb)])
	cmd := &cobra.Command{
		Use:   verb + " ID",
		Short: short,
		Long:  short + ".\n" + sentHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := campaignID(args[0])
			if err != nil {
				return err
			}
			m := &pb.CampaignChange{Campaign: id, Kind: kind, Reason: reason}
			return a.sendCampaign(cmd.Context(), wait, func(all *campaignLog) (*campaignOrder, error) { return orderChange(all, m) })
		},
	}
	wait.add(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why; it stands in the facts")
	return cmd
}

func newTopUpCommand(a *app) *cobra.Command {
	var wait waitFlags
	m := &pb.CampaignChange{Kind: pb.ChangeKind_CHANGE_KIND_TOP_UP}
	var budget string
	cmd := &cobra.Command{
		Use:   "top-up ID",
		Short: "Add stock to a coupon kind of a campaign, or money to its budget in a currency",
		Long: `Add stock to a coupon kind of a campaign (--coupon KIND --stock N), or money to its budget in a currency (--budget CNY=50000, in minor units).
The issuer adds it once, whatever is sent again. Coupons that FAILED for want of it are issued after
  hongbao dead redrive --all --reason OUT_OF_STOCK|OUT_OF_BUDGET --campaign ID --operator NAME --note TEXT
` + sentHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if m.Campaign, err = campaignID(args[0]); err != nil {
				return err
			}
			if err = setBudget(m, budget); err != nil {
				return err
			}
			return a.sendCampaign(cmd.Context(), wait, func(all *campaignLog) (*campaignOrder, error) { return orderChange(all, m) })
		},
	}
	wait.add(cmd)
	cmd.Flags().StringVar(&m.Reason, "reason", "", "why; it stands in the facts")
	cmd.Flags().StringVar(&m.Coupon, "coupon", "", "coupon kind, as the campaign's file names it")
	cmd.Flags().Int64Var(&m.StockDelta, "stock", 0, "pieces to add")
	cmd.Flags().StringVar(&budget, "budget", "", "CURRENCY=MINOR: money to add, in the currency's minor unit")
	return cmd
}

func campaignID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 || id > schemas.MaxCampaignID {
		return 0, fmt.Errorf("campaign %q: want its id, 1..%d", text, schemas.MaxCampaignID)
	}
	return id, nil
}

// setBudget reads CNY=50000. Whether stock and budget go together is for the command's own rules to say.
func setBudget(m *pb.CampaignChange, text string) error {
	if text == "" {
		return nil
	}
	currency, minor, ok := strings.Cut(text, "=")
	n, err := strconv.ParseInt(minor, 10, 64)
	if !ok || err != nil {
		return fmt.Errorf("--budget %q: want CURRENCY=MINOR, such as CNY=50000", text)
	}
	m.BudgetCurrency, m.BudgetDeltaMinor = currency, n
	return nil
}
