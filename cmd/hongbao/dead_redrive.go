package main

import (
	"context"
	"fmt"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// redriveBatchBytes lets the largest record that invite.events takes through; others are refused before (X3).
const redriveBatchBytes = 4 << 20

// letterFlags choose records of invite.dead or coupon.dead; --all and --reason are reviewFlags'.
type letterFlags struct {
	events, commands bool
	letters          []string
}

// check says in time what cannot be meant.
func (l *letterFlags) check(f *reviewFlags, what string) error {
	if len(f.coupons) > 0 || f.campaign != 0 {
		return fmt.Errorf("--coupon and --campaign choose coupons; %s are named by --letter, or by --all and --reason", what)
	}
	if f.all == (len(l.letters) > 0) {
		return fmt.Errorf("name %s by --letter, or say --all, and not both", what)
	}
	return nil
}

// dialLetters is for whoever reads letters about events or commands; the caller closes the client.
func (a *app) dialLetters(ctx context.Context, f couponFlags, what string) (*topiclog.Client, schemas.Reason, error) {
	if f.campaign != 0 {
		return nil, 0, fmt.Errorf("--campaign chooses coupons; of dead %s --reason can be chosen", what)
	}
	reason, err := parseReason(f.reason)
	if err != nil {
		return nil, 0, err
	}
	log, err := a.dialTopics(ctx)
	return log, reason, err
}

// redriveEvents sends records of invite.dead to invite.events again.
func (a *app) redriveEvents(ctx context.Context, f *reviewFlags, l *letterFlags) error {
	if err := l.check(f, "events"); err != nil {
		return err
	}
	log, reason, err := a.dialLetters(ctx, f.couponFlags, "events")
	if err != nil {
		return err
	}
	defer log.Close()
	events, err := readDeadEvents(ctx, log)
	if err != nil {
		return err
	}
	chosen, err := chooseLetters(events, l.letters, reason, "record of invite.dead without a verdict", "events")
	if err != nil {
		return err
	}
	if err := sendAgain(ctx, log, chosen); err != nil {
		return err
	}
	ok, sent := true, len(chosen)
	answer := deadEventsAnswer{OK: &ok, Sent: &sent, Events: append([]*deadEvent{}, chosen...)}
	return a.answer(answer, answer.print)
}

// redriveCommands signs commands of coupon.dead that facts grant with the key that mints now, and sends them again.
func (a *app) redriveCommands(ctx context.Context, f *reviewFlags, l *letterFlags) error {
	if err := l.check(f, "commands"); err != nil {
		return err
	}
	keys, err := a.cfg.loadCodeKeys()
	if err != nil {
		return err
	}
	log, reason, err := a.dialLetters(ctx, f.couponFlags, "commands")
	if err != nil {
		return err
	}
	defer log.Close()
	commands, err := readDeadCommands(ctx, log)
	if err != nil {
		return err
	}
	chosen, err := chooseLetters(commands, l.letters, reason, "record of coupon.dead about a command of hongbao's own without its coupon", "commands")
	if err != nil {
		return err
	}
	for _, c := range chosen {
		if keys.Demo() && c.granted.Campaign != schemas.DemoCampaignID {
			return fmt.Errorf("coupon %s is of campaign %d, and without --code-keys its command would be signed under the published demo key, which is good for campaign %d alone",
				c.Coupon, c.granted.Campaign, schemas.DemoCampaignID)
		}
	}
	chosen, err = sendSigned(ctx, log, keys, chosen)
	if err != nil {
		return err
	}
	ok, sent := true, len(chosen)
	answer := deadCommandsAnswer{OK: &ok, Sent: &sent, Commands: append([]*deadCommand{}, chosen...)}
	return a.answer(answer, answer.print)
}

// deadLetter is a deadEvent or a deadCommand.
type deadLetter interface {
	record() *deadRecord
	refusal() string // why it cannot be sent again; empty: it can
}

// chooseLetters takes the letters named, or all with that reason that can be sent.
func chooseLetters[L deadLetter](all []L, letters []string, reason schemas.Reason, what, flag string) ([]L, error) {
	named := map[string]bool{}
	for _, l := range letters {
		named[l] = true
	}
	var chosen []L
	for _, l := range all {
		r := l.record()
		if named[r.Letter] && l.refusal() != "" {
			return nil, fmt.Errorf("--letter %s cannot be sent again from here: %s", r.Letter, l.refusal())
		}
		if named[r.Letter] || len(letters) == 0 && r.reason == reason && l.refusal() == "" {
			chosen = append(chosen, l)
		}
		delete(named, r.Letter)
	}
	for l := range named {
		return nil, fmt.Errorf("--letter %q: no %s has that name; want PARTITION/OFFSET as `hongbao dead list --%s` prints it", l, what, flag)
	}
	return chosen, nil
}

// sendAgain reads the letters once more, for their payload, and sends it in their order: a share before its joins.
func sendAgain(ctx context.Context, log *topiclog.Client, chosen []*deadEvent) error {
	if len(chosen) == 0 {
		return nil
	}
	w, err := log.Writer(ctx, topiclog.WriterConfig{BatchBytes: redriveBatchBytes}, schemas.TopicEvents)
	if err != nil {
		return err
	}
	defer w.Close()
	names := map[string]bool{}
	for _, e := range chosen {
		names[e.Letter] = true
	}
	err = eachLetter(ctx, log, schemas.TopicInviteDead, func(r *topiclog.Record, d *pb.DeadLetter) error {
		if !names[letterName(r)] {
			return nil
		}
		return w.Write(ctx, schemas.TopicEvents, topiclog.ByKey, d.GetKey(), d.GetValue(), letterHeaders(d))
	})
	if err != nil {
		return err
	}
	return w.Flush(ctx)
}

// sendSigned sends one command for each coupon, under the coupon's own id: a worker that has the coupon by then makes it no second time. It says which.
func sendSigned(ctx context.Context, log *topiclog.Client, keys *schemas.CodeKeys, chosen []*deadCommand) (sent []*deadCommand, err error) {
	w, err := log.Writer(ctx, topiclog.WriterConfig{}, schemas.TopicCommands)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	signer := schemas.NewCommandSigner(keys)
	done := map[schemas.CouponID]bool{}
	for _, c := range chosen {
		cmd := c.granted
		if done[cmd.CouponID] {
			continue
		}
		done[cmd.CouponID] = true
		signer.Sign(&cmd)
		if err := w.Write(ctx, schemas.TopicCommands, topiclog.ByKey, schemas.AppendKey(nil, cmd.Chain), schemas.AppendCommand(nil, &cmd), c.headers); err != nil {
			return nil, err
		}
		sent = append(sent, c)
	}
	return sent, w.Flush(ctx)
}
