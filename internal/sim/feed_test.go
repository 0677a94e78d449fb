//go:build synctests

package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// input is one record of an input topic, ready to be sent.
type input struct {
	topic     schemas.Topic
	partition int32
	key       []byte
	value     []byte
	headers   []topiclog.Header
}

// feed makes the inputs: a few chains of a few users, so that nearly every event meets another one.
type feed struct {
	s      *sim
	rng    *rand.Rand
	w      *topiclog.Writer
	chains []*tree
	users  int64
	ids    int
	sent   []input // of invite.events, for duplicates
	orders []order
	number int64 // of campaign changes
	out    []input
	later  []int64 // users of clash who join elsewhere in the next burst
}

type tree struct {
	seed    int64
	members []int64
	sharers []int64
	codes   map[int64]string // newest code by sharer
}

type order struct {
	chain int64
	id    string
}

func newFeed(s *sim) *feed {
	f := &feed{s: s, rng: rand.New(rand.NewPCG(s.seed, 2)), users: 1 << 40}
	f.open()
	for range 3 + f.rng.IntN(4) {
		f.chains = append(f.chains, f.tree())
	}
	return f
}

func (f *feed) open() {
	var err error
	f.w, err = f.s.tool.Writer(f.s.ctx, topiclog.WriterConfig{}, schemas.TopicEvents, schemas.TopicCommands, schemas.TopicControl)
	f.s.must(err)
}

func (f *feed) user() int64 {
	f.users += 1 + f.rng.Int64N(1000)
	return f.users
}

func (f *feed) tree() *tree {
	seed := f.user()
	return &tree{seed: seed, members: []int64{seed}, codes: map[int64]string{}}
}

// send writes a burst and waits for the broker to have it.
func (f *feed) send(n int) {
	for range n {
		f.event()
	}
	if f.s.plan.Focus == "claims" {
		f.clash()
	}
	f.flush()
}

func (f *feed) flush() {
	if len(f.out) > 3 && f.rng.IntN(4) == 0 { // reordered
		i, j := f.rng.IntN(len(f.out)), f.rng.IntN(len(f.out))
		f.out[i], f.out[j] = f.out[j], f.out[i]
	}
	err := f.write()
	for range 10 { // a broker was away for so long that the client gave up: a producer sends the burst again, doubles and all
		if err == nil {
			break
		}
		f.w.Close()
		f.s.pause(time.Second)
		f.open()
		err = f.write()
	}
	f.s.must(err)
	f.s.result.Events += len(f.out)
	f.out = f.out[:0]
}

func (f *feed) write() error {
	for i := range f.out {
		in := &f.out[i]
		if err := f.w.Write(f.s.ctx, in.topic, in.partition, in.key, in.value, in.headers); err != nil {
			return err
		}
	}
	return f.w.Flush(f.s.ctx)
}

func (f *feed) pick() *tree { return f.chains[f.rng.IntN(len(f.chains))] }

func member(rng *rand.Rand, of []int64) int64 { return of[rng.IntN(len(of))] }

// event makes one event, mostly a good one.
func (f *feed) event() {
	c := f.pick()
	switch n := f.rng.IntN(100); {
	case n < 22:
		f.share(c, member(f.rng, c.members))
	case n < 55:
		f.goodJoin(c)
	case n < 68:
		f.purchase(c, member(f.rng, c.members))
	case n < 72:
		f.reverse(c)
	case n < 79 && len(f.sent) > 0:
		f.out = append(f.out, f.sent[f.rng.IntN(len(f.sent))])
	case n < 92:
		f.refused(c)
	default:
		f.dead(c)
	}
}

func (f *feed) now() int64 { return time.Now().UnixMilli() - f.rng.Int64N(2000) }

func (f *feed) id() string { f.ids++; return "e" + strconv.Itoa(f.ids) }

// add sends a message as an event of chain.
func (f *feed) add(kind string, chain int64, m proto.Message) *input {
	value, err := proto.Marshal(m)
	f.s.must(err)
	return f.raw(kind, chain, value)
}

func (f *feed) raw(kind string, chain int64, value []byte) *input {
	key := strconv.AppendInt(nil, chain, 10)
	in := input{
		topic: schemas.TopicEvents, partition: schemas.Partition(key, partitions), key: key, value: value,
		headers: []topiclog.Header{
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: []byte(f.id())},
			{Key: "ce_source", Value: []byte("/sim")},
			{Key: "ce_type", Value: []byte("hongbao.invite.v1." + kind)},
		},
	}
	f.sent = append(f.sent, in)
	f.out = append(f.out, in)
	return &f.out[len(f.out)-1]
}

func (f *feed) code(campaign, chain, inviter int64, lives time.Duration) string {
	return f.s.keys.Mint(schemas.Code{Campaign: campaign, Chain: chain, Inviter: inviter, ExpiresS: time.Now().Add(lives).Unix()})
}

func (f *feed) share(c *tree, user int64) {
	code := f.code(1, c.seed, user, time.Hour)
	f.add("ShareCreated", c.seed, &pb.ShareCreated{EventTimeMs: f.now(), Campaign: 1, Chain: c.seed, User: user, Code: code})
	if _, ok := c.codes[user]; !ok {
		c.sharers = append(c.sharers, user)
	}
	c.codes[user] = code
}

