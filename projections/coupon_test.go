package projections

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// couponModel keeps coupons in a map and moves them at random: which moves are legal is fsm's
// matter, the state believes the facts.
type couponModel struct {
	r    *run
	all  map[schemas.CouponID]*Coupon
	ids  []schemas.CouponID
	seen map[string]int64
}

func newCouponModel(r *run) *couponModel {
	return &couponModel{r: r, all: map[schemas.CouponID]*Coupon{}, seen: map[string]int64{}}
}

func (m *couponModel) turn() {
	for range m.r.w.rng.IntN(6) {
		if len(m.ids) == 0 || m.r.w.chance(25) {
			m.create()
			continue
		}
		k := m.all[m.ids[m.r.w.rng.IntN(len(m.ids))]]
		switch {
		case m.r.w.chance(10):
			m.review(k)
		case k.State == pb.CouponState_COUPON_STATE_COMPLETED:
			m.voucher(k)
		default:
			m.move(k)
		}
	}
	// What was reversed in this turn marks the order's coupons.
	for _, k := range m.all {
		o := m.r.m.campaigns[k.Campaign].orders[k.OrderID]
		k.OrderReversed = k.OrderReversed || o != nil && o.reversed != 0
	}
}

func (m *couponModel) emit(body *pb.Fact) {
	f := &schemas.Fact{Seq: m.r.live.Seq() + 1, Rare: body}
	body.Seq = f.Seq
	switch body.GetBody().(type) {
	case *pb.Fact_CouponMoved:
		f.Kind = schemas.FactCouponMoved
	case *pb.Fact_VoucherMoved:
		f.Kind = schemas.FactVoucherMoved
	default:
		f.Kind = schemas.FactReviewDecided
	}
	m.r.emit(f)
	m.r.m.seq++
}

func (m *couponModel) create() {
	w := m.r.w
	k := &Coupon{
		State: pb.CouponState_COUPON_STATE_PENDING, Campaign: 1 + w.rng.Int64N(2), Chain: w.seed(), Beneficiary: w.user(),
		FactSeq: m.r.live.Seq(), Kind: "five", Rule: "l1", Trace: "00-1-2-01", ValueMinor: 500, Currency: "CNY",
		ValidForMS: 1000, CreatedMS: w.nowMS, Transition: 1,
	}
	if w.chance(50) {
		k.OrderID = string(w.order())
	} else {
		k.CommandID = fmt.Sprint("c", len(m.ids))
	}
	binary.BigEndian.PutUint64(k.ID[:], w.rng.Uint64())
	m.all[k.ID] = k
	m.ids = append(m.ids, k.ID)
	m.emit(&pb.Fact{Body: &pb.Fact_CouponMoved{CouponMoved: &pb.CouponMoved{
		CouponId: k.ID[:], Event: pb.CouponEvent_COUPON_EVENT_CREATE, To: k.State, Transition: 1, TimeMs: k.CreatedMS,
		Command: &pb.CouponCommand{
			CouponId: k.ID[:], Campaign: k.Campaign, Chain: k.Chain, Beneficiary: k.Beneficiary, Coupon: k.Kind, RuleId: k.Rule,
			FactSeq: k.FactSeq, ValueMinor: k.ValueMinor, Currency: k.Currency, ValidForMs: k.ValidForMS, OrderId: k.OrderID,
			CommandId: k.CommandID, Traceparent: k.Trace,
		},
	}}})
}

func (m *couponModel) move(k *Coupon) {
	w := m.r.w
	from := k.State
	k.State = pb.CouponState(2 + w.rng.IntN(7))
	if w.chance(30) {
		k.State = pb.CouponState_COUPON_STATE_RETRYING
	}
	k.Transition++
	k.Attempts, k.Round, k.DueMS = w.rng.Int32N(4), w.rng.Int32N(2), 0
	if k.State == pb.CouponState_COUPON_STATE_RETRYING {
		k.DueMS = w.nowMS + w.rng.Int64N(dayMS)
	}
	k.Reason, k.FirstError, k.LastError = pb.Reason_REASON_ISSUER_UNKNOWN, "first", "last"
	m.emit(&pb.Fact{Body: &pb.Fact_CouponMoved{CouponMoved: &pb.CouponMoved{
		CouponId: k.ID[:], From: from, To: k.State, Transition: k.Transition, Attempts: k.Attempts, Round: k.Round,
		DueMs: k.DueMS, Reason: k.Reason, FirstError: k.FirstError, LastError: k.LastError,
	}}})
}

func (m *couponModel) voucher(k *Coupon) {
	w := m.r.w
	from := k.Voucher
	k.Transition++
	command := fmt.Sprint("v", w.rng.IntN(200))
	if from == 0 {
		k.Voucher, k.VoucherExpiresMS = pb.VoucherState_VOUCHER_STATE_ISSUED, w.nowMS+w.rng.Int64N(3*dayMS)
	} else {
		k.Voucher = pb.VoucherState(1 + w.rng.IntN(4))
	}
	k.Reason = 0
	m.seen[command] = m.r.live.ClockMS()
	m.emit(&pb.Fact{Body: &pb.Fact_VoucherMoved{VoucherMoved: &pb.VoucherMoved{
		VoucherId: k.ID[:], From: from, To: k.Voucher, Transition: k.Transition, ExpiresMs: k.VoucherExpiresMS, CommandId: command,
	}}})
}

