package schemas

import (
	"bytes"
	"strings"
	"testing"

	pb "hongbao/schemas/invitepb"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

var hotKinds = []FactKind{FactAccepted, FactRefused, FactDuplicate, FactStepEnded}

// drawFact draws a fact of a hot kind with every field that its kind has.
func drawFact(t *rapid.T) *Fact {
	f := &Fact{Seq: drawID(t, "seq"), Kind: rapid.SampledFrom(hotKinds).Draw(t, "kind")}
	if f.Kind == FactStepEnded {
		f.Step = StepEnded{WorkerClockMS: drawID(t, "clock"), Facts: rapid.Int32Range(1, 1<<20).Draw(t, "facts")}
		for i := range f.Step.Positions {
			f.Step.Positions[i] = rapid.Int64Range(0, 1<<62).Draw(t, "position")
		}
		copy(f.Step.Hash[:], rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "hash"))
		return f
	}
	text := func(name string) []byte { return []byte(drawText(t, name, 0, 200)) }
	id := func(name string) int64 { return rapid.Int64Min(0).Draw(t, name) }
	v := &f.Verdict
	*v = Verdict{
		Offset: id("offset"), Event: EventKind(rapid.IntRange(0, 4).Draw(t, "event")), Source: text("source"), ID: text("id"), Trace: text("trace"), TimeMS: id("time"),
		Campaign: id("campaign"), Chain: id("chain"), User: id("user"), Inviter: id("inviter"), OrderID: text("order"),
	}
	switch f.Kind {
	case FactRefused:
		v.Reason = Reason(rapid.IntRange(0, 80).Draw(t, "reason"))
		v.Claimed, v.Counted = rapid.Bool().Draw(t, "claimed"), rapid.Bool().Draw(t, "counted")
	case FactDuplicate:
		v.FirstSeq = id("first")
	case FactAccepted:
		drawAccepted(t, v)
	}
	return f
}

func drawAccepted(t *rapid.T, v *Verdict) {
	v.Depth = rapid.Int32Min(0).Draw(t, "depth")
	v.CodeExpiresS = rapid.Int64Min(0).Draw(t, "expires")
	v.AmountMinor = rapid.Int64Min(0).Draw(t, "amount")
	v.Currency = []byte(drawText(t, "currency", 0, 3))
	v.Device, v.Payment, v.Address = []byte(drawText(t, "device", 0, 40)), []byte(drawText(t, "payment", 0, 40)), []byte(drawText(t, "address", 0, 40))
	v.Claimed, v.Counted = rapid.Bool().Draw(t, "claimed"), rapid.Bool().Draw(t, "counted")
	for range rapid.IntRange(0, 6).Draw(t, "rewards") {
		r := Reward{
			Rule: []byte(drawText(t, "rule", 0, 64)), Beneficiary: drawID(t, "beneficiary"),
			Coupon: []byte(drawText(t, "coupon", 0, 64)), Ordinal: rapid.Int32Min(0).Draw(t, "ordinal"),
		}
		copy(r.CouponID[:], rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "coupon id"))
		v.Rewards = append(v.Rewards, r)
	}
}

// factMessage is the generated message that says the same as f.
func factMessage(f *Fact) *pb.Fact {
	m, v := &pb.Fact{Seq: f.Seq}, &f.Verdict
	input := &pb.Input{
		Offset: v.Offset, Kind: v.Event, CeSource: string(v.Source), CeId: string(v.ID), EventTimeMs: v.TimeMS, Traceparent: string(v.Trace),
	}
	switch f.Kind {
	case FactAccepted:
		m.Body = &pb.Fact_Accepted{Accepted: acceptedMessage(v, input)}
	case FactRefused:
		m.Body = &pb.Fact_Refused{Refused: &pb.Refused{
			Input: input, Reason: v.Reason, Campaign: v.Campaign, Chain: v.Chain,
			User: v.User, Inviter: v.Inviter, OrderId: string(v.OrderID), Claimed: v.Claimed, Counted: v.Counted,
		}}
	case FactDuplicate:
		m.Body = &pb.Fact_Duplicate{Duplicate: &pb.Duplicate{
			Input: input, FirstSeq: v.FirstSeq, Campaign: v.Campaign, Chain: v.Chain,
			User: v.User, Inviter: v.Inviter, OrderId: string(v.OrderID),
		}}
	case FactStepEnded:
		step := &pb.StepEnded{WorkerClockMs: f.Step.WorkerClockMS, Facts: f.Step.Facts}
		for i, next := range f.Step.Positions {
			step.Positions = append(step.Positions, &pb.Position{Topic: Topic(i).String(), NextOffset: next})
		}
		m.Body = &pb.Fact_StepEnded{StepEnded: step}
		if !f.Step.Hash.IsZero() {
			m.Hash = f.Step.Hash[:]
		}
	}
	return m
}

