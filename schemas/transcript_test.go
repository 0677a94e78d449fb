package schemas

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	pb "hongbao/schemas/invitepb"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

const testdata = "../testdata/schemas/"

// Transcripts of what a record becomes (domain.md section 2); go test -rewrite writes them again.
func TestEventTranscript(t *testing.T) {
	t.Parallel()
	datadriven.RunTest(t, testdata+"events", func(t *testing.T, d *datadriven.TestData) string {
		var dec Decoder
		value := []byte(d.Input)
		switch d.Cmd {
		case "structured": // a bare console producer: no headers
		case "json": // binary mode: args are the headers
			dec.Header("content-type", []byte("application/json"))
		case "text": // the message in Protobuf text format, sent as Protobuf
			var kind string
			d.ScanArgs(t, "ce_type", &kind)
			value = messageOf(t, kind, d.Input)
		case "hex":
			value = unhex(t, d.Input)
		default:
			d.Fatalf(t, "unknown command %s", d.Cmd)
		}
		for _, arg := range d.CmdArgs {
			dec.Header(arg.Key, []byte(strings.Join(arg.Vals, ",")))
		}
		var e Event
		if err := dec.Event(value, &e); err != nil {
			return err.Error() + "\n"
		}
		return showEvent(&e)
	})
}

func messageOf(t *testing.T, kind, text string) []byte {
	var e Event
	if p := e.setType([]byte(kind)); p != nil {
		t.Fatal(p)
	}
	m := newEventMessage(e.Kind)
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	value, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func unhex(t *testing.T, text string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func showEvent(e *Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s id=%s source=%s time=%d", eventName(e.Kind), e.ID, e.Source, e.TimeMS)
	for _, f := range []struct {
		name  string
		value int64
	}{{"campaign", e.Campaign}, {"chain", e.Chain}, {userField(e.Kind), e.User}, {"amount_minor", e.AmountMinor}} {
		if f.value != 0 {
			fmt.Fprintf(&b, " %s=%d", f.name, f.value)
		}
	}
	for _, f := range []struct {
		name  string
		value []byte
	}{{"code", e.CodeText}, {"order_id", e.OrderID}, {"currency", e.Currency}, {"device", e.Device}, {"payment", e.Payment}, {"address", e.Address}, {"trace", e.Trace}} {
		if len(f.value) > 0 {
			fmt.Fprintf(&b, " %s=%q", f.name, f.value)
		}
	}
	return b.String() + "\n"
}

// Transcripts of campaign files (domain.md section 5).
func TestCampaignTranscript(t *testing.T) {
	t.Parallel()
	datadriven.RunTest(t, testdata+"campaigns", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd != "parse" {
			d.Fatalf(t, "unknown command %s", d.Cmd)
		}
		c, err := ParseCampaign("summer.yaml", []byte(d.Input))
		if err != nil {
			return err.Error() + "\n"
		}
		return showCampaign(c)
	})
}

func showCampaign(c *Campaign) string {
	var b strings.Builder
	beyond := "link"
	if c.Refuse {
		beyond = "refuse"
	}
	fmt.Fprintf(&b, "campaign %d version %d, %d..%d, max_depth %d, beyond %s\n", c.ID, c.Version, c.StartsMS, c.EndsMS, c.MaxDepth, beyond)
	for _, budget := range c.Budget {
		fmt.Fprintf(&b, "budget %s %d\n", budget.Currency, budget.Minor)
	}
	for _, k := range c.Coupons {
		fmt.Fprintf(&b, "coupon %s: stock %d, valid for %d ms, value %d %s\n", k.Name, k.Stock, k.ValidForMS, k.ValueMinor, k.Currency)
	}
	triggers := map[Trigger]string{OnJoin: "join", OnDirectJoins: "direct joins", OnPurchase: "purchase"}
	beneficiaries := map[Beneficiary]string{ToInvitee: "the invitee", ToInviter: "the inviter", ToBuyer: "the buyer", ToLevel: "level"}
	for _, r := range c.Rules {
		fmt.Fprintf(&b, "rule %s: on %s to %s", r.ID, triggers[r.On], beneficiaries[r.To])
		if r.To == ToLevel {
			fmt.Fprintf(&b, " %d", r.Level)
		}
		if r.On == OnDirectJoins {
			fmt.Fprintf(&b, ", every %d, repeat %t", r.Every, r.Repeat)
		}
		if r.On == OnPurchase {
			fmt.Fprintf(&b, ", of at least %d %s", r.MinMinor, c.Coupons[r.Coupon].Currency)
		}
		fmt.Fprintf(&b, ": one %s\n", c.Coupons[r.Coupon].Name)
	}
	return b.String()
}

// Transcripts of code key files: what is refused, and that no sentence shows a secret.
func TestCodeKeysTranscript(t *testing.T) {
	t.Parallel()
	datadriven.RunTest(t, testdata+"code_keys", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd != "parse" {
			d.Fatalf(t, "unknown command %s", d.Cmd)
		}
		k, err := ParseCodeKeys("keys.yaml", []byte(d.Input))
		if err != nil {
			return err.Error() + "\n"
		}
		return fmt.Sprintf("%d keys, key %d mints, demo %t\n", len(k.keys), k.keys[k.mint].id, k.Demo())
	})
}

// Transcripts of commands, in JSON here, as another service's script would write them.
func TestCommandTranscript(t *testing.T) {
	t.Parallel()
	datadriven.RunTest(t, testdata+"commands", func(t *testing.T, d *datadriven.TestData) string {
		var err error
		var out proto.Message
		switch d.Cmd {
		case "coupon":
			var c Command
			err = c.Decode([]byte(d.Input))
			out = commandMessage(&c)
		case "control":
			out, err = DecodeControl([]byte(d.Input))
		default:
			d.Fatalf(t, "unknown command %s", d.Cmd)
		}
		if err != nil {
			return err.Error() + "\n"
		}
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer // protojson varies its spaces from build to build on purpose
		if err := json.Compact(&compact, text); err != nil {
			t.Fatal(err)
		}
		return compact.String() + "\n"
	})
}

func commandMessage(c *Command) *pb.CouponCommand {
	m := &pb.CouponCommand{
		Campaign: c.Campaign, Chain: c.Chain, Beneficiary: c.Beneficiary, Coupon: string(c.Coupon), RuleId: string(c.Rule),
		FactSeq: c.FactSeq, ValueMinor: c.ValueMinor, Currency: string(c.Currency), ValidForMs: c.ValidForMS,
		OrderId: string(c.OrderID), CommandId: string(c.CommandID), Traceparent: string(c.Trace), Mac: c.MAC,
	}
	if c.HasCouponID {
		m.CouponId = c.CouponID[:]
	}
	return m
}
