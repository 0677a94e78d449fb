package schemas

import (
	"os"
	"strings"
	"testing"

	pb "hongbao/schemas/invitepb"

	"google.golang.org/protobuf/proto"
)

// Every decoder takes any bytes: it answers or refuses with a sentence, never crashes, and what it
// accepts means what the generated code, or its own encoder, says.

func FuzzEventProtobuf(f *testing.F) {
	x := newHotFixture(f)
	f.Add(uint8(EventJoin), x.join)
	for _, m := range []proto.Message{
		&pb.ShareCreated{EventTimeMs: 1, Campaign: 1, Chain: 2, User: 2, Code: string(x.code)},
		&pb.PurchaseSettled{EventTimeMs: 1, Campaign: 1, Chain: 2, Buyer: 3, OrderId: "o", AmountMinor: 5, Currency: "CNY"},
		&pb.PurchaseReversed{EventTimeMs: 1, Campaign: 1, Chain: 2, OrderId: "o"},
	} {
		f.Add(uint8(eventOf(m).Kind), marshal(f, m))
	}
	f.Add(uint8(EventReversal), []byte{0xfb, 0x1f, 0xfc, 0x1f}) // a group
	f.Fuzz(func(t *testing.T, kind uint8, value []byte) {
		checkEventProtobuf(t, EventKind(kind%4+1), value)
	})
}

func FuzzEventJSON(f *testing.F) {
	for block := range strings.SplitSeq(transcript(f, "events"), "----") {
		if at := strings.Index(block, "{\""); at >= 0 {
			f.Add([]byte(strings.TrimSpace(block[at:])))
		}
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		var d Decoder
		var e Event
		if err := d.Event(value, &e); err != nil {
			if len(err.Error()) > 1000 {
				t.Fatalf("a sentence of %d bytes", len(err.Error()))
			}
			return
		}
		if p := e.check(); p != nil {
			t.Fatal(p)
		}
		// Said in Protobuf, it is the same event.
		d.Header("ce_id", e.ID)
		d.Header("ce_source", e.Source)
		d.Header("ce_type", []byte("hongbao.invite.v1."+eventName(e.Kind)))
		d.Header("traceparent", e.Trace)
		var again Event
		if err := d.Event(marshal(t, eventMessage(&e)), &again); err != nil {
			t.Fatal(err)
		}
		if diff := diff(e, again); diff != "" {
			t.Fatalf("(-JSON +Protobuf)\n%s", diff)
		}
	})
}

func eventMessage(e *Event) proto.Message {
	switch e.Kind {
	case EventShare:
		return &pb.ShareCreated{EventTimeMs: e.TimeMS, Campaign: e.Campaign, Chain: e.Chain, User: e.User, Code: string(e.CodeText)}
	case EventJoin:
		return &pb.InviteJoined{
			EventTimeMs: e.TimeMS, Code: string(e.CodeText), Invitee: e.User,
			ClusterKeys: &pb.ClusterKeys{Device: string(e.Device), Payment: string(e.Payment), Address: string(e.Address)},
		}
	case EventPurchase:
		return &pb.PurchaseSettled{
			EventTimeMs: e.TimeMS, Campaign: e.Campaign, Chain: e.Chain, Buyer: e.User,
			OrderId: string(e.OrderID), AmountMinor: e.AmountMinor, Currency: string(e.Currency),
		}
	}
	return &pb.PurchaseReversed{EventTimeMs: e.TimeMS, Campaign: e.Campaign, Chain: e.Chain, OrderId: string(e.OrderID)}
}

func FuzzFact(f *testing.F) {
	for _, value := range newHotFixture(f).values {
		f.Add(value)
	}
	f.Add(marshal(f, &pb.Fact{Seq: 1, Body: &pb.Fact_VoucherMoved{VoucherMoved: &pb.VoucherMoved{VoucherId: []byte("0123456789abcdef")}}}))
	f.Fuzz(func(t *testing.T, value []byte) {
		checkFact(t, value)
		if unhashed, h, ok := SplitStepHash(value); ok && string(AppendStepHash(unhashed, h)) != string(value) {
			t.Fatal("the hash was not split as it is appended")
		}
	})
}

