package schemas

import (
	"errors"
	"strings"
	"testing"

	pb "hongbao/schemas/invitepb"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

const testTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func drawID(t *rapid.T, name string) int64 {
	return rapid.OneOf(rapid.Int64Range(1, 1<<20), rapid.Int64Range(1, 1<<63-1)).Draw(t, name)
}

func drawText(t *rapid.T, name string, least, most int) string {
	return rapid.StringN(least, -1, most).Draw(t, name)
}

func drawMoney(t *rapid.T) (minor int64, currency string) {
	return rapid.Int64Range(0, 1<<63-1).Draw(t, "minor"), rapid.StringMatching(`[A-Z]{3}`).Draw(t, "currency")
}

// drawEvent draws a message and the Event that it means, but for the attributes.
func drawEvent(t *rapid.T) (proto.Message, *Event) {
	e := &Event{
		Kind:   EventKind(rapid.IntRange(1, 4).Draw(t, "kind")),
		TimeMS: drawID(t, "time"),
	}
	if e.Kind != EventJoin {
		e.Campaign, e.Chain = drawID(t, "campaign"), drawID(t, "chain")
	}
	if e.Kind != EventReversal {
		e.User = drawID(t, "user")
	}
	if e.Kind == EventPurchase || e.Kind == EventReversal {
		e.OrderID = []byte(drawText(t, "order", 1, MaxOrderIDBytes))
	}
	switch e.Kind {
	case EventShare:
		e.CodeText = []byte(drawText(t, "code", 0, MaxStringBytes))
		return &pb.ShareCreated{EventTimeMs: e.TimeMS, Campaign: e.Campaign, Chain: e.Chain, User: e.User, Code: string(e.CodeText)}, e
	case EventJoin:
		e.CodeText = []byte(drawText(t, "code", 0, MaxStringBytes))
		m := &pb.InviteJoined{EventTimeMs: e.TimeMS, Code: string(e.CodeText), Invitee: e.User}
		if rapid.Bool().Draw(t, "keys") {
			m.ClusterKeys = &pb.ClusterKeys{Device: drawText(t, "device", 0, 64), Payment: drawText(t, "payment", 0, 64), Address: drawText(t, "address", 0, 64)}
			e.Device, e.Payment, e.Address = []byte(m.ClusterKeys.Device), []byte(m.ClusterKeys.Payment), []byte(m.ClusterKeys.Address)
		}
		return m, e
	case EventPurchase:
		minor, currency := drawMoney(t)
		e.AmountMinor, e.Currency = minor, []byte(currency)
		return &pb.PurchaseSettled{EventTimeMs: e.TimeMS, Campaign: e.Campaign, Chain: e.Chain, Buyer: e.User, OrderId: string(e.OrderID), AmountMinor: minor, Currency: currency}, e
	}
	return &pb.PurchaseReversed{EventTimeMs: e.TimeMS, Campaign: e.Campaign, Chain: e.Chain, OrderId: string(e.OrderID)}, e
}

// diff compares facts and events; an empty slice is a nil one, as on the wire.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmp.Transformer("bytes", func(b []byte) string { return string(b) }))
}

func setHeaders(d *Decoder, kind EventKind, contentType string) {
	d.Reset()
	d.Header("ce_specversion", []byte("1.0"))
	d.Header("ce_type", []byte("hongbao.invite.v1."+eventName(kind)))
	d.Header("ce_source", []byte("//shop/cn-1"))
	d.Header("ce_id", []byte("e-1"))
	d.Header("traceparent", []byte(testTrace))
	d.Header("x-unrelated", []byte{0xff})
	if contentType != "" {
		d.Header("content-type", []byte(contentType))
	}
}

