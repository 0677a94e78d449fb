package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

const (
	partitions = 16
	tickEvery  = 100 * time.Millisecond
	chainTicks = 60 // then a partition goes on with another chain
)

// campaignFile is what a site runs: one kind of coupon expires within seconds.
const campaignFile = `campaign: 1
version: 1
starts: 2000-01-01T00:00:00Z
ends:   2100-01-01T00:00:00Z
max_depth: 5
coupons:
  quick: {stock: 1000000, valid_for: 3s, value_minor: 100, currency: CNY}
  slow:  {stock: 1000000, valid_for: 720h, value_minor: 500, currency: CNY}
rewards:
  - {id: welcome, on: join, to: invitee, coupon: slow}
  - {id: l1, on: join, to: level, level: 1, coupon: quick}
  - {id: buy, on: purchase, min_minor: 5000, to: level, level: 1, coupon: slow}
`

// secondFile is a campaign that is applied again and again, each time under a higher version.
const secondFile = `campaign: 2
version: %d
starts: 2000-01-01T00:00:00Z
ends:   2100-01-01T00:00:00Z
coupons: {gift: {stock: 1000, valid_for: 1h, value_minor: 100, currency: CNY}}
rewards:
  - {id: welcome, on: join, to: invitee, coupon: gift}
`

// keyFile has one key, for nobody: what it signs lives as long as a site.
const keyFile = `keys: [{id: 1, secret: "Y3Jhc2ggY3Jhc2ggY3Jhc2ggY3Jhc2ggY3Jhc2ggMTI=", mint: true}]
`

// load makes every path of the pipeline run, a little in every partition at every tick.
type load struct {
	log    *topiclog.Client
	w      *topiclog.Writer
	mint   *schemas.CodeMinter
	rng    *rand.Rand
	chains [partitions]*chain
	next   int64 // id of the next user
	events int64
	tick   int
	change int64 // number of the last campaign change
	second int64 // version of the second campaign
	last   struct {
		key, value []byte
		p          int32
	}
}

// chain is one invite tree under way.
type chain struct {
	id      int64
	ticks   int
	members []int64
	sharers []int64
	joined  []int64 // users whose coupon may be redeemed by now
	order   string  // a purchase that may be reversed
}

func newLoad(ctx context.Context, log *topiclog.Client, seed uint64) (*load, error) {
	keys, err := schemas.ParseCodeKeys("keys.yaml", []byte(keyFile))
	if err != nil {
		return nil, err
	}
	w, err := log.Writer(ctx, topiclog.WriterConfig{}, schemas.TopicEvents, schemas.TopicCommands, schemas.TopicControl)
	if err != nil {
		return nil, err
	}
	return &load{log: log, w: w, mint: schemas.NewCodeMinter(keys), rng: rand.New(rand.NewPCG(seed, 3)), next: 1 << 40}, nil
}

// run sends until ctx ends, and then waits until all that was sent is taken.
func (l *load) run(ctx context.Context) error {
	defer l.w.Close()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	send := context.WithoutCancel(ctx)
	for {
		select {
		case <-ctx.Done():
			return l.w.Flush(send)
		case <-tick.C:
		}
		if err := l.turn(send); err != nil {
			return err
		}
	}
}

func (l *load) turn(ctx context.Context) error {
	for p := range int32(partitions) {
		c := l.chains[p]
		if c == nil || c.ticks >= chainTicks {
			c = &chain{id: l.idIn(p)}
			l.chains[p] = c
		}
		if err := l.step(ctx, c); err != nil {
			return err
		}
		c.ticks++
	}
	l.tick++
	if l.tick%15 == 0 {
		l.change++
		return l.campaign(ctx, 1, &pb.ControlCommand{Body: &pb.ControlCommand_CampaignChange{CampaignChange: &pb.CampaignChange{
			Campaign: 1, Number: l.change, Kind: pb.ChangeKind_CHANGE_KIND_TOP_UP, Reason: "crash", Coupon: "slow", StockDelta: 10,
		}}})
	}
	if l.tick%20 == 10 {
		l.second++
		text := fmt.Sprintf(secondFile, l.second)
		c, err := schemas.ParseCampaign("second", []byte(text))
		if err != nil {
			return err
		}
		return l.campaign(ctx, 2, &pb.ControlCommand{Body: &pb.ControlCommand_CampaignApply{CampaignApply: &pb.CampaignApply{
			Campaign: 2, Version: c.Version, Sha256: c.SHA256[:], Text: text,
		}}})
	}
	return nil
}

// idIn is a new user's id whose chain belongs to partition p.
func (l *load) idIn(p int32) int64 {
	for {
		l.next++
		if schemas.Partition(schemas.AppendKey(nil, l.next), partitions) == p {
			return l.next
		}
	}
}

func (l *load) id() int64 { l.next++; return l.next }

func pick[T any](rng *rand.Rand, of []T) T { return of[rng.IntN(len(of))] }

