package projections

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// script plays a transcript: campaign files and events in, verdicts and rewards out.
type script struct {
	s     *State
	store *memoryStore
	day   string
	lines int
	fact  schemas.Fact
	met   map[string]bool // outcomes, reasons and reward kinds over all transcripts
}

// TestTranscripts plays testdata/projections and checks that together the transcripts meet every
// reason code and every kind of reward (domain.md sections 2 and 5).
func TestTranscripts(t *testing.T) {
	t.Parallel()
	met := map[string]bool{}
	datadriven.Walk(t, "../testdata/projections", func(t *testing.T, path string) {
		x := &script{store: newMemoryStore(), met: met, day: "2026-11-01"}
		var err error
		if x.s, err = Open(x.store, Config{}); err != nil {
			t.Fatal(err)
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			d.MaybeScanArgs(t, "on", &x.day)
			var out strings.Builder
			if err := x.command(d, &out); err != nil {
				t.Fatalf("%s: %v", d.Pos, err)
			}
			return out.String()
		})
	})
	for reason := reasonAlreadyInvited; reason <= reasonClaimedElsewhere; reason++ {
		if !met["refused "+name(reason)] {
			t.Errorf("no transcript is refused for %s", name(reason))
		}
	}
	for _, what := range []string{
		"accepted", "duplicate", "dead UNKNOWN_CAMPAIGN", "dead BAD_CODE", "join to invitee", "join to inviter", "join to level",
		"direct_joins to inviter", "purchase to buyer", "purchase to inviter", "purchase to level",
	} {
		if !met[what] {
			t.Errorf("no transcript shows: %s", what)
		}
	}
}

func name(r schemas.Reason) string { return strings.TrimPrefix(r.String(), "REASON_") }

func (x *script) command(d *datadriven.TestData, out *strings.Builder) error {
	switch d.Cmd {
	case "campaign":
		rules, err := schemas.ParseCampaign(d.Pos, []byte(d.Input))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%d: campaign %d version %d in force\n", x.s.Seq()+1, rules.ID, rules.Version)
		return x.s.Fold(activated(x.s.Seq()+1, rules))
	case "change":
		return x.change(d, out)
	case "events":
		for line := range strings.SplitSeq(d.Input, "\n") {
			if err := x.event(line, out); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
		}
		return nil
	case "show":
		return x.show(strings.Fields(d.Input), out)
	case "coupons":
		for line := range strings.SplitSeq(d.Input, "\n") {
			if err := x.coupon(strings.Fields(line), out); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
		}
		return nil
	case "restart":
		if err := flush(x.s, x.store); err != nil {
			return err
		}
		var err error
		x.s, err = Open(x.store, Config{})
		return err
	}
	return fmt.Errorf("command %q", d.Cmd)
}

func (x *script) change(d *datadriven.TestData, out *strings.Builder) error {
	words := strings.Fields(d.Input)
	kinds := map[string]pb.ChangeKind{
		"pause": pb.ChangeKind_CHANGE_KIND_PAUSE, "resume": pb.ChangeKind_CHANGE_KIND_RESUME,
		"stop": pb.ChangeKind_CHANGE_KIND_STOP, "top-up": pb.ChangeKind_CHANGE_KIND_TOP_UP,
	}
	number, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return err
	}
	if err := x.s.Fold(changed(x.s.Seq()+1, 1, number, kinds[words[1]])); err != nil {
		return err
	}
	c, _ := x.s.Campaign(1)
	fmt.Fprintf(out, "%d: campaign 1 paused %t, stopped %t, %d top-ups\n", x.s.Seq(), c.Paused, c.Stopped, len(c.TopUps))
	return nil
}

// event plays one line: TIME share|join|buy|refund ... key=value ...
func (x *script) event(line string, out *strings.Builder) error {
	words := strings.Fields(line)
	x.lines++
	e := &schemas.Event{
		Source: []byte("app"), ID: fmt.Appendf(nil, "line %d", x.lines), TimeMS: x.time(words[0]),
		Campaign: 1, Code: schemas.CodeGood, CodeExpiresS: x.time(words[0])/1000 + 7*24*3600,
	}
	a := Answer{Claim: Yes, Share: Yes}
	number := func(i int) int64 {
		v, _ := strconv.ParseInt(words[i], 10, 64)
		return v
	}
	what := strings.Join(words[1:], " ")
	switch words[1] {
	case "share":
		e.Kind, e.User = schemas.EventShare, number(2)
		words = words[3:]
	case "join":
		e.Kind, e.User, e.Inviter = schemas.EventJoin, number(2), number(4)
		words = words[5:]
	case "buy":
		e.Kind, e.User, e.AmountMinor, e.Currency = schemas.EventPurchase, number(2), number(3), []byte(words[4])
		words = words[5:]
	case "refund":
		e.Kind = schemas.EventReversal
		words = words[2:]
	}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		if err := x.field(e, &a, key, value); err != nil {
			return err
		}
	}
	x.judge(e, a, what, out)
	return x.s.Err()
}