func (f *feed) join(chain int64, code string, invitee int64) {
	f.add("InviteJoined", chain, &pb.InviteJoined{EventTimeMs: f.now(), Code: code, Invitee: invitee, ClusterKeys: &pb.ClusterKeys{Device: "d"}})
}

func (f *feed) goodJoin(c *tree) {
	if len(c.sharers) == 0 {
		f.share(c, c.seed)
		return
	}
	u := f.user()
	f.join(c.seed, c.codes[member(f.rng, c.sharers)], u)
	c.members = append(c.members, u)
}

func (f *feed) purchase(c *tree, buyer int64) {
	o := order{c.seed, fmt.Sprintf("o%d", len(f.orders))}
	f.orders = append(f.orders, o)
	f.add("PurchaseSettled", c.seed, &pb.PurchaseSettled{
		EventTimeMs: f.now(), Campaign: 1, Chain: c.seed, Buyer: buyer, OrderId: o.id, AmountMinor: 1000 + f.rng.Int64N(9000), Currency: []string{"CNY", "EUR"}[f.rng.IntN(2)],
	})
}

func (f *feed) reverse(c *tree) {
	o := order{c.seed, "nothing"}
	if len(f.orders) > 0 {
		o = f.orders[f.rng.IntN(len(f.orders))]
	}
	f.add("PurchaseReversed", o.chain, &pb.PurchaseReversed{EventTimeMs: f.now(), Campaign: 1, Chain: o.chain, OrderId: o.id})
}

// refused makes an event that some rule says no to, if the ones before it came through.
func (f *feed) refused(c *tree) {
	u, m := f.user(), member(f.rng, c.members)
	switch f.rng.IntN(12) {
	case 0:
		f.join(c.seed, f.code(1, c.seed, u, time.Hour), u) // SELF_INVITE
	case 1:
		f.join(c.seed, f.code(1, c.seed, u, time.Hour), f.user()) // UNKNOWN_INVITER
	case 2:
		f.join(c.seed, f.code(1, c.seed, m, time.Hour), c.seed) // CYCLE or SELF_INVITE
	case 3:
		f.join(c.seed, f.code(1, c.seed, m, -time.Minute), u) // EXPIRED_CODE
	case 4:
		code := []byte(f.code(1, c.seed, m, time.Hour)) // BAD_CODE
		code[len(code)-5] ^= 1
		f.join(c.seed, string(code), u)
	case 5:
		f.join(c.seed, f.code(1, c.seed, m, time.Hour), u) // NO_ACTIVE_SHARE where m has not shared
	case 6:
		f.purchase(c, u) // UNKNOWN_USER
	case 7, 8: // CLAIMED_ELSEWHERE, or ALREADY_INVITED
		d := f.pick()
		if len(d.sharers) > 0 {
			f.join(d.seed, d.codes[member(f.rng, d.sharers)], m)
		}
	case 9: // SHARE_LIMIT
		for range 6 {
			f.share(c, c.seed)
		}
	case 10:
		f.add("ShareCreated", c.seed, &pb.ShareCreated{EventTimeMs: f.now(), Campaign: 2, Chain: c.seed, User: c.seed, Code: f.code(2, c.seed, c.seed, time.Hour)})
	case 11:
		f.add("ShareCreated", c.seed, &pb.ShareCreated{EventTimeMs: f.now(), Campaign: 3, Chain: c.seed, User: c.seed, Code: f.code(3, c.seed, c.seed, time.Hour)})
	}
}

// dead makes a record that nobody can judge.
func (f *feed) dead(c *tree) {
	share := &pb.ShareCreated{EventTimeMs: f.now(), Campaign: 1, Chain: c.seed, User: c.seed, Code: f.code(1, c.seed, c.seed, time.Hour)}
	switch f.rng.IntN(9) {
	case 0:
		f.raw("ShareCreated", c.seed, []byte("{\"\xff\xfe\x00"))
	case 1:
		f.raw("Nothing", c.seed, nil)
	case 2:
		share.User = 0
		f.add("ShareCreated", c.seed, share)
	case 3:
		f.add("ShareCreated", c.seed, share).key = nil
	case 4:
		in := f.add("ShareCreated", c.seed, share)
		in.partition = (in.partition + 1) % partitions
	case 5:
		share.EventTimeMs += 365 * 24 * 3600 * 1000
		f.add("ShareCreated", c.seed, share)
	case 6:
		share.Campaign, share.Code = 99, f.code(99, c.seed, c.seed, time.Hour)
		f.add("ShareCreated", c.seed, share)
	case 7:
		f.join(c.seed, "NOCODE", f.user())
	case 8:
		n := f.rng.IntN(200)
		in := f.raw("ShareCreated", c.seed, bytes.Repeat([]byte("hostile "), 1+n))
		for range n / 198 * 100 { // more headers than a record may have
			in.headers = append(in.headers, topiclog.Header{Key: "hostile"})
		}
	}
}
