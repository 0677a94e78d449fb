package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// reviewHelp documents what all decisions have in common.
const reviewHelp = `
Name coupons by --coupon, which may be repeated, or take --all that the other flags leave. The decision goes to hongbao.control, keyed by the
coupon's chain, and becomes a fact with operator and note; then the command waits for that fact. Deciding twice on the same standstill of a coupon
does the same as once. Exit code 0: every decision stands in the facts, or is sent with --no-wait. All of hongbao.facts is read first. With --json:
{ok, decision, coupons: [{outcome, sentence, coupon, state, reason, partition, campaign, chain, user, kind, rule, attempts, round, since, last_error}]};
outcome is DECIDED, SENT (not waited for), WAITING (no answer within --patience; the command stays on hongbao.control) or REFUSED, with a sentence.`

// reviewAnswer is what `dead redrive|discard --json` and `held approve|reject --json` print.
type reviewAnswer struct {
	OK       bool       `json:"ok"`
	Decision string     `json:"decision"` // APPROVE, REJECT, REDRIVE or DISCARD
	Coupons  []reviewed `json:"coupons"`
}

// reviewed is one coupon, as it was when the decision was sent.
type reviewed struct {
	Outcome  string `json:"outcome"`
	Sentence string `json:"sentence,omitempty"`
	*couponLine
}

// Outcomes of a decision.
const (
	outcomeDecided = "DECIDED"
	outcomeSent    = "SENT"
	outcomeWaiting = "WAITING"
	outcomeRefused = "REFUSED"
)

// couponFlags choose coupons.
type couponFlags struct {
	reason   string
	campaign int64
}

func (f *couponFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.reason, "reason", "", "only those that came to their state for this reason, such as EXHAUSTED")
	cmd.Flags().Int64Var(&f.campaign, "campaign", 0, "only those of this campaign")
}

// reviewFlags are one decision.
type reviewFlags struct {
	couponFlags
	wait           waitFlags
	coupons        []string
	all            bool
	operator, note string
}

func (f *reviewFlags) add(cmd *cobra.Command) {
	f.couponFlags.add(cmd)
	f.wait.add(cmd)
	cmd.Flags().StringSliceVar(&f.coupons, "coupon", nil, "coupon, 32 hex digits; may be repeated")
	cmd.Flags().BoolVar(&f.all, "all", false, "every coupon that the other flags leave")
	cmd.Flags().StringVar(&f.operator, "operator", "", "who decides")
	cmd.Flags().StringVar(&f.note, "note", "", "why")
}

// filter completes f by what the flags say; its state is the caller's.
func (f *reviewFlags) filter(state pb.CouponState) (filter couponFilter, err error) {
	filter = couponFilter{state: state, campaign: f.campaign, ids: map[schemas.CouponID]bool{}}
	if f.all == (len(f.coupons) > 0) {
		return filter, errors.New("name coupons by --coupon, or say --all, and not both")
	}
	for _, flag := range [...]struct{ name, value string }{{"--operator", f.operator}, {"--note", f.note}} {
		if strings.TrimSpace(flag.value) == "" {
			return filter, fmt.Errorf("%s is empty; the fact of a decision says who decided and why", flag.name)
		}
	}
	if filter.reason, err = parseReason(f.reason); err != nil {
		return filter, err
	}
	for _, text := range f.coupons {
		id, err := hex.DecodeString(text)
		if err != nil || len(id) != len(schemas.CouponID{}) {
			return filter, fmt.Errorf("--coupon %q: a coupon id is 32 hex digits", text)
		}
		filter.ids[schemas.CouponID(id)] = true
	}
	return filter, nil
}

// review sends one decision on every coupon that the filter wants, and waits for the facts.
func (a *app) review(ctx context.Context, f *reviewFlags, filter couponFilter, decision pb.ReviewDecision) error {
	log, err := a.dialTopics(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	ends, err := log.Ends(ctx, topiclog.Committed, schemas.TopicFacts, schemas.TopicCouponDead)
	if err != nil {
		return err
	}
	lines, err := readCoupons(ctx, log, filter, ends[schemas.TopicFacts])
	if err != nil {
		return err
	}
	if err := foundAll(&filter, lines); err != nil {
		return err
	}
	name := strings.TrimPrefix(decision.String(), "REVIEW_DECISION_")
	sent := &reviewWait{left: map[string]*reviewed{}}
	answer := reviewAnswer{Decision: name, Coupons: make([]reviewed, len(lines))}
	for i, c := range lines {
		answer.Coupons[i] = reviewed{Outcome: outcomeSent, couponLine: c}
		sent.left[reviewID(c, name)] = &answer.Coupons[i]
	}
	if err := sendReviews(ctx, log, f, lines, decision, name); err != nil {
		return err
	}
	if !f.wait.off && len(lines) > 0 {
		if err := followUntil(ctx, log, ends, f.wait.patience, sent.see); err != nil {
			return err
		}
		for _, c := range sent.left {
			c.Outcome = outcomeWaiting
		}
	}
	answer.OK = (f.wait.off || len(sent.left) == 0) && !sent.refused
	if err := a.answer(answer, answer.print); err != nil || answer.OK {
		return err
	}
	return errFailed
}

func foundAll(filter *couponFilter, lines []*couponLine) error {
	missing := map[schemas.CouponID]bool{}
	for id := range filter.ids {
		missing[id] = true
	}
	for _, c := range lines {
		delete(missing, c.id)
	}
	for id := range missing {
		return fmt.Errorf("--coupon %s: the facts have no such coupon that can be decided on so and that the other flags leave; the list command shows those that wait", id)
	}
	return nil
}

// reviewID names a decision on one standstill of a coupon: sent again it is a redelivery.
func reviewID(c *couponLine, decision string) string {
	return fmt.Sprintf("hongbao %s %s %d", decision, c.id, c.transition)
}

func sendReviews(ctx context.Context, log *topiclog.Client, f *reviewFlags, lines []*couponLine, decision pb.ReviewDecision, name string) error {
	w, err := log.Writer(ctx, topiclog.WriterConfig{}, schemas.TopicControl)
	if err != nil {
		return err
	}
	defer w.Close()
	for _, c := range lines {
		value, err := proto.Marshal(&pb.ControlCommand{CommandId: reviewID(c, name), Body: &pb.ControlCommand_Review{Review: &pb.ReviewCommand{
			CouponId: c.id[:], Chain: c.Chain, Decision: decision, Operator: f.operator, Note: f.note,
		}}})
		if err != nil {
			return fmt.Errorf("coupon %s: encode the decision: %w", c.id, err)
		}
		if _, err := schemas.DecodeControl(value); err != nil { // what a worker would refuse is refused here
			return fmt.Errorf("coupon %s: %w", c.id, err)
		}
		if err := w.Write(ctx, schemas.TopicControl, topiclog.ByKey, schemas.AppendKey(nil, c.Chain), value, nil); err != nil {
			return err
		}
	}
	return w.Flush(ctx)
}

func (r *reviewAnswer) print(w io.Writer) {
	if len(r.Coupons) == 0 {
		fmt.Fprintln(w, "no coupon waits for that decision")
	}
	for i := range r.Coupons {
		c := &r.Coupons[i]
		fmt.Fprintf(w, "%s %s %s (%s, %s)", r.Decision, c.Coupon, c.Outcome, c.State, c.Reason)
		if c.Sentence != "" {
			fmt.Fprintf(w, ": %s", c.Sentence)
		}
		fmt.Fprintln(w)
	}
}
