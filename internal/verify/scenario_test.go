package verify

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// scenario is the good log that every test starts from. It holds every verdict, every reason,
// every kind of dead letter and every way of a coupon. Users of chain 0 are named by letters.
type scenario struct {
	*world
	p, q           *wpart // two partitions
	s, a, b, c, d  int64  // the chain of p: s invites a and b, a invites c, c invites d
	t, z           int64  // the chain of q: t invites z
	far            int64  // expiry of good codes, Unix seconds
	joinA, joinB   *wfact
	joinC, joinD   *wfact
	bought         *wfact
	coupons        map[string]*wcoupon
	lost           []*wcommand // of one reward: two are buried, the third makes the coupon
	sound, unsound *wcommand   // under the id of a coupon that was made before
	ahead          *wcommand   // forged, and of a fact that was not there yet
	shareS, shareA *wevent
}

func newScenario(tb testing.TB) *scenario {
	tb.Helper()
	w := newWorld(tb)
	sc := &scenario{world: w, p: w.parts[0], q: w.parts[1], coupons: map[string]*wcoupon{}, far: w.campaign.EndsMS/1000 + 90*86400}
	sc.s, sc.a, sc.b, sc.c, sc.d = sc.p.userID(0), 2001, 2002, 2003, 2004
	sc.t, sc.z = sc.q.userID(0), 2005
	sc.begin()
	sc.grow()
	sc.refusals()
	sc.closedTimes()
	sc.orders()
	sc.buried()
	sc.pay()
	sc.controlled()
	sc.others()
	sc.other()
	return sc
}

func (sc *scenario) share(p *wpart, chain, user, minute int64) *wevent {
	return p.send(&wevent{kind: schemas.EventShare, ms: sc.at(minute), chain: chain, user: user, code: sc.mint(chain, user, sc.far), expires: sc.far})
}

func (sc *scenario) join(p *wpart, chain, inviter, user, minute int64) *wevent {
	return p.send(&wevent{kind: schemas.EventJoin, ms: sc.at(minute), chain: chain, user: user, inviter: inviter, code: sc.mint(chain, inviter, sc.far)})
}

// joined writes a join, its fact and rewards; direct is how many the inviter has then.
func (sc *scenario) joined(p *wpart, chain, inviter, user, minute int64, depth, direct int32) *wfact {
	trigger := fmt.Sprintf("J:%d", user)
	rewards := []schemas.Reward{
		sc.reward("welcome", user, 0, trigger),
		sc.reward("l1", inviter, 1, trigger),
	}
	if direct%2 == 0 {
		rewards = append(rewards, sc.reward("two", inviter, direct/2, fmt.Sprintf("D:%d:%d", inviter, direct/2)))
	}
	return p.accept(sc.join(p, chain, inviter, user, minute), depth, rewards...)
}

// begin: a chain, its first joins, the same join again.
func (sc *scenario) begin() {
	p := sc.p
	p.activate()
	sc.shareS = sc.share(p, sc.s, sc.s, 1)
	first := p.accept(sc.shareS, 0)
	sc.joinA = sc.joined(p, sc.s, sc.s, sc.a, 2, 1, 1)
	sc.ahead = p.command(nil, p.commands[0].c)                                              // of joinC, which comes later
	sc.ahead.c.CouponID = sc.reward("welcome", sc.c, 0, fmt.Sprintf("J:%d", sc.c)).CouponID // anybody can compute it
	sc.ahead.mac = stranger
	p.duplicate(sc.join(p, sc.s, sc.s, sc.a, 3), sc.joinA)
	again := *sc.shareS
	p.duplicate(p.send(&again), first)
	sc.joinB = sc.joined(p, sc.s, sc.s, sc.b, 4, 1, 2)
	p.end()
}

// grow: down to max_depth, where beyond: refuse ends it.
func (sc *scenario) grow() {
	p := sc.p
	sc.shareA = sc.share(p, sc.s, sc.a, 5)
	p.accept(sc.shareA, 0)
	sc.joinC = sc.joined(p, sc.s, sc.a, sc.c, 6, 2, 1)
	sc.ahead.of = sc.joinC
	p.accept(sc.share(p, sc.s, sc.c, 7), 0)
	sc.joinD = sc.joined(p, sc.s, sc.c, sc.d, 8, 3, 1)
	p.accept(sc.share(p, sc.s, sc.d, 9), 0)
	p.refuse(sc.join(p, sc.s, sc.d, 3001, 10), pb.Reason_REASON_DEPTH_EXCEEDED)
	p.end()
}

func (sc *scenario) refusals() {
	p := sc.p
	p.refuse(sc.join(p, sc.s, sc.c, sc.b, 11), pb.Reason_REASON_ALREADY_INVITED)
	p.refuse(sc.join(p, sc.s, sc.b, 3002, 12), pb.Reason_REASON_NO_ACTIVE_SHARE)
	p.refuse(sc.join(p, sc.s, sc.a, sc.s, 13), pb.Reason_REASON_CYCLE)
	p.refuse(sc.join(p, sc.s, 3003, 3003, 14), pb.Reason_REASON_SELF_INVITE)
	p.refuse(sc.join(p, sc.s, 3004, 3005, 15), pb.Reason_REASON_UNKNOWN_INVITER)
	p.refuse(sc.share(p, sc.s, 3006, 16), pb.Reason_REASON_UNKNOWN_USER)
	p.refuse(sc.share(p, sc.s, sc.a, 17), pb.Reason_REASON_SHARE_LIMIT)
	p.refuse(sc.join(p, sc.s, sc.a, sc.z, 18), pb.Reason_REASON_CLAIMED_ELSEWHERE)
	forged := []byte(sc.mint(sc.s, sc.a, sc.far))
	if forged[len(forged)-3] == '7' {
		forged[len(forged)-3] = '8'
	} else {
		forged[len(forged)-3] = '7'
	}
	p.refuse(p.send(&wevent{kind: schemas.EventJoin, ms: sc.at(19), chain: sc.s, user: 3007, inviter: sc.a, code: string(forged)}), pb.Reason_REASON_BAD_CODE)
	stolen := &wevent{kind: schemas.EventShare, ms: sc.at(20), chain: sc.s, user: sc.b, code: sc.mint(sc.s, sc.a, sc.far)}
	p.refuse(p.send(stolen), pb.Reason_REASON_BAD_CODE)
	old := &wevent{kind: schemas.EventJoin, ms: sc.at(21), chain: sc.s, user: 3008, inviter: sc.a, code: sc.mint(sc.s, sc.a, sc.at(21)/1000)}
	p.refuse(p.send(old), pb.Reason_REASON_EXPIRED_CODE)
	p.end()
}

