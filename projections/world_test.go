package projections

import (
	"fmt"
	"math/rand/v2"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// world makes hostile, doubled, late and mostly good events from a seed.
type world struct {
	rng    *rand.Rand
	users  int64 // ids 1..users, seeds among them
	nowMS  int64
	stepMS int64 // mean time between events
	past   []*schemas.Event
	offset int64
	orders int
}

const (
	hourMS    = 60 * 60 * 1000
	worldMS   = 1_800_000_000_000 // January 2027
	worldText = `campaign: %d
version: %d
starts: 2027-01-01T00:00:00Z
ends: 2027-12-01T00:00:00Z
max_depth: %d
beyond: %s
acknowledge_levels: true
coupons:
  five: {stock: 1000, valid_for: 720h, value_minor: 500, currency: CNY}
  euro: {stock: 1000, valid_for: 24h, value_minor: 100, currency: EUR}
rewards:
  - {id: welcome, on: join, to: invitee, coupon: five}
  - {id: l1, on: join, to: inviter, coupon: five}
  - {id: l3, on: join, to: level, level: 3, coupon: euro}
  - {id: three, on: direct_joins, every: 3, repeat: true, to: inviter, coupon: five}
  - {id: first2, on: direct_joins, every: 2, repeat: false, to: inviter, coupon: euro}
  - {id: buy0, on: purchase, min_minor: 1, to: buyer, coupon: five}
  - {id: buy2, on: purchase, min_minor: 5000, to: level, level: 2, coupon: euro}
`
)

func worldRules(id, version int64, maxDepth int, beyond string) *schemas.Campaign {
	c, err := schemas.ParseCampaign("test", fmt.Appendf(nil, worldText, id, version, maxDepth, beyond))
	if err != nil {
		panic(err)
	}
	return c
}

func newWorld(seed uint64, users int64) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, 1)), users: users, nowMS: worldMS, stepMS: hourMS / 3}
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// user is nearly always one of a window that moves with time, so that users become cold, and now
// and then any: then they come back.
func (w *world) user() int64 {
	last := min(w.users, 50+2*w.offset)
	first := max(1, last-300)
	if w.chance(3) {
		first = 1
	}
	return first + w.rng.Int64N(last-first+1)
}

// seed is one of few users, so that chains grow.
func (w *world) seed() int64 { return 1 + w.rng.Int64N(min(w.users/8, 40)) }

// event is the next event, in a campaign that m knows nearly always.
func (w *world) event(m *model) *schemas.Event {
	w.offset++
	if len(w.past) > 0 && w.chance(4) { // doubled, perhaps with another time
		e := *w.past[w.rng.IntN(len(w.past))]
		e.Offset = w.offset
		if w.chance(30) {
			e.TimeMS = w.time()
		}
		return &e
	}
	e := &schemas.Event{
		Source: []byte("app"), ID: fmt.Appendf(nil, "e%d", w.offset), Trace: []byte("00-1-2-01"), Offset: w.offset,
		TimeMS: w.time(), Campaign: 1 + w.rng.Int64N(2), Code: schemas.CodeGood,
	}
	if w.chance(1) {
		e.Campaign = 99
	}
	if w.chance(1) {
		e.TimeMS = worldMS - 30*dayMS + w.rng.Int64N(2)*365*dayMS // before the start, after the end
	}
	e.CodeExpiresS = e.TimeMS/1000 + w.rng.Int64N(30*24*3600) - 3600
	switch p := w.rng.IntN(100); {
	case p < 30:
		w.share(e, m)
	case p < 85:
		w.join(e, m)
	case p < 95:
		w.purchase(e, m)
	default:
		w.reversal(e, m)
	}
	w.past = append(w.past, e)
	return e
}

func (w *world) time() int64 {
	w.nowMS += w.rng.Int64N(2 * w.stepMS)
	if w.chance(10) {
		return w.nowMS - w.rng.Int64N(3*dayMS)
	}
	return w.nowMS
}

// member is a user of the campaign, or anybody.
func (w *world) member(c *modelCampaign) int64 {
	id := w.user()
	for tries := 0; c != nil && c.users[id] == nil && tries < 50; tries++ {
		id = w.user()
	}
	return id
}

