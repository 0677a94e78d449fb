package processor_test

import (
	"context"
	"encoding/hex"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/fsm"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// fastClock runs faster than time does, so that retries of 30 s take a second.
func fastClock(times int64) func() time.Time {
	began := time.Now()
	return func() time.Time { return began.Add(time.Duration(times) * time.Since(began)) }
}

// faultyIssue fails at issuing alone, each request by itself: a look-up by key always gets its answer.
type faultyIssue struct {
	fsm.Issuer
	inner fsm.Issuer
}

// Issue draws a fate for each request: one for all that a slow machine lets gather would leave none to give up.
func (f faultyIssue) Issue(ctx context.Context, requests []fsm.Request, results []fsm.Result) error {
	for i := range requests {
		_ = f.Issuer.Issue(ctx, requests[i:i+1], results[i:i+1]) // the result says the same
	}
	return nil
}

func (f faultyIssue) Lookup(ctx context.Context, keys []fsm.Key, results []fsm.Result) error {
	return f.inner.Lookup(ctx, keys, results)
}

// TestRetries: an issuer that refuses and loses answers; every coupon is retried, never early, by its delays, and
// ends COMPLETED or, after the fourth attempt, DEAD with one letter (domain.md section 6).
func TestRetries(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	cfg := f.config("a", f.dir("a"))
	cfg.Issuer = faultyIssue{Issuer: fsm.NewFaulty(cfg.Issuer, 7, fsm.Faults{Refused: 0.65, Lost: 0.1}), inner: cfg.Issuer}
	cfg.Now = fastClock(20)
	f.startWith(cfg)
	d := f.feed()
	for p := range f.partitions {
		chain := f.chainIn(p, 0)
		d.put(d.share(1, chain, chain))
		for u := range int64(40) {
			d.put(d.join(1, chain, chain, int64(p)*1000+500+u))
		}
	}
	r := f.mustVerify()
	dead, done := r.Coupons["DEAD"], r.Coupons["COMPLETED"]
	if dead == 0 || done == 0 || int64(len(f.letters(schemas.TopicCouponDead))) != dead {
		t.Errorf("coupons %v, %d letters: want some of both ends, and a letter for each in DEAD", r.Coupons, len(f.letters(schemas.TopicCouponDead)))
	}
	checkDelays(t, f.facts())
}

// checkDelays looks at every RETRYING and at the DUE that follows it.
func checkDelays(t *testing.T, facts []*pb.Fact) {
	t.Helper()
	bounds := map[int32][2]int64{1: {1000, 1000}, 2: {4000, 6000}, 3: {24_000, 36_000}}
	retrying := map[string]*pb.CouponMoved{}
	for _, fact := range facts {
		m := fact.GetCouponMoved()
		switch {
		case m == nil:
		case m.To == pb.CouponState_COUPON_STATE_RETRYING:
			if d, b := m.DueMs-m.TimeMs, bounds[m.Attempts]; d < b[0] || d > b[1] {
				t.Errorf("attempt %d is due after %d ms, want %v", m.Attempts, d, b)
			}
			retrying[string(m.CouponId)] = m
		case m.Event == pb.CouponEvent_COUPON_EVENT_DUE:
			if was := retrying[string(m.CouponId)]; was == nil || m.TimeMs < was.DueMs {
				t.Errorf("coupon %x: due at %v, woken at %d: early", m.CouponId, was, m.TimeMs)
			}
		}
	}
	if len(retrying) == 0 {
		t.Error("nothing was retried")
	}
}

// heldIssuer answers nobody until it is opened.
type heldIssuer struct {
	fsm.Issuer
	open  chan struct{}
	asked atomic.Int64
}

func (h *heldIssuer) Issue(ctx context.Context, requests []fsm.Request, results []fsm.Result) error {
	h.asked.Add(1)
	select {
	case <-h.open:
	case <-ctx.Done():
		return ctx.Err()
	}
	return h.Issuer.Issue(ctx, requests, results)
}

// TestRefund: a refund before the command is read fails the coupon; while the issuer may have paid it waits and
// revokes; a voucher in hand is revoked, a used one is left (domain.md section 6, "Refund").
func TestRefund(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	cfg := f.config("a", f.dir("a"))
	held := &heldIssuer{Issuer: cfg.Issuer, open: make(chan struct{})}
	cfg.Issuer = held
	f.startWith(cfg)
	d := f.feed()
	const buyer = 50
	chain := f.chainIn(1, 0)
	d.put(d.share(1, chain, chain), d.join(1, chain, chain, buyer))
	d.put(d.purchase(chain, buyer, "before"), d.reversal(chain, "before"), d.purchase(chain, buyer, "during"), d.purchase(chain, buyer, "after"))
	f.await("the issuer to be asked", func() bool { return held.asked.Load() > 0 })
	d.put(d.reversal(chain, "during"))
	f.await("the refund's verdict", func() bool { return accepted(f.facts(), pb.EventKind_EVENT_KIND_PURCHASE_REVERSED) == 2 })
	close(held.open)
	f.mustVerify()
	d.put(d.reversal(chain, "after"))
	f.mustVerify()

	want := map[string]string{
		"before": "coupon_pending coupon_failed",
		"during": "coupon_pending coupon_validating coupon_issuing coupon_completed voucher_issued voucher_revoked",
		"after":  "coupon_pending coupon_validating coupon_issuing coupon_completed voucher_issued voucher_revoked",
	}
	got := f.stories()
	for order, story := range want {
		if got[order] != story {
			t.Errorf("order %q: %q, want %q", order, got[order], story)
		}
	}
}

func accepted(facts []*pb.Fact, kind pb.EventKind) (n int) {
	for _, m := range facts {
		if a := m.GetAccepted(); a != nil && a.Input.Kind == kind {
			n++
		}
	}
	return n
}

// stories are the transitions of every order's coupon, as subscribers read them.
func (f *fleet) stories() map[string]string {
	f.t.Helper()
	words := map[string][]string{}
	for _, r := range f.read(schemas.TopicResults) {
		m := new(pb.CouponResult)
		f.decode(r.Value, m)
		for _, tr := range m.Transitions {
			words[m.OrderId] = append(words[m.OrderId], tr.EventType)
		}
	}
	all := map[string]string{}
	for order, w := range words {
		all[order] = strings.Join(w, " ")
	}
	return all
}

// controller sends commands about the coupons of one chain.
type controller struct {
	*feed
	chain int64
	key   string
}

func (c *controller) command(id string, body *pb.ControlCommand) *kgo.Record {
	body.CommandId = id
	return c.record(schemas.TopicControl, c.key, c.bytes(body))
}

// TestControl: redeem, roll back and revoke move a voucher once each; what is illegal, unknown or misrouted is one
// letter of coupon.dead with a sentence; a redelivery does nothing (domain.md section 6).
func TestControl(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	f.start("a")
	d := f.feed()
	chain := f.chainIn(0, 0)
	d.put(d.share(1, chain, chain), d.join(1, chain, chain, 50), d.purchase(chain, 50, "o"))
	f.mustVerify()
	id := f.couponOf("o")
	c := &controller{feed: d, chain: chain, key: string(schemas.AppendKey(nil, chain))}
	v := &pb.VoucherCommand{VoucherId: id, Chain: chain}
	redeem := func(name string) *kgo.Record {
		return c.command(name, &pb.ControlCommand{Body: &pb.ControlCommand_Redeem{Redeem: v}})
	}
	rollBack := c.command("3", &pb.ControlCommand{Body: &pb.ControlCommand_RollBack{RollBack: v}})
	revoke := c.command("4", &pb.ControlCommand{Body: &pb.ControlCommand_Revoke{Revoke: v}})
	review := c.command("5", &pb.ControlCommand{Body: &pb.ControlCommand_Review{Review: &pb.ReviewCommand{
		CouponId: id, Chain: chain, Decision: pb.ReviewDecision_REVIEW_DECISION_APPROVE, Operator: "o",
	}}})
	unknown := c.command("6", &pb.ControlCommand{Body: &pb.ControlCommand_Revoke{Revoke: &pb.VoucherCommand{VoucherId: make([]byte, 16), Chain: chain}}})
	misrouted := redeem("7")
	misrouted.Partition = 1
	change := c.command("8", &pb.ControlCommand{Body: &pb.ControlCommand_CampaignChange{CampaignChange: &pb.CampaignChange{
		Campaign: 1, Number: 1, Kind: pb.ChangeKind_CHANGE_KIND_PAUSE,
	}}})
	garbage := c.record(schemas.TopicControl, c.key, []byte("\xff"))
	d.put(redeem("1"), redeem("1"), redeem("2"), rollBack, rollBack, revoke, review, unknown, misrouted, change, garbage)
	f.mustVerify()
	if got, want := f.stories()["o"], "coupon_pending coupon_validating coupon_issuing coupon_completed voucher_issued voucher_used voucher_rolled_back voucher_revoked"; got != want {
		t.Errorf("the voucher's story is %q, want %q", got, want)
	}
	for _, m := range f.facts() {
		if v := m.GetVoucherMoved(); v.GetEvent() == pb.VoucherEvent_VOUCHER_EVENT_REVOKE && v.GetReason() != pb.Reason_REASON_REVOKED_BY_SERVICE {
			t.Errorf("revoked for %s", v.GetReason())
		}
	}
	var reasons []string
	for _, l := range f.letters(schemas.TopicCouponDead) {
		if l.OriginTopic != schemas.TopicControl.String() || l.Sentence == "" {
			t.Errorf("letter from %s: %q", l.OriginTopic, l.Sentence)
		}
		if l.OriginPartition == 0 {
			reasons = append(reasons, strings.TrimPrefix(l.Reason.String(), "REASON_"))
		}
	}
	if got, want := strings.Join(reasons, " "), "ILLEGAL_MOVE ILLEGAL_MOVE UNKNOWN_COUPON MISROUTED UNDECODABLE"; got != want {
		t.Errorf("letters %s, want %s", got, want)
	}
	if n := len(f.letters(schemas.TopicCouponDead)); n != 6 {
		t.Errorf("%d letters of 6 commands that cannot be carried out", n)
	}
}

// couponOf is the id of an order's coupon.
func (f *fleet) couponOf(order string) []byte {
	f.t.Helper()
	for _, r := range f.read(schemas.TopicResults) {
		m := new(pb.CouponResult)
		if f.decode(r.Value, m); m.OrderId == order {
			id, err := hex.DecodeString(m.VoucherId)
			if err != nil {
				f.t.Fatal(err)
			}
			return id
		}
	}
	f.t.Fatalf("no coupon of order %s", order)
	return nil
}

// TestCampaignChanges: pause, resume, top-up and stop reach every partition, once per number (domain.md section 5).
func TestCampaignChanges(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	f.start("a")
	d := f.feed()
	chain := f.chainIn(1, 0)
	d.put(d.share(1, chain, chain))
	change := func(number int64, kind pb.ChangeKind, coupon string, stock int64) {
		value := d.bytes(&pb.ControlCommand{CommandId: "c", Body: &pb.ControlCommand_CampaignChange{CampaignChange: &pb.CampaignChange{
			Campaign: 1, Number: number, Kind: kind, Reason: "test", Coupon: coupon, StockDelta: stock,
		}}})
		for range 2 { // sent again, nothing happens
			if err := f.topics.Broadcast(t.Context(), schemas.TopicControl, []byte("campaign/1"), value, nil); err != nil {
				t.Fatal(err)
			}
		}
		f.mustVerify()
	}
	invitee := int64(100)
	join := func(want string) {
		invitee++
		d.put(d.join(1, chain, chain, invitee))
		before := f.mustVerify().Verdicts[want]
		if before == 0 {
			t.Errorf("join %d: no verdict %s", invitee, want)
		}
	}
	join("ACCEPTED")
	change(1, pb.ChangeKind_CHANGE_KIND_PAUSE, "", 0)
	join("CAMPAIGN_PAUSED")
	change(2, pb.ChangeKind_CHANGE_KIND_RESUME, "", 0)
	change(3, pb.ChangeKind_CHANGE_KIND_TOP_UP, "five_off", 10)
	join("ACCEPTED")
	change(4, pb.ChangeKind_CHANGE_KIND_TOP_UP, "five_off", schemas.MaxCount) // with the 10 it is more than the issuer counts
	change(4, pb.ChangeKind_CHANGE_KIND_TOP_UP, "five_off", schemas.MaxCount-10)
	change(5, pb.ChangeKind_CHANGE_KIND_STOP, "", 0)
	join("CAMPAIGN_CLOSED")
	r := f.mustVerify()
	if r.JoinsAccepted != 2 || r.Verdicts["CAMPAIGN_PAUSED"] != 1 || r.Verdicts["CAMPAIGN_CLOSED"] != 1 {
		t.Errorf("%d joins accepted, verdicts %v", r.JoinsAccepted, r.Verdicts)
	}
	changes := 0
	for _, m := range f.facts() {
		if m.GetCampaignChanged() != nil {
			changes++
		}
	}
	if changes != 5*int(f.partitions) {
		t.Errorf("%d changes are facts, want 5 in each of %d partitions", changes, f.partitions)
	}
	letters := f.letters(schemas.TopicCouponDead)
	for _, l := range letters {
		if !strings.Contains(l.Sentence, `change 4 of campaign 1 adds 9007199254740991 pieces of "five_off"`) {
			t.Errorf("a letter says %q", l.Sentence)
		}
	}
	if n := len(letters); n != 2*int(f.partitions) { // it was sent twice
		t.Errorf("%d letters", n)
	}
}
