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

// deadCommandsAnswer is what `dead list --commands --json` prints, and with ok and sent `dead redrive --commands --json`.
type deadCommandsAnswer struct {
	OK       *bool          `json:"ok,omitempty"`
	Sent     *int           `json:"sent,omitempty"`
	Commands []*deadCommand `json:"commands"`
}

// deadCommand is a record of coupon.dead about a command that names a fact, was not taken for hongbao's own, and whose coupon was never made. Of
// what a fact grants it is a lost payout; of anything else a forgery, and stays where it is.
type deadCommand struct {
	deadRecord

	Coupon  string `json:"coupon"`
	FactSeq int64  `json:"fact_seq"`
	Refusal string `json:"refusal"` // why it cannot be sent again; empty: it can

	said    schemas.Command // by the letter
	granted schemas.Command // by the fact: this is what is signed and sent, never what the letter says
	headers []topiclog.Header
}

func (d *deadCommand) refusal() string { return d.Refusal }

// deadCommandOf is nil for letters about anything else: coupons, commands of other services, what does not decode.
func deadCommandOf(r *topiclog.Record, d *pb.DeadLetter) *deadCommand {
	if d.GetOriginTopic() != schemas.TopicCommands.String() || len(d.GetCouponId()) > 0 || d.GetReason() != pb.Reason_REASON_INVALID_FIELD || !redrivable(d) {
		return nil
	}
	c := &deadCommand{deadRecord: newDeadRecord(r, d), headers: letterHeaders(d)}
	if c.said.Decode(d.GetValue()) != nil || c.said.FactSeq == 0 {
		return nil
	}
	c.Coupon, c.FactSeq = c.said.CouponID.String(), c.said.FactSeq
	c.Refusal = fmt.Sprintf("partition %d has no accepted fact of seq %d; a command is what such a fact grants", c.OriginPartition, c.FactSeq)
	return c
}

// readDeadCommands gives those whose coupon no fact has made by now, in their order within a partition.
func readDeadCommands(ctx context.Context, log *topiclog.Client) ([]*deadCommand, error) {
	var commands []*deadCommand
	err := eachLetter(ctx, log, schemas.TopicCouponDead, func(r *topiclog.Record, d *pb.DeadLetter) error {
		if c := deadCommandOf(r, d); c != nil {
			commands = append(commands, c)
		}
		return nil
	})
	if err != nil || len(commands) == 0 {
		return nil, err
	}
	g := newGrantReading(commands)
	if err := log.Read(ctx, schemas.TopicFacts, topiclog.ReadOptions{}, g.read); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(commands, func(c *deadCommand) bool { return g.made[c.said.CouponID] }), nil
}

// grantReading is one reading of the facts: what those that commands name have granted.
type grantReading struct {
	fact  schemas.Fact
	texts schemas.CampaignTexts
	rules map[partitionID]*schemas.Campaign // by campaign: in force so far
	named map[partitionID][]*deadCommand    // by seq
	made  map[schemas.CouponID]bool         // of the commands' coupons
}

// partitionID is what is numbered by partition.
type partitionID struct {
	partition int32
	id        int64
}

func newGrantReading(commands []*deadCommand) *grantReading {
	g := &grantReading{rules: map[partitionID]*schemas.Campaign{}, named: map[partitionID][]*deadCommand{}, made: map[schemas.CouponID]bool{}}
	for _, c := range commands {
		at := partitionID{c.OriginPartition, c.FactSeq}
		g.named[at] = append(g.named[at], c)
		g.made[c.said.CouponID] = false
	}
	return g
}

