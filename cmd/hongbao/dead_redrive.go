package main

import (
	"context"
	"errors"
	"fmt"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// redriveBatchBytes lets the largest record that invite.events takes through; others are refused before (X3).
const redriveBatchBytes = 4 << 20

// redriveEvents sends records of invite.dead to invite.events again.
func (a *app) redriveEvents(ctx context.Context, f *reviewFlags, e *eventFlags) error {
	if len(f.coupons) > 0 || f.campaign != 0 {
		return errors.New("--coupon and --campaign choose coupons; events are named by --letter, or by --all and --reason")
	}
	if f.all == (len(e.letters) > 0) {
		return errors.New("name events by --letter, or say --all, and not both")
	}
	reason, err := parseReason(f.reason)
	if err != nil {
		return err
	}
	log, err := a.dialTopics(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	events, err := readDeadEvents(ctx, log)
	if err != nil {
		return err
	}
	chosen, err := chooseEvents(events, e.letters, reason)
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

// chooseEvents takes the letters named, or all with that reason that can be sent.
func chooseEvents(events []*deadEvent, letters []string, reason schemas.Reason) ([]*deadEvent, error) {
	named := map[string]bool{}
	for _, l := range letters {
		named[l] = true
	}
	var chosen []*deadEvent
	for _, e := range events {
		if named[e.Letter] && !e.Redrivable {
			return nil, fmt.Errorf("--letter %s: it has no key, or was too large for its letter, so it cannot be sent again from here", e.Letter)
		}
		if named[e.Letter] || len(letters) == 0 && e.reason == reason && e.Redrivable {
			chosen = append(chosen, e)
		}
		delete(named, e.Letter)
	}
	for l := range named {
		return nil, fmt.Errorf("--letter %q: no record of invite.dead without a verdict has that name; want PARTITION/OFFSET as `hongbao dead list --events` prints it", l)
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
		headers := make([]topiclog.Header, len(d.GetHeaders()))
		for i, h := range d.GetHeaders() {
			headers[i] = topiclog.Header{Key: h.GetKey(), Value: h.GetValue()}
		}
		return w.Write(ctx, schemas.TopicEvents, topiclog.ByKey, d.GetKey(), d.GetValue(), headers)
	})
	if err != nil {
		return err
	}
	return w.Flush(ctx)
}