func (x *script) field(e *schemas.Event, a *Answer, key, value string) error {
	v, _ := strconv.ParseInt(value, 10, 64)
	switch key {
	case "campaign":
		e.Campaign = v
	case "chain":
		e.Chain = v
	case "order":
		e.OrderID = []byte(value)
	case "id":
		e.ID = []byte(value)
	case "until":
		e.CodeExpiresS = x.time(value) / 1000
	case "code":
		e.Code = map[string]schemas.CodeStatus{"forged": schemas.CodeForged, "malformed": schemas.CodeMalformed}[value]
	case "limit":
		a.Share = No
	case "claim":
		a.Claim = No
	default:
		return fmt.Errorf("no such word: %s", key)
	}
	return nil
}

// time is "15:04" of the day that the command names, or "2006-01-02T15:04".
func (x *script) time(text string) int64 {
	if !strings.Contains(text, "T") {
		text = x.day + "T" + text
	}
	t, err := time.Parse("2006-01-02T15:04", text)
	if err != nil {
		return 0
	}
	return t.UnixMilli()
}

func (x *script) judge(e *schemas.Event, a Answer, what string, out *strings.Builder) {
	ask := x.s.Probe(e)
	x.s.EndProbe()
	if ask&AskClaim == 0 {
		a.Claim = NotAsked
	}
	if ask&AskShare == 0 {
		a.Share = NotAsked
	}
	v := &x.fact.Verdict
	outcome := x.s.Decide(e, a, v)
	if outcome == Dead {
		fmt.Fprintf(out, "-: %s: dead letter %s\n", what, name(v.Reason))
		x.met["dead "+name(v.Reason)] = true
		return
	}
	x.fact.Seq, x.fact.Kind = x.s.Seq()+1, outcome.Kind()
	fmt.Fprintf(out, "%d: %s: ", x.fact.Seq, what)
	switch outcome {
	case Accept:
		x.met["accepted"] = true
		fmt.Fprint(out, "accepted", asked(ask))
		if e.Kind == schemas.EventJoin {
			fmt.Fprintf(out, ", depth %d", v.Depth)
		}
	case Refuse:
		x.met["refused "+name(v.Reason)] = true
		fmt.Fprint(out, "refused ", name(v.Reason), asked(ask))
		if v.Claimed || v.Counted {
			fmt.Fprintf(out, ", gives back: claim %t, share %t", v.Claimed, v.Counted)
		}
	case Duplicate:
		x.met["duplicate"] = true
		fmt.Fprintf(out, "duplicate of %d", v.FirstSeq)
	}
	out.WriteByte('\n')
	for i := range v.Rewards {
		x.reward(&v.Rewards[i], out)
	}
	_ = x.s.Fold(&x.fact) // Err tells
}

func asked(ask Ask) string {
	return []string{"", " (claim asked)", " (limit asked)", " (limit and claim asked)"}[ask]
}

func (x *script) reward(w *schemas.Reward, out *strings.Builder) {
	fmt.Fprintf(out, "     %s -> %d, rule %s", w.Coupon, w.Beneficiary, w.Rule)
	if w.Ordinal != 0 {
		fmt.Fprintf(out, " (%d)", w.Ordinal)
	}
	fmt.Fprintf(out, ", coupon %s\n", w.CouponID)
	c, _ := x.s.Campaign(1)
	for _, r := range c.Rules.Rules {
		if string(r.ID) == string(w.Rule) {
			on := []string{"", "join", "direct_joins", "purchase"}[r.On]
			to := []string{"", "invitee", "inviter", "level", "buyer"}[r.To]
			x.met[on+" to "+to] = true
		}
	}
}