func (g *grantReading) read(r *topiclog.Record) error {
	f := &g.fact
	if err := f.Decode(r.Value); err != nil {
		return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	switch f.Kind {
	case schemas.FactCampaignActivated:
		m := f.Rare.GetCampaignActivated()
		rules, err := g.texts.Parse("CampaignActivated", []byte(m.GetText()))
		if err != nil {
			return fmt.Errorf("campaign %d version %d of %s: %w", m.GetCampaign(), m.GetVersion(), schemas.TopicFacts, err)
		}
		g.rules[partitionID{r.Partition, m.GetCampaign()}] = rules
	case schemas.FactAccepted:
		for _, c := range g.named[partitionID{r.Partition, f.Seq}] {
			c.compare(f, g.rules[partitionID{r.Partition, f.Verdict.Campaign}])
		}
	case schemas.FactCouponMoved:
		m := f.Rare.GetCouponMoved()
		if len(m.GetCouponId()) != len(schemas.CouponID{}) {
			return fmt.Errorf("%s/%d offset %d: a coupon id has 16 bytes, not %d", r.Topic, r.Partition, r.Offset, len(m.GetCouponId()))
		}
		if _, dead := g.made[schemas.CouponID(m.GetCouponId())]; dead {
			g.made[schemas.CouponID(m.GetCouponId())] = true
		}
	}
	return nil
}

// compare makes the command anew from the fact that it names, under the rules in force there, and says where the letter's differs.
func (d *deadCommand) compare(f *schemas.Fact, rules *schemas.Campaign) {
	for i := range f.Verdict.Rewards {
		r := f.Verdict.Rewards[i]
		if r.CouponID != d.said.CouponID {
			continue
		}
		k := rules.Kind(r.Coupon)
		if k == nil {
			d.Refusal = fmt.Sprintf("the facts before seq %d do not say what coupon %q of campaign %d is worth; a command says it", f.Seq, r.Coupon, f.Verdict.Campaign)
			return
		}
		r.ValueMinor, r.Currency, r.ValidForMS = k.ValueMinor, k.Currency, k.ValidForMS
		d.granted = schemas.RewardCommand(&f.Verdict, &r, f.Seq)
		d.Refusal = differs(&d.said, &d.granted)
		return
	}
	d.Refusal = fmt.Sprintf("the fact of seq %d grants %d coupons, and none is %s; a command is what its fact grants", f.Seq, len(f.Verdict.Rewards), d.Coupon)
}

// differs names the first field in which a command is not what its fact grants.
func differs(said, granted *schemas.Command) string {
	for _, f := range [...]struct {
		name          string
		said, granted any
	}{
		{"campaign", said.Campaign, granted.Campaign},
		{"chain", said.Chain, granted.Chain},
		{"beneficiary", said.Beneficiary, granted.Beneficiary},
		{"coupon", string(said.Coupon), string(granted.Coupon)},
		{"rule_id", string(said.Rule), string(granted.Rule)},
		{"value_minor", said.ValueMinor, granted.ValueMinor},
		{"currency", string(said.Currency), string(granted.Currency)},
		{"valid_for_ms", said.ValidForMS, granted.ValidForMS},
		{"order_id", string(said.OrderID), string(granted.OrderID)},
		{"traceparent", string(said.Trace), string(granted.Trace)},
	} {
		if f.said != f.granted {
			return fmt.Sprintf("its %s is %#v, the fact of seq %d grants %#v; a command says what its fact grants", f.name, f.said, granted.FactSeq, f.granted)
		}
	}
	return ""
}

func (a *app) listDeadCommands(ctx context.Context, f couponFlags) error {
	log, reason, err := a.dialLetters(ctx, f, "commands")
	if err != nil {
		return err
	}
	defer log.Close()
	commands, err := readDeadCommands(ctx, log)
	if err != nil {
		return err
	}
	commands = slices.DeleteFunc(commands, func(c *deadCommand) bool { return reason != 0 && c.reason != reason })
	answer := deadCommandsAnswer{Commands: append([]*deadCommand{}, commands...)}
	return a.answer(answer, answer.print)
}

func (d *deadCommandsAnswer) print(w io.Writer) {
	for _, c := range d.Commands {
		c.show(w)
		if c.Refusal != "" {
			fmt.Fprintln(w, "  cannot be sent again:", c.Refusal)
		}
	}
	switch {
	case d.Sent != nil:
		fmt.Fprintf(w, "%d commands sent again\n", *d.Sent)
	case len(d.Commands) == 0:
		fmt.Fprintln(w, "no command of hongbao's own is dead")
	}
}
