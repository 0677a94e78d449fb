package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// deadAnswer is what `dead list --json` prints.
type deadAnswer struct {
	Coupons []*couponLine `json:"coupons"`
	Records []deadRecord  `json:"records"`
}

func newDeadCommand(a *app) *cobra.Command {
	return newGroup("dead", "List what waits for a person after it failed, and decide on it",
		newDeadListCommand(a), newDeadRedriveCommand(a), newDeadDiscardCommand(a))
}

func newDeadListCommand(a *app) *cobra.Command {
	var f couponFlags
	var l letterFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List coupons that are DEAD, and records that could not be carried out or judged",
		Long: `List coupons that are DEAD now, by the facts, and the records of coupon.dead about no coupon: commands that could not be
carried out, which whoever sent them must mend and send again; hongbao's own are sent again by redrive --commands. With --reason OUT_OF_STOCK or
OUT_OF_BUDGET also coupons that FAILED so: after a top-up they can be redriven. All of hongbao.facts is read. With --json:
{coupons: [{coupon, state, reason, partition, campaign, chain, user, kind, rule, attempts, round, since, last_error}],
records: [{letter, origin_topic, origin_partition, origin_offset, key, reason, sentence, since}]}.
With --events the records of invite.dead that have no verdict by now: events that could not be judged. One that died again is shown once. With --json:
{events: [{letter, origin_topic, origin_partition, origin_offset, key, reason, sentence, since, ce_source, ce_id, times, redrivable}]}.
With --commands the records of coupon.dead about commands that name a fact, were not taken for hongbao's own, and whose coupon was not made since:
rewards that were granted and not paid, for instance because their key was dropped before they were read. refusal says why one is not such a reward
and is not sent again; it is empty where it is one. With --json:
{commands: [{letter, origin_topic, origin_partition, origin_offset, key, reason, sentence, since, coupon, fact_seq, refusal}]}.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case l.events:
				return a.listDeadEvents(cmd.Context(), f)
			case l.commands:
				return a.listDeadCommands(cmd.Context(), f)
			}
			return a.listDead(cmd.Context(), f)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&l.events, "events", false, "list the events of invite.dead instead")
	cmd.Flags().BoolVar(&l.commands, "commands", false, "list hongbao's own commands of coupon.dead instead")
	cmd.MarkFlagsMutuallyExclusive("events", "commands")
	return cmd
}

func newDeadRedriveCommand(a *app) *cobra.Command {
	var f reviewFlags
	var l letterFlags
	cmd := &cobra.Command{
		Use:   "redrive",
		Short: "Issue DEAD coupons again, have dead events judged again, or send dead commands again",
		Long: `Issue coupons again that are DEAD, or that FAILED with OUT_OF_STOCK or OUT_OF_BUDGET, from their first attempt. After EXHAUSTED the issuer is asked
under the same key, so that a late success is found and not doubled; after a refusal of its own under a new one. --all wants a --reason.
` + reviewHelp + `

With --events: send records of invite.dead to invite.events again, as they were, with key, value and headers and in their order, for instance those
of an UNKNOWN_CAMPAIGN once it is in force. Name them by --letter PARTITION/OFFSET, as the list does, or by --all --reason. What has its verdict by now
is left out, and what is sent twice is judged a duplicate. With --json: {ok, sent, events: [...as in the list]}.

With --commands: send hongbao's own commands of coupon.dead to coupon.commands again, signed under the key of --code-keys that mints: those whose key was
dropped before they were read. Each is made anew from the fact that it names; where the letter says something else it is no command of hongbao's and is
refused. Name them by --letter, or by --all --reason INVALID_FIELD. A coupon that is there by now is left out, and a command sent
twice makes no second one of it. With --json: {ok, sent, commands: [...as in the list]}.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.all && f.reason == "" {
				return errors.New("--all without --reason: say which failure is mended, such as --reason EXHAUSTED")
			}
			switch {
			case l.events:
				return a.redriveEvents(cmd.Context(), &f, &l)
			case l.commands:
				return a.redriveCommands(cmd.Context(), &f, &l)
			case len(l.letters) > 0:
				return errors.New("--letter names a record of invite.dead or coupon.dead; it goes with --events or --commands")
			}
			filter, err := f.filter(pb.CouponState_COUPON_STATE_DEAD)
			if err != nil {
				return err
			}
			filter.failed = len(filter.ids) > 0 || isShortage(filter.reason)
			return a.review(cmd.Context(), &f, filter, pb.ReviewDecision_REVIEW_DECISION_REDRIVE)
		},
	}
	f.add(cmd)
	addFlags(cmd.Flags(), "code-keys")
	cmd.Flags().BoolVar(&l.events, "events", false, "redrive events of invite.dead instead")
	cmd.Flags().BoolVar(&l.commands, "commands", false, "redrive hongbao's own commands of coupon.dead instead")
	cmd.Flags().StringSliceVar(&l.letters, "letter", nil, "with --events or --commands: record of invite.dead or coupon.dead, PARTITION/OFFSET; may be repeated")
	cmd.MarkFlagsMutuallyExclusive("events", "commands")
	return cmd
}