func acceptedMessage(v *Verdict, input *pb.Input) *pb.Accepted {
	m := &pb.Accepted{
		Input: input, Campaign: v.Campaign, Chain: v.Chain, User: v.User, Inviter: v.Inviter, Depth: v.Depth, CodeExpiresS: v.CodeExpiresS,
		OrderId: string(v.OrderID), AmountMinor: v.AmountMinor, Currency: string(v.Currency), Claimed: v.Claimed, Counted: v.Counted,
	}
	if len(v.Device)+len(v.Payment)+len(v.Address) > 0 {
		m.ClusterKeys = &pb.ClusterKeys{Device: string(v.Device), Payment: string(v.Payment), Address: string(v.Address)}
	}
	for _, r := range v.Rewards {
		reward := &pb.Reward{RuleId: string(r.Rule), Beneficiary: r.Beneficiary, Coupon: string(r.Coupon), Ordinal: r.Ordinal}
		if !r.CouponID.IsZero() {
			reward.CouponId = r.CouponID[:]
		}
		m.Rewards = append(m.Rewards, reward)
	}
	return m
}

func marshal(t interface{ Fatal(...any) }, m proto.Message) []byte {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// The hand-written bytes are those of the generated code, and what is read is what was written,
// whatever the Fact held before.
func TestFactAgreesWithGeneratedCode(t *testing.T) {
	t.Parallel()
	var got Fact
	rapid.Check(t, func(t *rapid.T) {
		f := drawFact(t)
		prefix := []byte("before")
		value := AppendFact(bytes.Clone(prefix), f)
		if !bytes.HasPrefix(value, prefix) {
			t.Fatal("AppendFact wrote over what dst held")
		}
		value = value[len(prefix):]
		// The generated code writes a oneof after all other fields; the hash has to come last.
		m := factMessage(f)
		m.Hash = nil
		want := marshal(t, m)
		if !f.Step.Hash.IsZero() {
			want = AppendStepHash(want, f.Step.Hash)
		}
		if !bytes.Equal(value, want) {
			t.Fatalf("hand      %x\ngenerated %x", value, want)
		}
		if err := got.Decode(value); err != nil {
			t.Fatal(err)
		}
		if got.Seq != f.Seq || got.Kind != f.Kind {
			t.Fatalf("seq %d kind %d, want %d and %d", got.Seq, got.Kind, f.Seq, f.Kind)
		}
		if f.Kind == FactStepEnded {
			if diff := diff(f.Step, got.Step); diff != "" {
				t.Fatalf("(-want +got)\n%s", diff)
			}
			return
		}
		if len(got.Verdict.Rewards) == 0 {
			got.Verdict.Rewards = nil // kept for its backing array
		}
		if diff := diff(f.Verdict, got.Verdict); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

// checkFact compares Decode with the generated code on any input: what is accepted means the same.
func checkFact(t interface {
	Fatalf(string, ...any)
	Fatal(...any)
}, value []byte,
) {
	var f Fact
	if err := f.Decode(value); err != nil {
		return
	}
	m := new(pb.Fact)
	if err := proto.Unmarshal(value, m); err != nil {
		t.Fatalf("accepted what the generated code refuses: %v", err)
	}
	if f.Rare != nil {
		if !proto.Equal(f.Rare, m) {
			t.Fatal("Rare is another message")
		}
		return
	}
	var again Fact
	if err := again.Decode(marshal(t, m)); err != nil {
		t.Fatalf("the generated code writes what Decode refuses: %v", err)
	}
	if diff := diff(f, again); diff != "" {
		t.Fatalf("(-hand +generated)\n%s", diff)
	}
	var once Fact
	if err := once.Decode(AppendFact(nil, &f)); err != nil {
		t.Fatalf("AppendFact writes what Decode refuses: %v", err)
	}
	if diff := diff(f, once); diff != "" {
		t.Fatalf("(-first +second)\n%s", diff)
	}
}

func TestFactRare(t *testing.T) {
	t.Parallel()
	rare := &pb.Fact{Body: &pb.Fact_CouponMoved{CouponMoved: &pb.CouponMoved{
		CouponId: make([]byte, 16), To: pb.CouponState_COUPON_STATE_PENDING, Transition: 1, Command: &pb.CouponCommand{Chain: 7},
	}}}
	value := AppendFact(nil, &Fact{Seq: 9, Kind: FactCouponMoved, Rare: rare})
	var f Fact
	if err := f.Decode(value); err != nil {
		t.Fatal(err)
	}
	if f.Kind != FactCouponMoved || f.Seq != 9 || f.Rare.GetSeq() != 9 || !proto.Equal(f.Rare, rare) {
		t.Fatalf("got %+v", f.Rare)
	}
	defer func() {
		if cause, _ := recover().(string); !strings.Contains(cause, "seq 9") {
			t.Fatalf("panic %q does not name the fact", cause)
		}
	}()
	rare.GetCouponMoved().LastError = "\xff"
	AppendFact(nil, &Fact{Seq: 9, Kind: FactCouponMoved, Rare: rare})
}

// Corruption and facts of a newer version are refused, never half read (X8).
func TestFactRefused(t *testing.T) {
	t.Parallel()
	step := AppendFact(nil, &Fact{Seq: 3, Kind: FactStepEnded})
	var h Hash
	h[0] = 1
	unknownInput := marshal(t, &pb.Fact{Seq: 3, Body: &pb.Fact_StepEnded{StepEnded: &pb.StepEnded{Positions: []*pb.Position{{Topic: "new.input"}}}}})
	shortID := marshal(t, &pb.Fact{Seq: 3, Body: &pb.Fact_Accepted{Accepted: &pb.Accepted{Rewards: []*pb.Reward{{CouponId: []byte{1}}}}}})
	accepted := AppendFact(nil, &Fact{Seq: 3, Kind: FactAccepted})
	for name, c := range map[string]struct {
		value []byte
		want  string
	}{
		"empty":          {nil, "seq 0: it has no body"},
		"newer kind":     {append([]byte{1 << 3, 3}, 12<<3|2, 0), "seq 3: it has no body of a kind that this version"},
		"two bodies":     {append(bytes.Clone(step), accepted[2:]...), "a fact has one body"},
		"cut":            {step[:len(step)-1], "malformed or cut short"},
		"short hash":     {append(bytes.Clone(step), hashTag, 1, 0), "a hash has 16 bytes"},
		"foreign hash":   {AppendStepHash(bytes.Clone(accepted), h), "belongs to StepEnded alone"},
		"wrong type":     {[]byte{1<<3 | 2, 0}, "another wire type"},
		"unknown input":  {unknownInput, "a position names no input"},
		"short id":       {shortID, "a coupon id has 16 bytes"},
		"bad rare":       {[]byte{1 << 3, 3, 8<<3 | 2, 1, 0x0a}, "seq 3: "},
		"string no UTF8": {[]byte{1 << 3, 3, 3<<3 | 2, 3, 7<<3 | 2, 1, 0xff}, "a string is no UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var f Fact
			err := f.Decode(c.value)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want ...%s...", err, c.want)
			}
		})
	}
}
