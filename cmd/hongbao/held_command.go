package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	pb "hongbao/schemas/invitepb"
)

// heldAnswer is what `held list --json` prints.
type heldAnswer struct {
	Coupons []*couponLine `json:"coupons"`
}

func newHeldCommand(a *app) *cobra.Command {
	return newGroup("held", "List coupons that are held back for review, and decide on them",
		newHeldListCommand(a),
		newHeldDecisionCommand(a, "approve", "Let HELD coupons go to the issuer", pb.ReviewDecision_REVIEW_DECISION_APPROVE),
		newHeldDecisionCommand(a, "reject", "Reject HELD coupons: they become DEAD (REVIEW_REJECTED)", pb.ReviewDecision_REVIEW_DECISION_REJECT),
	)
}

func newHeldListCommand(a *app) *cobra.Command {
	var f couponFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List coupons that are HELD",
		Long: `List coupons that are HELD now, by the facts, all of which are read. With --json:
{coupons: [{coupon, state, reason, partition, campaign, chain, user, kind, rule, attempts, round, since, last_error}]}.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listHeld(cmd.Context(), f) },
	}
	f.add(cmd)
	return cmd
}

func newHeldDecisionCommand(a *app, verb, short string, decision pb.ReviewDecision) *cobra.Command {
	var f reviewFlags
	cmd := &cobra.Command{
		Use:   verb,
		Short: short,
		Long:  short + ".\n" + reviewHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(pb.CouponState_COUPON_STATE_HELD)
			if err != nil {
				return err
			}
			return a.review(cmd.Context(), &f, filter, decision)
		},
	}
	f.add(cmd)
	return cmd
}

func (a *app) listHeld(ctx context.Context, f couponFlags) error {
	reason, err := parseReason(f.reason)
	if err != nil {
		return err
	}
	log, err := a.dialTopics(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	var answer heldAnswer
	filter := couponFilter{state: pb.CouponState_COUPON_STATE_HELD, reason: reason, campaign: f.campaign}
	if answer.Coupons, err = listCoupons(ctx, log, filter); err != nil {
		return err
	}
	return a.answer(answer, func(w io.Writer) {
		printCoupons(w, answer.Coupons)
		if len(answer.Coupons) == 0 {
			fmt.Fprintln(w, "no coupon is held")
		}
	})
}
