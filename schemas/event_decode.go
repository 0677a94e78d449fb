package schemas

import (
	"bytes"

	pb "hongbao/schemas/invitepb"
)

// Decoder decodes records of invite.events. For each record: Reset, Header for every Kafka
// header, Event. One per worker: it is not safe for concurrent use. The zero value is ready.
// Protobuf values cost no allocation; JSON values do.
type Decoder struct {
	// CloudEvents attributes of the headers; they alias the record. Empty counts as absent.
	id, source, kind, spec, contentType []byte

	trace     []byte // traceparent, the header that W3C names
	ceTrace   []byte // ce_traceparent, the CloudEvents extension; the fallback
	binary    bool   // a ce_ header was seen, so this is CloudEvents binary mode
	repeated  string // an attribute given twice
	headers   int
	headBytes int
}

// Reset forgets the last record's headers.
func (d *Decoder) Reset() { *d = Decoder{} }

// Header takes one Kafka header of the record. value is aliased until the next Reset.
func (d *Decoder) Header(key string, value []byte) {
	d.headers++
	d.headBytes += len(key) + len(value)
	if len(key) > 3 && key[:3] == "ce_" {
		d.binary = true
	}
	switch key {
	case "ce_id":
		d.set(&d.id, key, value)
	case "ce_source":
		d.set(&d.source, key, value)
	case "ce_type":
		d.set(&d.kind, key, value)
	case "ce_specversion":
		d.set(&d.spec, key, value)
	case "content-type":
		d.set(&d.contentType, key, value)
	case "traceparent":
		d.trace = value
	case "ce_traceparent":
		d.ceTrace = value
	}
}

// set refuses an attribute given twice: with two ids an event would be another event to a reader
// that takes the other one.
func (d *Decoder) set(attribute *[]byte, key string, value []byte) {
	if len(*attribute) > 0 {
		d.repeated = key
	}
	*attribute = value
}

// Event decodes the record's value into e, whose Offset is kept and whose other fields are all
// set. Its slices alias value and the headers (of JSON: fresh memory). Code, and what a join's
// code says, are left for CodeVerifier. The error is a *Poison; e is then unspecified.
func (d *Decoder) Event(value []byte, e *Event) error {
	*e = Event{Offset: e.Offset}
	if p := d.event(value, e); p != nil {
		return p
	}
	return nil
}

func (d *Decoder) event(value []byte, e *Event) *Poison {
	switch {
	case len(value) > MaxRecordBytes:
		return poison(pb.Reason_REASON_TOO_LARGE, "the value has %d bytes; a record has at most %d", len(value), MaxRecordBytes)
	case d.headers > MaxHeaders:
		return poison(pb.Reason_REASON_TOO_LARGE, "the record has %d headers; it may have at most %d", d.headers, MaxHeaders)
	case d.headBytes > MaxHeaderBytes:
		return poison(pb.Reason_REASON_TOO_LARGE, "the headers have %d bytes; together they may have at most %d", d.headBytes, MaxHeaderBytes)
	case d.repeated != "":
		return poison(pb.Reason_REASON_UNDECODABLE, "the header %s is given twice; an attribute has one value", d.repeated)
	}
	if e.Trace = traceparent(d.trace); e.Trace == nil {
		e.Trace = traceparent(d.ceTrace)
	}
	var p *Poison
	if d.structured(value) {
		p = e.structured(value)
	} else {
		p = d.binaryMode(value, e)
	}
	if p != nil {
		return p
	}
	return e.check()
}

// structured says that the value is the whole CloudEvent, in JSON. Without a content-type its first
// byte tells, so that a bare console producer works: no message here begins with that byte, which
// would be a group in field 15.
func (d *Decoder) structured(value []byte) bool {
	return bytes.HasPrefix(d.contentType, []byte("application/cloudevents")) ||
		!d.binary && len(value) > 0 && value[0] == '{'
}

// binaryMode decodes a value that is the message alone; the attributes are headers.
func (d *Decoder) binaryMode(value []byte, e *Event) *Poison {
	e.ID, e.Source = d.id, d.source
	if len(d.kind) == 0 {
		return poison(pb.Reason_REASON_UNKNOWN_TYPE, "there is no header ce_type, and the value %s is no JSON object that could carry a type", quote(value))
	}
	if p := e.setType(d.kind); p != nil {
		return p
	}
	if p := checkSpecVersion(d.spec); p != nil {
		return p
	}
	if len(d.contentType) == 0 {
		return e.protobuf(value)
	}
	mediaType, _, _ := bytes.Cut(d.contentType, []byte(";"))
	switch string(bytes.TrimSpace(mediaType)) {
	case "application/protobuf", "application/x-protobuf":
		return e.protobuf(value)
	case "application/json":
		return e.jsonMessage(value)
	}
	return poison(pb.Reason_REASON_UNDECODABLE, "content-type %s; want application/protobuf (or none) or application/json", quote(d.contentType))
}

// setType sets Kind from a CloudEvents type, the full name of the message.
func (e *Event) setType(name []byte) *Poison {
	switch string(name) {
	case "hongbao.invite.v1.ShareCreated":
		e.Kind = EventShare
	case "hongbao.invite.v1.InviteJoined":
		e.Kind = EventJoin
	case "hongbao.invite.v1.PurchaseSettled":
		e.Kind = EventPurchase
	case "hongbao.invite.v1.PurchaseReversed":
		e.Kind = EventReversal
	default:
		return poison(pb.Reason_REASON_UNKNOWN_TYPE, "type %s; want hongbao.invite.v1.ShareCreated, InviteJoined, PurchaseSettled or PurchaseReversed", quote(name))
	}
	return nil
}

// checkSpecVersion refuses another version of CloudEvents. None is taken for 1.0.
func checkSpecVersion(version []byte) *Poison {
	if len(version) > 0 && string(version) != "1.0" {
		return poison(pb.Reason_REASON_UNDECODABLE, "CloudEvents specversion %s; want 1.0", quote(version))
	}
	return nil
}
