package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// campaignAnswer is what `campaign apply|pause|resume|stop|top-up --json` print.
type campaignAnswer struct {
	OK       bool             `json:"ok"`
	Campaign int64            `json:"campaign"`
	Version  int64            `json:"version,omitempty"` // of an apply
	SHA256   string           `json:"sha256,omitempty"`
	Change   int64            `json:"change,omitempty"` // number of any other
	Kind     string           `json:"kind,omitempty"`   // PAUSE, RESUME, STOP or TOP_UP
	Sent     bool             `json:"sent"`             // false: it was in force everywhere already
	Waiting  []int32          `json:"waiting"`          // partitions in which it is not known to be in force
	Refused  []campaignRefuse `json:"refused"`
}

type campaignRefuse struct {
	Partition int32  `json:"partition"`
	Reason    string `json:"reason"`
	Sentence  string `json:"sentence"`
}

// sendCampaign reads what is known, lets order say what to send, sends it and waits for the answers.
func (a *app) sendCampaign(ctx context.Context, wait waitFlags, order func(*campaignLog) (*campaignOrder, error)) error {
	log, err := a.dialTopics(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	all, err := readCampaigns(ctx, log)
	if err != nil {
		return err
	}
	o, err := order(all)
	if err != nil {
		return err
	}
	answer := o.answer()
	if len(o.waiting) > 0 {
		if err := o.send(ctx, log); err != nil {
			return err
		}
		answer.Sent = true
	}
	if answer.Sent && !wait.off {
		w := newCampaignWait(o)
		if err := followUntil(ctx, log, all.ends, wait.patience, w.see); err != nil {
			return err
		}
		answer.Waiting, answer.Refused = w.waiting(), w.refused
	}
	answer.OK = len(answer.Refused) == 0 && (wait.off || len(answer.Waiting) == 0)
	if err := a.answer(answer, func(out io.Writer) { answer.print(out, wait) }); err != nil || answer.OK {
		return err
	}
	return errFailed
}

func (o *campaignOrder) answer() *campaignAnswer {
	answer := &campaignAnswer{Campaign: o.id, Waiting: append([]int32{}, o.waiting...), Refused: []campaignRefuse{}}
	if o.rules != nil {
		answer.Version, answer.SHA256 = o.rules.Version, hex.EncodeToString(o.rules.SHA256[:])
	} else {
		answer.Change, answer.Kind = o.change.GetNumber(), changeName(o.change.GetKind())
	}
	return answer
}

// send writes the command to every partition. Its id is new each time, so that its own records are known again.
func (o *campaignOrder) send(ctx context.Context, log *topiclog.Client) error {
	o.command.CommandId = "hongbao campaign " + strings.ToLower(rand.Text())
	value, err := proto.Marshal(o.command)
	if err != nil {
		return fmt.Errorf("campaign %d: encode the command: %w", o.id, err)
	}
	if _, err := schemas.DecodeControl(value); err != nil { // what a worker would refuse is refused here
		return fmt.Errorf("campaign %d: %w", o.id, err)
	}
	if err := log.Broadcast(ctx, schemas.TopicControl, fmt.Appendf(nil, "campaign/%d", o.id), value, nil); err != nil {
		return fmt.Errorf("campaign %d: %w; `hongbao campaign list` shows after some seconds whether it took effect: look before you send a top-up again", o.id, err)
	}
	return nil
}

func (c *campaignAnswer) print(w io.Writer, wait waitFlags) {
	what := fmt.Sprintf("campaign %d version %d", c.Campaign, c.Version)
	if c.Change > 0 {
		what = fmt.Sprintf("campaign %d change %d (%s)", c.Campaign, c.Change, c.Kind)
	}
	switch {
	case !c.Sent:
		fmt.Fprintf(w, "%s is in force everywhere already\n", what)
	case wait.off:
		fmt.Fprintf(w, "%s is sent\n", what)
	case c.OK:
		fmt.Fprintf(w, "%s is in force everywhere\n", what)
	}
	for _, r := range c.Refused {
		fmt.Fprintf(w, "%s was refused in partition %d: %s: %s\n", what, r.Partition, r.Reason, r.Sentence)
	}
	if len(c.Waiting) > 0 && !wait.off {
		fmt.Fprintf(w, "%s: %s did not answer within %s; it takes effect there as soon as an instance owns them\n", what, partitionNames(c.Waiting), wait.patience)
	}
}