func newDeadDiscardCommand(a *app) *cobra.Command {
	var f reviewFlags
	cmd := &cobra.Command{
		Use:   "discard",
		Short: "Give DEAD coupons up: they become FAILED (DISCARDED) for good",
		Long:  "Give DEAD coupons up: they become FAILED (DISCARDED), for good. --all wants a --reason.\n" + reviewHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.all && f.reason == "" {
				return errors.New("--all without --reason: say which coupons are given up, such as --reason ISSUER_REJECTED")
			}
			filter, err := f.filter(pb.CouponState_COUPON_STATE_DEAD)
			if err != nil {
				return err
			}
			return a.review(cmd.Context(), &f, filter, pb.ReviewDecision_REVIEW_DECISION_DISCARD)
		},
	}
	f.add(cmd)
	return cmd
}

// isShortage says whether a coupon FAILED for want of something that a top-up brings.
func isShortage(r schemas.Reason) bool {
	return r == pb.Reason_REASON_OUT_OF_STOCK || r == pb.Reason_REASON_OUT_OF_BUDGET
}

func (a *app) listDead(ctx context.Context, f couponFlags) error {
	reason, err := parseReason(f.reason)
	if err != nil {
		return err
	}
	log, err := a.dialTopics(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	filter := couponFilter{state: pb.CouponState_COUPON_STATE_DEAD, failed: isShortage(reason), reason: reason, campaign: f.campaign}
	answer := deadAnswer{Coupons: []*couponLine{}, Records: []deadRecord{}}
	if answer.Coupons, err = listCoupons(ctx, log, filter); err != nil {
		return err
	}
	err = eachLetter(ctx, log, schemas.TopicCouponDead, func(r *topiclog.Record, d *pb.DeadLetter) error {
		if len(d.GetCouponId()) == 0 && (reason == 0 || d.GetReason() == reason) && f.campaign == 0 {
			answer.Records = append(answer.Records, newDeadRecord(r, d))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.answer(answer, answer.print)
}

// listCoupons reads up to what is committed now.
func listCoupons(ctx context.Context, log *topiclog.Client, filter couponFilter) ([]*couponLine, error) {
	ends, err := log.Ends(ctx, topiclog.Committed, schemas.TopicFacts)
	if err != nil {
		return nil, err
	}
	lines, err := readCoupons(ctx, log, filter, ends[schemas.TopicFacts])
	return append([]*couponLine{}, lines...), err
}

func (d *deadAnswer) print(w io.Writer) {
	printCoupons(w, d.Coupons)
	for i := range d.Records {
		d.Records[i].show(w)
	}
	if len(d.Coupons)+len(d.Records) == 0 {
		fmt.Fprintln(w, "nothing is dead")
	}
}

func printCoupons(w io.Writer, lines []*couponLine) {
	for _, c := range lines {
		fmt.Fprintf(w, "%s %s %s since %s: campaign %d chain %d user %d, %s", c.Coupon, c.State, c.Reason, c.Since, c.Campaign, c.Chain, c.User, c.Kind)
		if c.Attempts > 0 {
			fmt.Fprintf(w, ", %d attempts", c.Attempts)
		}
		if c.LastError != "" {
			fmt.Fprintf(w, ": %s", c.LastError)
		}
		fmt.Fprintln(w)
	}
}
