package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// deadEventsAnswer is what `dead list --events --json` prints, and with ok and sent `dead redrive --events --json`.
type deadEventsAnswer struct {
	OK     *bool        `json:"ok,omitempty"`
	Sent   *int         `json:"sent,omitempty"`
	Events []*deadEvent `json:"events"`
}

// deadEvent is a record of invite.events that got no verdict. One that died more than once is one.
type deadEvent struct {
	deadRecord

	Source     string `json:"ce_source"` // empty, as ce_id is, where the record does not decode
	ID         string `json:"ce_id"`
	Times      int    `json:"times"`      // dead letters about it
	Redrivable bool   `json:"redrivable"` // false: it has no key, or its letter no room for the value
}

func (e *deadEvent) refusal() string {
	if e.Redrivable {
		return ""
	}
	return "it has no key, or was too large for its letter"
}

// readDeadEvents gives the events of invite.dead that no fact has judged by now, in their order within a partition.
func readDeadEvents(ctx context.Context, log *topiclog.Client) ([]*deadEvent, error) {
	var events []*deadEvent
	byIdentity := map[string]*deadEvent{}
	var decoder schemas.Decoder
	err := eachLetter(ctx, log, schemas.TopicInviteDead, func(r *topiclog.Record, d *pb.DeadLetter) error {
		e := &deadEvent{deadRecord: newDeadRecord(r, d), Times: 1, Redrivable: redrivable(d)}
		identity := identify(&decoder, d, e)
		if first := byIdentity[identity]; identity != "" && first != nil {
			// The place of the first, so that an order is kept; the reason of the last, which is how it stands.
			first.Times++
			first.reason, first.Reason, first.Sentence = e.reason, e.Reason, e.Sentence
			return nil
		}
		if identity != "" {
			byIdentity[identity] = e
		}
		events = append(events, e)
		return nil
	})
	if err != nil || len(byIdentity) == 0 {
		return events, err
	}
	if err := dropJudged(ctx, log, byIdentity); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(events, func(e *deadEvent) bool { return e.ID != "" && byIdentity[identityOf(e.Source, e.ID)] != e }), nil
}

// identify names the event by its source and id, empty where they cannot be read.
func identify(decoder *schemas.Decoder, d *pb.DeadLetter, e *deadEvent) string {
	decoder.Reset()
	for _, h := range d.GetHeaders() {
		decoder.Header(h.GetKey(), h.GetValue())
	}
	var event schemas.Event
	if decoder.Event(d.GetValue(), &event) != nil {
		return ""
	}
	e.Source, e.ID = string(event.Source), string(event.ID)
	return identityOf(e.Source, e.ID)
}

func identityOf(source, id string) string { return source + "\x00" + id }

// dropJudged forgets the events that have a verdict, whichever.
func dropJudged(ctx context.Context, log *topiclog.Client, events map[string]*deadEvent) error {
	var f schemas.Fact
	var identity []byte
	return log.Read(ctx, schemas.TopicFacts, topiclog.ReadOptions{}, func(r *topiclog.Record) error {
		if err := f.Decode(r.Value); err != nil {
			return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		if f.Kind == schemas.FactAccepted || f.Kind == schemas.FactRefused || f.Kind == schemas.FactDuplicate {
			identity = append(append(append(identity[:0], f.Verdict.Source...), 0), f.Verdict.ID...)
			delete(events, string(identity))
		}
		return nil
	})
}

func (a *app) listDeadEvents(ctx context.Context, f couponFlags) error {
	log, reason, err := a.dialLetters(ctx, f, "events")
	if err != nil {
		return err
	}
	defer log.Close()
	events, err := readDeadEvents(ctx, log)
	if err != nil {
		return err
	}
	events = slices.DeleteFunc(events, func(e *deadEvent) bool { return reason != 0 && e.reason != reason })
	answer := deadEventsAnswer{Events: append([]*deadEvent{}, events...)}
	return a.answer(answer, answer.print)
}

func (d *deadEventsAnswer) print(w io.Writer) {
	for _, e := range d.Events {
		e.show(w)
		if e.Times > 1 {
			fmt.Fprintf(w, "  died %d times\n", e.Times)
		}
		if !e.Redrivable {
			fmt.Fprintln(w, "  cannot be sent again from here:", e.refusal())
		}
	}
	switch {
	case d.Sent != nil:
		fmt.Fprintf(w, "%d events sent again\n", *d.Sent)
	case len(d.Events) == 0:
		fmt.Fprintln(w, "no event is dead")
	}
}