func (m *couponModel) review(k *Coupon) {
	k.Operator = fmt.Sprint("ana", m.r.w.rng.IntN(3))
	command := fmt.Sprint("v", m.r.w.rng.IntN(200))
	m.seen[command] = m.r.live.ClockMS()
	m.emit(&pb.Fact{Body: &pb.Fact_ReviewDecided{ReviewDecided: &pb.ReviewDecided{
		CouponId: k.ID[:], Decision: pb.ReviewDecision_REVIEW_DECISION_DISCARD, Operator: k.Operator, CommandId: command,
	}}})
}

// check compares every query about coupons.
func (m *couponModel) check(s *State) {
	var got, want []string
	note := func(list *[]string, what string) func(*Coupon) error {
		return func(k *Coupon) error {
			*list = append(*list, fmt.Sprintf("%s %+v", what, *k))
			return nil
		}
	}
	wantIf := func(what string, is bool, k *Coupon) {
		if is {
			_ = note(&want, what)(k)
		}
	}
	now, order := m.r.w.nowMS, string(m.r.w.order())
	due, expiring := m.collect(s.EachDue, now), m.collect(s.EachExpiring, now)
	open, states := 0, map[int64][9]int64{}
	for _, k := range m.all {
		wantIf("all", true, k)
		wantIf("issuing", k.State == pb.CouponState_COUPON_STATE_ISSUING, k)
		wantIf("order", k.Campaign == 1 && k.OrderID == order, k)
		open += count(k.State == pb.CouponState_COUPON_STATE_PENDING || k.State == pb.CouponState_COUPON_STATE_VALIDATING || k.State == pb.CouponState_COUPON_STATE_ISSUING)
		counts := states[k.Campaign]
		counts[k.State]++
		states[k.Campaign] = counts
		m.timed(&due, k.State == pb.CouponState_COUPON_STATE_RETRYING && k.DueMS <= now, k.DueMS, k)
		m.timed(&expiring, k.Voucher == pb.VoucherState_VOUCHER_STATE_ISSUED && k.VoucherExpiresMS <= now, k.VoucherExpiresMS, k)
	}
	err := s.EachCoupon(note(&got, "all"))
	if err == nil {
		err = s.EachIssuing(note(&got, "issuing"))
	}
	if err == nil {
		err = s.OrderCoupons(1, order, note(&got, "order"))
	}
	sort.Strings(got)
	sort.Strings(want)
	if err != nil || !slices.Equal(got, want) {
		m.r.t.Fatalf("coupons (%v):\n%s\nwant:\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s.Open() != open {
		m.r.t.Fatalf("%d coupons are open, want %d", s.Open(), open)
	}
	for id, counts := range states {
		if st, _ := s.Campaign(id); st.Stats.Coupons != counts {
			m.r.t.Fatalf("campaign %d has coupons %v by state, want %v", id, st.Stats.Coupons, counts)
		}
	}
	due.compare(m, "due")
	expiring.compare(m, "expiring")
	m.checkSeen(s)
}

// timedCoupons is what a query by time says, and what it should.
type timedCoupons struct{ got, want []string }

const timedLimit = 7

func (m *couponModel) collect(each func(int64, int, func(*Coupon) error) error, now int64) (t timedCoupons) {
	err := each(now, timedLimit, func(k *Coupon) error {
		t.got = append(t.got, k.ID.String())
		return nil
	})
	if err != nil {
		m.r.t.Fatal(err)
	}
	return t
}

func (m *couponModel) timed(t *timedCoupons, is bool, at int64, k *Coupon) {
	if is {
		t.want = append(t.want, fmt.Sprintf("%020d %s", at, k.ID))
	}
}

func (t *timedCoupons) compare(m *couponModel, what string) {
	sort.Strings(t.want)
	t.want = t.want[:min(len(t.want), timedLimit)]
	for i := range t.want {
		t.want[i] = t.want[i][21:]
	}
	if !slices.Equal(t.got, t.want) {
		m.r.t.Fatalf("%s: %q, want %q", what, t.got, t.want)
	}
	m.r.reached[what] += len(t.got)
}

func (m *couponModel) checkSeen(s *State) {
	for i := range 200 {
		command := fmt.Sprint("v", i)
		at, ok := m.seen[command]
		want := ok && s.ClockMS()-at <= 30*dayMS
		if got, err := s.Seen(command); err != nil || got != want {
			m.r.t.Fatalf("command %q seen at %d is remembered at %d: %t, want %t (%v)", command, at, s.ClockMS(), got, want, err)
		}
		m.r.reached["command forgotten"] += count(ok && !want)
	}
}