// step says one thing about a chain. The first two begin it.
func (l *load) step(ctx context.Context, c *chain) error {
	turn := c.ticks % 12
	switch c.ticks {
	case 0:
		return l.share(ctx, c, c.id)
	case 1:
		return l.join(ctx, c)
	}
	switch turn {
	case 0:
		return l.share(ctx, c, pick(l.rng, c.members))
	case 4:
		c.order = fmt.Sprintf("order-%d", l.id())
		return l.event(ctx, c.id, "PurchaseSettled", map[string]any{
			"campaign": "1", "chain": text(c.id), "buyer": text(pick(l.rng, c.members)), "order_id": c.order, "amount_minor": "6000", "currency": "CNY",
		})
	case 6:
		return l.event(ctx, c.id, "PurchaseReversed", map[string]any{"campaign": "1", "chain": text(c.id), "order_id": c.order})
	case 8: // once more what was said last, wherever that was
		return l.w.Write(ctx, schemas.TopicEvents, topiclog.ByKey, l.last.key, l.last.value, nil)
	case 9:
		return l.w.Write(ctx, schemas.TopicEvents, topiclog.ByKey, schemas.AppendKey(nil, c.id), []byte("no event"), nil)
	case 10: // a member begins a chain of its own: its share is granted, its claim refused, and so the share given back
		u := pick(l.rng, c.members[1:])
		return l.share(ctx, &chain{id: u}, u)
	case 11:
		return l.command(ctx, c)
	}
	return l.join(ctx, c)
}

func text(id int64) string { return strconv.FormatInt(id, 10) }

func (l *load) code(c *chain, inviter int64) string {
	return string(l.mint.Append(nil, schemas.Code{Campaign: 1, Chain: c.id, Inviter: inviter, ExpiresS: time.Now().Add(time.Hour).Unix()}))
}

func (l *load) share(ctx context.Context, c *chain, user int64) error {
	if len(c.members) == 0 {
		c.members = append(c.members, user)
	}
	c.sharers = append(c.sharers, user)
	return l.event(ctx, c.id, "ShareCreated", map[string]any{
		"campaign": "1", "chain": text(c.id), "user": text(user), "code": l.code(c, user),
	})
}

func (l *load) join(ctx context.Context, c *chain) error {
	u := l.id()
	c.members, c.joined = append(c.members, u), append(c.joined, u)
	return l.event(ctx, c.id, "InviteJoined", map[string]any{"code": l.code(c, pick(l.rng, c.sharers)), "invitee": text(u)})
}

func (l *load) event(ctx context.Context, chain int64, kind string, data map[string]any) error {
	l.events++
	data["event_time_ms"] = text(time.Now().UnixMilli())
	value, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": text(l.events), "source": "/crash", "type": "hongbao.invite.v1." + kind, "data": data,
	})
	if err != nil {
		return err
	}
	l.last.key, l.last.value = schemas.AppendKey(nil, chain), value
	return l.w.Write(ctx, schemas.TopicEvents, topiclog.ByKey, l.last.key, value, nil)
}

// command is one of another service's: a coupon of its own, or what it does with a voucher.
func (l *load) command(ctx context.Context, c *chain) error {
	key, id := schemas.AppendKey(nil, c.id), fmt.Sprintf("crash-%d", l.id())
	if len(c.joined) < 8 || l.rng.IntN(3) == 0 {
		cmd := schemas.Command{Campaign: 1, Chain: c.id, Beneficiary: c.id, Coupon: []byte("slow"), CommandID: []byte(id)}
		return l.w.Write(ctx, schemas.TopicCommands, topiclog.ByKey, key, schemas.AppendCommand(nil, &cmd), nil)
	}
	user := c.joined[0]
	c.joined = c.joined[1:]
	var coupon schemas.CouponID
	schemas.MakeCouponID(&coupon, 1, []byte("welcome"), user, schemas.AppendTriggerJoin(nil, user))
	v := &pb.VoucherCommand{VoucherId: coupon[:], Chain: c.id, Reason: "crash"}
	m := &pb.ControlCommand{CommandId: id, Body: &pb.ControlCommand_Redeem{Redeem: v}}
	if l.rng.IntN(2) == 0 {
		m.Body = &pb.ControlCommand_Revoke{Revoke: v}
	}
	value, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return l.w.Write(ctx, schemas.TopicControl, topiclog.ByKey, key, value, nil)
}

// campaign sends a command about a campaign to every partition.
func (l *load) campaign(ctx context.Context, id int64, m *pb.ControlCommand) error {
	m.CommandId = fmt.Sprintf("crash-%d", l.id())
	value, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	if _, err := schemas.DecodeControl(value); err != nil {
		return errors.Join(errors.New("the load's own command is refused"), err)
	}
	return l.log.Broadcast(ctx, schemas.TopicControl, fmt.Appendf(nil, "campaign/%d", id), value, nil)
}