// Whatever the generated code writes, in Protobuf or JSON, both decoders read the same.
func TestEventAgreesWithGeneratedCode(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, want := drawEvent(t)
		want.ID, want.Source, want.Trace = []byte("e-1"), []byte("//shop/cn-1"), []byte(testTrace)
		want.Offset = 42
		value, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		// A newer producer's fields are stepped over, of every wire type.
		newer := protowire.AppendVarint(protowire.AppendTag(nil, 500, protowire.VarintType), 1)
		newer = protowire.AppendFixed64(protowire.AppendTag(newer, 501, protowire.Fixed64Type), 2)
		newer = protowire.AppendGroup(protowire.AppendTag(newer, 502, protowire.StartGroupType), 502, nil)
		text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: rapid.Bool().Draw(t, "nulls")}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		structured := `{"specversion":"1.0","id":"e-1","source":"//shop/cn-1","type":"hongbao.invite.v1.` + eventName(want.Kind) +
			`","traceparent":"` + testTrace + `","ext":[{}],"data":` + string(text) + `}`

		var d Decoder
		got := &Event{Offset: 42, User: 7, OrderID: []byte("of the event before")}
		for _, c := range []struct{ contentType, value string }{
			{"", string(value)},
			{"application/protobuf", string(value) + string(newer)},
			{"application/json; charset=utf-8", string(text)},
			{"application/cloudevents+json", structured},
			{"none", structured},
		} {
			if setHeaders(&d, want.Kind, c.contentType); c.contentType == "none" {
				d.Reset()
			}
			if err := d.Event([]byte(c.value), got); err != nil {
				t.Fatalf("%s: %v", c.contentType, err)
			}
			if diff := diff(want, got); diff != "" {
				t.Fatalf("%s: (-want +got)\n%s", c.contentType, diff)
			}
		}
	})
}

// A message cut anywhere is what the generated code says it is: another event, or none.
func TestEventCutShort(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, want := drawEvent(t)
		value, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		value = value[:rapid.IntRange(0, len(value)-1).Draw(t, "cut")]
		checkEventProtobuf(t, want.Kind, value)
	})
}

// checkEventProtobuf compares the hand-written decoder with the generated code on any input.
func checkEventProtobuf(t interface {
	Helper()
	Fatalf(string, ...any)
}, kind EventKind, value []byte,
) {
	t.Helper()
	var d Decoder
	setHeaders(&d, kind, "")
	var got Event
	err := d.Event(value, &got)
	if err != nil {
		var p *Poison
		if !errors.As(err, &p) || p.Reason == 0 || len(p.Sentence) > 600 {
			t.Fatalf("refused without reason, or at too great length: %v", err)
		}
		return
	}
	m := newEventMessage(kind)
	if err := proto.Unmarshal(value, m); err != nil {
		t.Fatalf("accepted what the generated code refuses: %v", err)
	}
	if diff := diff(eventOf(m), &Event{
		Kind: got.Kind, TimeMS: got.TimeMS, Campaign: got.Campaign, Chain: got.Chain, User: got.User, CodeText: got.CodeText,
		OrderID: got.OrderID, AmountMinor: got.AmountMinor, Currency: got.Currency, Device: got.Device, Payment: got.Payment, Address: got.Address,
	}); diff != "" {
		t.Fatalf("(-generated +hand)\n%s", diff)
	}
}

func newEventMessage(kind EventKind) proto.Message {
	switch kind {
	case EventShare:
		return new(pb.ShareCreated)
	case EventJoin:
		return new(pb.InviteJoined)
	case EventPurchase:
		return new(pb.PurchaseSettled)
	}
	return new(pb.PurchaseReversed)
}

func eventOf(m proto.Message) *Event {
	switch m := m.(type) {
	case *pb.ShareCreated:
		return &Event{Kind: EventShare, TimeMS: m.EventTimeMs, Campaign: m.Campaign, Chain: m.Chain, User: m.User, CodeText: []byte(m.Code)}
	case *pb.InviteJoined:
		k := m.GetClusterKeys()
		return &Event{
			Kind: EventJoin, TimeMS: m.EventTimeMs, User: m.Invitee, CodeText: []byte(m.Code),
			Device: []byte(k.GetDevice()), Payment: []byte(k.GetPayment()), Address: []byte(k.GetAddress()),
		}
	case *pb.PurchaseSettled:
		return &Event{
			Kind: EventPurchase, TimeMS: m.EventTimeMs, Campaign: m.Campaign, Chain: m.Chain, User: m.Buyer,
			OrderID: []byte(m.OrderId), AmountMinor: m.AmountMinor, Currency: []byte(m.Currency),
		}
	case *pb.PurchaseReversed:
		return &Event{Kind: EventReversal, TimeMS: m.EventTimeMs, Campaign: m.Campaign, Chain: m.Chain, OrderID: []byte(m.OrderId)}
	}
	return nil
}