func (sc *scenario) closedTimes() {
	p := sc.p
	p.refuse(sc.join(p, sc.s, sc.a, 3009, -1), pb.Reason_REASON_CAMPAIGN_NOT_STARTED)
	p.change(1, pb.ChangeKind_CHANGE_KIND_PAUSE)
	p.refuse(sc.join(p, sc.s, sc.a, 3010, 22), pb.Reason_REASON_CAMPAIGN_PAUSED)
	p.change(2, pb.ChangeKind_CHANGE_KIND_RESUME)
	p.clock = sc.campaign.EndsMS
	late := &wevent{kind: schemas.EventJoin, ms: sc.campaign.EndsMS, chain: sc.s, user: 3011, inviter: sc.a, code: sc.mint(sc.s, sc.a, sc.far)}
	p.refuse(p.send(late), pb.Reason_REASON_CAMPAIGN_CLOSED)
	p.end()
}

func (sc *scenario) orders() {
	p := sc.p
	buy := func(user int64, id, currency string, amount, minute int64) *wevent {
		return p.send(&wevent{kind: schemas.EventPurchase, ms: sc.at(minute), chain: sc.s, user: user, order: id, amount: amount, currency: currency})
	}
	back := func(id string, minute int64) *wevent {
		return p.send(&wevent{kind: schemas.EventReversal, ms: sc.at(minute), chain: sc.s, order: id})
	}
	sc.bought = p.accept(buy(sc.a, "o1", "CNY", 6000, 30), 0, sc.reward("buy", sc.s, 1, "P:o1"))
	p.duplicate(buy(sc.a, "o1", "CNY", 6000, 31), sc.bought)
	p.accept(buy(sc.a, "o2", "CNY", 4999, 32), 0)
	p.accept(buy(sc.a, "o3", "USD", 9000, 33), 0)
	p.accept(buy(sc.s, "o4", "CNY", 9000, 34), 0) // nobody is above the seed
	p.refuse(buy(3012, "o5", "CNY", 9000, 35), pb.Reason_REASON_UNKNOWN_USER)
	p.refuse(back("o9", 36), pb.Reason_REASON_UNKNOWN_ORDER)
	p.end()
}

func (sc *scenario) buried() {
	p := sc.p
	key := schemas.AppendKey(nil, sc.s)
	p.record(key, []byte("\xff\xff garbage"), "InviteJoined", "g1")
	p.bury(pb.Reason_REASON_UNDECODABLE)
	share := func(campaign, ms int64) []byte {
		value, err := proto.Marshal(&pb.ShareCreated{EventTimeMs: ms, Campaign: campaign, Chain: sc.s, User: sc.s, Code: sc.mint(sc.s, sc.s, sc.far)})
		if err != nil {
			sc.tb.Fatal(err)
		}
		return value
	}
	p.record(nil, share(1, sc.at(40)), "ShareCreated", "g2")
	p.bury(pb.Reason_REASON_NO_KEY)
	p.record(schemas.AppendKey(nil, sc.t), share(1, sc.at(41)), "ShareCreated", "g3")
	p.bury(pb.Reason_REASON_MISROUTED)
	p.record(key, share(1, p.clock+futureMS+1), "ShareCreated", "g4")
	p.bury(pb.Reason_REASON_FUTURE_TIME)
	p.record(key, share(1, p.clock+2*futureMS), "ShareCreated", "g7")
	p.bury(pb.Reason_REASON_FUTURE_TIME)
	p.record(key, share(9, sc.at(42)), "ShareCreated", "g5")
	p.bury(pb.Reason_REASON_UNKNOWN_CAMPAIGN)
	p.send(&wevent{kind: schemas.EventJoin, ms: sc.at(43), chain: sc.s, user: 3013, code: "no code at all"})
	p.bury(pb.Reason_REASON_BAD_CODE)
	big := p.bury(pb.Reason_REASON_UNDECODABLE)
	sc.inviteDead = sc.inviteDead[:len(sc.inviteDead)-1]
	r := p.record(key, make([]byte, schemas.MaxRecordBytes+1), "ShareCreated", "g6")
	big.OriginOffset, big.Reason, big.Value = r, pb.Reason_REASON_TOO_LARGE, nil
	big.ValueBytes, big.ValueSha256 = schemas.MaxRecordBytes+1, shaOf(make([]byte, schemas.MaxRecordBytes+1))
	sc.inviteDead = append(sc.inviteDead, big)
	p.end()
}

// other is the second partition's chain.
func (sc *scenario) other() {
	q := sc.q
	q.activate()
	q.accept(sc.share(q, sc.t, sc.t, 1), 0)
	sc.joined(q, sc.t, sc.t, sc.z, 2, 1, 1)
	q.end()
	for _, cmd := range q.commands {
		c := q.coupon(cmd)
		c.issue()
	}
	q.end()
}