func FuzzCommand(f *testing.F) {
	f.Add(AppendCommand(nil, newHotFixture(f).command))
	f.Add(AppendCommand(nil, &Command{Campaign: 1, Chain: 2, Beneficiary: 3, Coupon: []byte("five_off"), CommandID: []byte("c")}))
	f.Add([]byte(`{"campaign": 1, "chain": "2", "beneficiary": 3, "coupon": "five_off", "command_id": "c"}`))
	f.Fuzz(func(t *testing.T, value []byte) { checkCommand(t, value) })
}

func FuzzControl(f *testing.F) {
	f.Add(marshal(f, &pb.ControlCommand{CommandId: "c", Body: &pb.ControlCommand_Redeem{Redeem: &pb.VoucherCommand{Chain: 1, VoucherId: make([]byte, 16)}}}))
	f.Add([]byte(`{"command_id": "c", "review": {"coupon_id": "00112233445566778899aabbccddeeff", "chain": 7, "decision": 1}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		c, err := DecodeControl(value)
		if (c == nil) == (err == nil) {
			t.Fatalf("command %v, error %v", c, err)
		}
		if err != nil {
			return
		}
		if _, err := DecodeControl(marshal(t, c)); err != nil {
			t.Fatalf("accepted once, not twice: %v", err)
		}
	})
}

func FuzzCode(f *testing.F) {
	x := newHotFixture(f)
	f.Add(x.code)
	f.Add([]byte("04002ahag2ebhp0694mrmv8nrvshxfbx"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var first, second Code
		status := x.verifier.Verify(text, &first)
		if again := x.verifier.Verify(text, &second); again != status || first != second {
			t.Fatalf("status %d, then %d", status, again)
		}
		if cold := NewCodeVerifier(DemoCodeKeys()).Verify(text, &second); cold != status || first != second {
			t.Fatalf("status %d with a cache, %d without", status, cold)
		}
		if status == CodeMalformed {
			return
		}
		if body, _ := decodeCrockford(nil, text); string(appendCodeBody(nil, first.KeyID, &first)) != string(body[:len(body)-codeMACBytes]) {
			t.Fatalf("%s has two spellings of its bytes", text)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	m := Metadata{Seq: 1, ClockMS: 2, Positions: Positions{3, 4, 5, 6, 7, 8}}
	text, _ := m.AppendText(nil)
	f.Add(string(text))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMetadata(text)
		if err != nil {
			return
		}
		if again, _ := m.AppendText(nil); string(again) != text {
			t.Fatalf("%s written as %s", text, again)
		}
	})
}

func FuzzCampaign(f *testing.F) {
	f.Add(demoCampaignText)
	for _, block := range strings.Split(transcript(f, "campaigns"), "parse\n")[1:] {
		text, _, _ := strings.Cut(block, "----")
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseCampaign("f.yaml", text)
		if (c == nil) == (err == nil) {
			t.Fatalf("campaign %v, error %v", c, err)
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.yaml:") {
				t.Fatalf("%v names no file", err)
			}
			return
		}
		if c.StartsMS >= c.EndsMS || len(c.Coupons) == 0 || c.MaxDepth < 1 || c.MaxDepth > MaxDepthLimit {
			t.Fatalf("%+v", c)
		}
	})
}

func FuzzCodeKeys(f *testing.F) {
	f.Add([]byte(rotatingKeys))
	for _, block := range strings.Split(transcript(f, "code_keys"), "parse\n")[1:] {
		text, _, _ := strings.Cut(block, "----")
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParseCodeKeys("f.yaml", text)
		if (k == nil) == (err == nil) {
			t.Fatalf("keys %v, error %v", k, err)
		}
		if err == nil {
			var c Code
			if status := NewCodeVerifier(k).Verify([]byte(k.Mint(Code{Campaign: 1, Chain: 1, Inviter: 1, ExpiresS: 1})), &c); status != CodeGood {
				t.Fatalf("status %d of a fresh code", status)
			}
		}
	})
}

func transcript(f testing.TB, name string) string {
	text, err := os.ReadFile(testdata + name)
	if err != nil {
		f.Fatal(err)
	}
	return string(text)
}