// The decoded slices are the record's own bytes: nothing is copied, and nothing outlives the record.
func TestEventAliasesTheRecord(t *testing.T) {
	t.Parallel()
	value, err := proto.Marshal(&pb.PurchaseReversed{EventTimeMs: 1, Campaign: 1, Chain: 2, OrderId: "order-9"})
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	setHeaders(&d, EventReversal, "")
	var e Event
	if err := d.Event(value, &e); err != nil {
		t.Fatal(err)
	}
	value[len(value)-1] = '8'
	if string(e.OrderID) != "order-8" {
		t.Fatalf("order_id %q does not alias the value", e.OrderID)
	}
}

// Limits that a transcript would be unreadable for (domain.md section 2).
func TestEventLimits(t *testing.T) {
	t.Parallel()
	value, err := proto.Marshal(&pb.ShareCreated{EventTimeMs: 1, Campaign: 1, Chain: 2, User: 2})
	if err != nil {
		t.Fatal(err)
	}
	with := func(add func(*Decoder)) func(*Decoder) []byte {
		return func(d *Decoder) []byte { add(d); return value }
	}
	for name, c := range map[string]struct {
		record func(*Decoder) []byte
		want   string
	}{
		"value":        {func(*Decoder) []byte { return make([]byte, MaxRecordBytes+1) }, "TOO_LARGE: the value has 1048577 bytes"},
		"headers":      {with(func(d *Decoder) { fill(d, MaxHeaders, 1) }), "TOO_LARGE: the record has 38 headers"},
		"header bytes": {with(func(d *Decoder) { fill(d, 1, MaxHeaderBytes) }), "TOO_LARGE: the headers have 83"},
		"twice":        {with(func(d *Decoder) { d.Header("ce_id", []byte("e-2")) }), "UNDECODABLE: the header ce_id is given twice"},
		"id too long": {
			with(func(d *Decoder) { d.id = []byte(strings.Repeat("x", MaxStringBytes+1)) }),
			`INVALID_FIELD: the CloudEvents id is "` + strings.Repeat("x", quoteMax) + `"... (257 bytes); it may have at most 256 bytes`,
		},
		"source no UTF-8": {with(func(d *Decoder) { d.source = []byte{0xff} }), `UNDECODABLE: the CloudEvents source is "\xff", which is no UTF-8`},
		"no id":           {with(func(d *Decoder) { d.id = nil }), `INVALID_FIELD: the CloudEvents id is ""`},
		"version":         {with(func(d *Decoder) { d.spec = []byte("0.3") }), `UNDECODABLE: CloudEvents specversion "0.3"; want 1.0`},
		"content type":    {with(func(d *Decoder) { d.contentType = []byte("text/xml") }), `UNDECODABLE: content-type "text/xml"`},
		"JSON no UTF-8": {func(d *Decoder) []byte {
			d.contentType = []byte("application/json")
			return []byte("{\"event_time_ms\":1,\"campaign\":1,\"chain\":2,\"user\":2,\"code\":\"\xff\"}")
		}, "UNDECODABLE: the event "},
		"tombstone": {func(*Decoder) []byte { return nil }, "INVALID_FIELD: event_time_ms is 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d Decoder
			setHeaders(&d, EventShare, "")
			var e Event
			err := d.Event(c.record(&d), &e)
			if err == nil || !strings.HasPrefix(err.Error(), "REASON_"+c.want) {
				t.Fatalf("got %v, want REASON_%s...", err, c.want)
			}
			setHeaders(&d, EventShare, "")
			if err := d.Event(value, &e); err != nil {
				t.Fatalf("the record after it: %v", err)
			}
		})
	}
}

func fill(d *Decoder, headers, size int) {
	for range headers {
		d.Header("h", make([]byte, size))
	}
}
