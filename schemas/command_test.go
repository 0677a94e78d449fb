package schemas

import (
	"bytes"
	"testing"

	pb "hongbao/schemas/invitepb"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// drawCommand draws a command of one of the two shapes: hongbao's own, or another service's.
func drawCommand(t *rapid.T) *Command {
	c := &Command{
		Campaign: drawID(t, "campaign"), Chain: drawID(t, "chain"), Beneficiary: drawID(t, "beneficiary"),
		Coupon: []byte(drawText(t, "coupon", 1, 64)), Rule: []byte(drawText(t, "rule", 0, 64)),
		ValidForMS: rapid.Int64Min(0).Draw(t, "valid"), OrderID: []byte(drawText(t, "order", 0, MaxOrderIDBytes)),
	}
	if rapid.Bool().Draw(t, "value") {
		minor, currency := drawMoney(t)
		c.ValueMinor, c.Currency = minor, []byte(currency)
	}
	if rapid.Bool().Draw(t, "trace") {
		c.Trace = []byte(testTrace)
	}
	if c.HasCouponID = rapid.Bool().Draw(t, "own"); c.HasCouponID {
		copy(c.CouponID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		c.FactSeq = drawID(t, "seq")
		if mac := rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "mac"); len(mac) > 0 {
			c.MAC = mac
		}
	} else {
		c.CommandID = []byte(drawText(t, "command", 1, MaxStringBytes))
	}
	return c
}

func TestCommandAgreesWithGeneratedCode(t *testing.T) {
	t.Parallel()
	got := Command{CommandID: []byte("of the command before"), HasCouponID: true}
	rapid.Check(t, func(t *rapid.T) {
		c := drawCommand(t)
		value := AppendCommand(nil, c)
		if want := marshal(t, commandMessage(c)); !bytes.Equal(value, want) {
			t.Fatalf("hand      %x\ngenerated %x", value, want)
		}
		if err := got.Decode(value); err != nil {
			t.Fatal(err)
		}
		if diff := diff(c, &got); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

// checkCommand compares Decode with the generated code on any Protobuf input.
func checkCommand(t interface{ Fatalf(string, ...any) }, value []byte) {
	var c Command
	if err := c.Decode(value); err != nil || len(value) > 0 && value[0] == '{' {
		return
	}
	m := new(pb.CouponCommand)
	if err := proto.Unmarshal(value, m); err != nil {
		t.Fatalf("accepted what the generated code refuses: %v", err)
	}
	m.ProtoReflect().SetUnknown(nil)
	m.Traceparent = string(traceparent([]byte(m.Traceparent))) // one that is none is left out
	if got := commandMessage(&c); !proto.Equal(got, m) {
		t.Fatalf("hand %v\ngenerated %v", got, m)
	}
}
