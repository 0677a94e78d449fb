package schemas

import (
	"encoding/json"
	"strings"

	pb "hongbao/schemas/invitepb"
)

// structured decodes a CloudEvent in JSON: {specversion, id, source, type, data}, and the
// extension traceparent. Members of other names are skipped, as CloudEvents extensions are.
func (e *Event) structured(value []byte) *Poison {
	var kind, spec, dataType, trace []byte
	var data json.RawMessage
	p := jsonMembers("the CloudEvent", value, func(name string, raw json.RawMessage) (p *Poison) {
		switch name {
		case "specversion":
			spec, p = jsonText(name, raw)
		case "id":
			e.ID, p = jsonText(name, raw)
		case "source":
			e.Source, p = jsonText(name, raw)
		case "type":
			kind, p = jsonText(name, raw)
		case "datacontenttype":
			dataType, p = jsonText(name, raw)
		case "traceparent":
			trace, p = jsonText(name, raw)
		case "data":
			data = raw
		}
		return p
	})
	if p != nil {
		return p
	}
	if p := e.setType(kind); p != nil {
		return p
	}
	if p := checkSpecVersion(spec); p != nil {
		return p
	}
	if len(dataType) > 0 && !isJSON(dataType) {
		return poison(pb.Reason_REASON_UNDECODABLE, "datacontenttype %s; data in a JSON CloudEvent is application/json", quote(dataType))
	}
	if e.Trace == nil {
		e.Trace = traceparent(trace)
	}
	if data == nil {
		return poison(pb.Reason_REASON_UNDECODABLE, "the CloudEvent has no data; data is the JSON object of the message %s", quote(kind))
	}
	return e.jsonMessage(data)
}

// isJSON says that a media type is application/json, parameters aside.
func isJSON(mediaType []byte) bool {
	name, _, _ := strings.Cut(string(mediaType), ";")
	return strings.EqualFold(strings.TrimSpace(name), "application/json")
}

// jsonMessage decodes the message of Kind from JSON, by proto field names. Members of other names
// are skipped, as unknown Protobuf fields are. Null is the same as absent.
func (e *Event) jsonMessage(value []byte) *Poison {
	return jsonMembers("the event", value, func(name string, raw json.RawMessage) *Poison {
		if string(raw) == "null" {
			return nil
		}
		return e.jsonField(name, raw)
	})
}

func (e *Event) jsonField(name string, raw json.RawMessage) (p *Poison) {
	hasChain := e.Kind != EventJoin // a join's campaign and chain are its code's
	hasCode := e.Kind == EventShare || e.Kind == EventJoin
	hasOrder := e.Kind == EventPurchase || e.Kind == EventReversal
	switch {
	case name == "event_time_ms":
		e.TimeMS, p = jsonInt(name, raw)
	case name == "campaign" && hasChain:
		e.Campaign, p = jsonInt(name, raw)
	case name == "chain" && hasChain:
		e.Chain, p = jsonInt(name, raw)
	case name == userField(e.Kind):
		e.User, p = jsonInt(name, raw)
	case name == "code" && hasCode:
		e.CodeText, p = jsonText(name, raw)
	case name == "order_id" && hasOrder:
		e.OrderID, p = jsonText(name, raw)
	case name == "amount_minor" && e.Kind == EventPurchase:
		e.AmountMinor, p = jsonInt(name, raw)
	case name == "currency" && e.Kind == EventPurchase:
		e.Currency, p = jsonText(name, raw)
	case name == "cluster_keys" && e.Kind == EventJoin:
		p = e.jsonClusterKeys(raw)
	}
	return p
}

func (e *Event) jsonClusterKeys(raw json.RawMessage) *Poison {
	return jsonMembers("cluster_keys", raw, func(name string, raw json.RawMessage) (p *Poison) {
		switch name {
		case "device":
			e.Device, p = jsonText(name, raw)
		case "payment":
			e.Payment, p = jsonText(name, raw)
		case "address":
			e.Address, p = jsonText(name, raw)
		}
		return p
	})
}