func (x *script) show(words []string, out *strings.Builder) error {
	for _, w := range words {
		what, id, _ := strings.Cut(w, "=")
		n, _ := strconv.ParseInt(id, 10, 64)
		switch what {
		case "user":
			u, ok, err := x.s.User(1, n)
			if err != nil {
				return err
			}
			if !ok {
				fmt.Fprintf(out, "user %d: in no chain\n", n)
				continue
			}
			fmt.Fprintf(out, "user %d: chain %d, invited by %d, depth %d, direct %d, total %d\n", n, u.Chain, u.Inviter, u.Depth, u.Direct, u.Total)
		case "chain":
			t, _, err := x.s.Chain(1, n)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "chain %d: size %d, joins %d, shares %d, max depth %d\n", n, t.Size, t.Joins, t.Shares, t.MaxDepth)
		case "order":
			o, ok, err := x.s.Order(1, id)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "order %s: known %t, buyer %d, fact %d, reversed by %d, rewards %d\n", id, ok, o.Buyer, o.Seq, o.ReversedSeq, o.Granted)
		case "stats":
			c, _ := x.s.Campaign(1)
			fmt.Fprintf(out, "shares %d, joins %d, purchases %d, reversals %d, duplicates %d, rewards %d, by depth %v\n", c.Stats.Accepted[1],
				c.Stats.Accepted[2], c.Stats.Accepted[3], c.Stats.Accepted[4], c.Stats.Duplicates, c.Stats.Rewards, c.Stats.Depth[1:6])
		default:
			return fmt.Errorf("show %q", what)
		}
	}
	return nil
}

// coupon plays one line about coupons; see testdata/projections/coupons.
func (x *script) coupon(words []string, out *strings.Builder) error {
	clock := x.time(words[1])
	switch words[0] {
	case "clock":
		return x.s.Fold(&schemas.Fact{Seq: x.s.Seq() + 1, Kind: schemas.FactStepEnded, Step: schemas.StepEnded{WorkerClockMS: clock}})
	case "due", "expiring":
		each := x.s.EachDue
		if words[0] == "expiring" {
			each = x.s.EachExpiring
		}
		fmt.Fprintf(out, "%s at %s:", words[0], words[1])
		err := each(clock, 10, func(k *Coupon) error {
			fmt.Fprintf(out, " %c", k.ID[15])
			return nil
		})
		fmt.Fprintln(out)
		return err
	case "seen":
		seen, err := x.s.Seen(words[1])
		fmt.Fprintf(out, "command %s seen: %t\n", words[1], seen)
		return err
	}
	id, _ := hex.DecodeString("000000000000000000000000000000" + hex.EncodeToString([]byte(words[0])))
	k, ok, err := x.s.Coupon(schemas.CouponID(id))
	if err != nil {
		return err
	}
	if !ok {
		k = &Coupon{}
	}
	if err := x.s.Fold(x.move(id, k, words[1:])); err != nil {
		fmt.Fprintf(out, "coupon %s: %v\n", words[0], err)
		x.s.err = nil // a transcript goes on where a partition would stop
		return nil
	}
	k, _, err = x.s.Coupon(schemas.CouponID(id))
	fmt.Fprintf(out, "coupon %s: %s, voucher %s, transition %d, order reversed %t, open %d\n", words[0],
		strings.TrimPrefix(k.State.String(), "COUPON_STATE_"), strings.TrimPrefix(k.Voucher.String(), "VOUCHER_STATE_"), k.Transition, k.OrderReversed, x.s.Open())
	return err
}

// move is the fact that moves a coupon as the words say.
func (x *script) move(id []byte, k *Coupon, words []string) *schemas.Fact {
	f := &schemas.Fact{Seq: x.s.Seq() + 1, Kind: schemas.FactCouponMoved}
	m := &pb.CouponMoved{CouponId: id, From: k.State, Transition: k.Transition + 1}
	v := &pb.VoucherMoved{VoucherId: id, From: k.Voucher, Transition: k.Transition + 1}
	if state, ok := pb.CouponState_value["COUPON_STATE_"+words[0]]; ok {
		m.To = pb.CouponState(state)
	} else if state, ok := pb.VoucherState_value["VOUCHER_STATE_"+words[0]]; ok {
		v.To = pb.VoucherState(state)
		f.Kind = schemas.FactVoucherMoved
	}
	for _, w := range words[1:] {
		switch key, value, _ := strings.Cut(w, "="); key {
		case "order":
			m.Command = &pb.CouponCommand{Campaign: 1, Chain: 100, Beneficiary: 200, OrderId: value}
		case "from":
			m.From = pb.CouponState(pb.CouponState_value["COUPON_STATE_"+value])
		case "due":
			m.DueMs = x.time(value)
		case "expires":
			v.ExpiresMs = x.time(value)
		case "command":
			v.CommandId = value
		case "transition":
			n, _ := strconv.ParseInt(value, 10, 32)
			m.Transition = int32(n)
		}
	}
	f.Rare = &pb.Fact{Seq: f.Seq, Body: &pb.Fact_CouponMoved{CouponMoved: m}}
	if f.Kind == schemas.FactVoucherMoved {
		f.Rare.Body = &pb.Fact_VoucherMoved{VoucherMoved: v}
	}
	return f
}