func (w *world) chainOf(c *modelCampaign, user int64) int64 {
	if c != nil && c.users[user] != nil && !w.chance(3) {
		return c.users[user].chain
	}
	return w.seed()
}

func (w *world) badCode(e *schemas.Event) {
	if w.chance(3) {
		e.Code = schemas.CodeForged
	} else if w.chance(2) {
		e.Code = schemas.CodeMalformed
	}
}

func (w *world) share(e *schemas.Event, m *model) {
	e.Kind = schemas.EventShare
	c := m.campaigns[e.Campaign]
	if w.chance(20) {
		e.User = w.seed()
		e.Chain = e.User
	} else {
		e.User = w.member(c)
		e.Chain = w.chainOf(c, e.User)
	}
	w.badCode(e)
}

func (w *world) join(e *schemas.Event, m *model) {
	e.Kind = schemas.EventJoin
	c := m.campaigns[e.Campaign]
	e.User, e.Inviter = w.user(), w.member(c)
	for tries := 0; c != nil && tries < 10; tries++ { // deep chains of those who shared
		other := w.member(c)
		if a, b := c.users[e.Inviter], c.users[other]; a == nil || b != nil && b.shared && (!a.shared || b.depth > a.depth && tries < 3) {
			e.Inviter = other
		}
	}
	e.Chain = w.chainOf(c, e.Inviter)
	if w.chance(2) {
		e.User = e.Inviter
	} else if w.chance(2) {
		e.User = e.Chain
	}
	e.Device = []byte("d")
	w.badCode(e)
}

func (w *world) order() []byte {
	if w.orders == 0 || w.chance(70) {
		w.orders++
	}
	return fmt.Appendf(nil, "o%d", 1+w.rng.IntN(w.orders))
}

func (w *world) purchase(e *schemas.Event, m *model) {
	e.Kind = schemas.EventPurchase
	c := m.campaigns[e.Campaign]
	e.User = w.member(c)
	e.Chain = w.chainOf(c, e.User)
	e.OrderID, e.AmountMinor, e.Currency = w.order(), w.rng.Int64N(10000), []byte("CNY")
	if w.chance(40) {
		e.Currency = []byte("EUR")
	}
}

func (w *world) reversal(e *schemas.Event, m *model) {
	e.Kind = schemas.EventReversal
	e.OrderID, e.Chain = w.order(), w.seed()
	if c := m.campaigns[e.Campaign]; c != nil && c.orders[string(e.OrderID)] != nil && !w.chance(5) {
		e.Chain = c.orders[string(e.OrderID)].chain
	}
}

// answer is what Redis says of an event, always the same.
func (w *world) answer(e *schemas.Event, ask Ask) (a Answer) {
	h := EventHash(e)
	if ask&AskShare != 0 {
		a.Share = Yes
		if h[0]%11 == 0 {
			a.Share = No
		}
	}
	if ask&AskClaim != 0 {
		a.Claim = Yes
		if h[1]%13 == 0 {
			a.Claim = No
		}
	}
	return a
}

// activated is the fact that brings rules into force.
func activated(seq int64, rules *schemas.Campaign) *schemas.Fact {
	return &schemas.Fact{Seq: seq, Kind: schemas.FactCampaignActivated, Rare: &pb.Fact{Seq: seq, Body: &pb.Fact_CampaignActivated{
		CampaignActivated: &pb.CampaignActivated{Campaign: rules.ID, Version: rules.Version, Sha256: rules.SHA256[:], Text: string(rules.Text)},
	}}}
}

func changed(seq, campaign, number int64, kind pb.ChangeKind) *schemas.Fact {
	return &schemas.Fact{Seq: seq, Kind: schemas.FactCampaignChanged, Rare: &pb.Fact{Seq: seq, Body: &pb.Fact_CampaignChanged{
		CampaignChanged: &pb.CampaignChanged{Change: &pb.CampaignChange{Campaign: campaign, Number: number, Kind: kind, Coupon: "five", StockDelta: 7}},
	}}}
}
