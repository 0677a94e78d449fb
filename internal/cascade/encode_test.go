package cascade

import (
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// message is e as the generated type, which knows nothing of our encoder.
func message(e *schemas.Event) (want, empty proto.Message) {
	switch e.Kind {
	case schemas.EventShare:
		return &pb.ShareCreated{EventTimeMs: e.TimeMS, Campaign: e.Campaign, Chain: e.Chain, User: e.User, Code: string(e.CodeText)}, &pb.ShareCreated{}
	case schemas.EventJoin:
		return &pb.InviteJoined{EventTimeMs: e.TimeMS, Code: string(e.CodeText), Invitee: e.User}, &pb.InviteJoined{}
	case schemas.EventPurchase:
		return &pb.PurchaseSettled{
			EventTimeMs: e.TimeMS, Campaign: e.Campaign, Chain: e.Chain, Buyer: e.User, OrderId: string(e.OrderID),
			AmountMinor: e.AmountMinor, Currency: string(e.Currency),
		}, &pb.PurchaseSettled{}
	default:
		return &pb.PurchaseReversed{EventTimeMs: e.TimeMS, Campaign: e.Campaign, Chain: e.Chain, OrderId: string(e.OrderID)}, &pb.PurchaseReversed{}
	}
}

// TestEncodings: the generated code reads both encodings of all four events as they were meant.
func TestEncodings(t *testing.T) {
	t.Parallel()
	for _, kind := range []schemas.EventKind{schemas.EventShare, schemas.EventJoin, schemas.EventPurchase, schemas.EventReversal} {
		e := schemas.Event{
			Kind: kind, TimeMS: testNowMS, Campaign: 1, Chain: 1<<63 - 1, User: 1<<53 + 1, CodeText: []byte("CODE"),
			OrderID: []byte("o1"), AmountMinor: 5000, Currency: currency,
		}
		want, fromProto := message(&e)
		_, fromJSON := message(&e)
		if err := proto.Unmarshal(appendProtobuf(nil, &e), fromProto); err != nil || !proto.Equal(fromProto, want) {
			t.Errorf("Protobuf: %v, %v; want %v", fromProto, err, want)
		}
		if err := protojson.Unmarshal(appendJSON(nil, &e), fromJSON); err != nil || !proto.Equal(fromJSON, want) {
			t.Errorf("JSON: %s: %v, %v; want %v", appendJSON(nil, &e), fromJSON, err, want)
		}
		if got := "hongbao.invite.v1." + string(want.ProtoReflect().Descriptor().Name()); got != string(typeName(kind)) {
			t.Errorf("type name %s, want %s", typeName(kind), got)
		}
	}
}

// TestHeaders: the attributes of each format, as the decoder of schemas sees them.
func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{Protobuf, JSON, Structured} {
		cfg := testConfig()
		cfg.Format, cfg.Trace = format, true
		shape := Fitted()
		seq, _, err := Records(shape.Grow(1, 1, 3), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for rec := range seq {
			var d schemas.Decoder
			var e schemas.Event
			for _, h := range rec.Headers {
				d.Header(h.Key, h.Value)
			}
			if err := d.Event(rec.Value, &e); err != nil {
				t.Fatalf("format %d: %v", format, err)
			}
			if string(e.Source) != "hongbao/cascades" || len(e.ID) < 2 || len(e.Trace) != 55 {
				t.Errorf("format %d: source %q, id %q, traceparent %q", format, e.Source, e.ID, e.Trace)
			}
			if format == Structured && len(rec.Headers) > 0 {
				t.Errorf("structured mode has headers: %v", rec.Headers)
			}
		}
	}
}
