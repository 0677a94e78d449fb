package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	pb "hongbao/schemas/invitepb"
)

// jsonMembers calls fn with each member of the one JSON object that text is. Names are compared
// byte for byte, and none may come twice: with two readings an event would be two events. Text
// that is no UTF-8 is refused, where encoding/json would put U+FFFD for it in silence.
func jsonMembers(what string, text []byte, fn func(name string, raw json.RawMessage) *Poison) *Poison {
	if !utf8.Valid(text) {
		return poison(pb.Reason_REASON_UNDECODABLE, "%s %s is no UTF-8", what, quote(text))
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return notObject(what, text, err)
	}
	seen := make(map[string]bool)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return notObject(what, text, err)
		}
		name, _ := token.(string) // inside an object every other token is a name
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return notObject(what, text, err)
		}
		if seen[name] {
			return poison(pb.Reason_REASON_UNDECODABLE, "%s has the member %s twice", what, quoteString(name))
		}
		seen[name] = true
		if p := fn(name, raw); p != nil {
			return p
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return notObject(what, text, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return poison(pb.Reason_REASON_UNDECODABLE, "%s is followed by more than its JSON object", what)
	}
	return nil
}

func notObject(what string, text []byte, err error) *Poison {
	if err == nil {
		err = errors.New("it begins with something else")
	}
	return poison(pb.Reason_REASON_UNDECODABLE, "%s %s is no JSON object: %v", what, quote(text), err)
}

const stringIDs = "a producer whose ids are strings maps its string ids to int64"

// jsonInt reads an int64 from a JSON integer or a string of one. It never passes through a
// float64: real ids exceed 2^53. Digits with a fraction, an exponent, a plus or leading zeros are
// refused, so that two spellings never mean one id.
func jsonInt(name string, raw json.RawMessage) (int64, *Poison) {
	text := string(raw)
	if text == "null" {
		return 0, nil
	}
	if raw[0] == '"' {
		unquoted, p := jsonText(name, raw)
		if p != nil {
			return 0, p
		}
		text = string(unquoted)
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err == nil && strconv.FormatInt(v, 10) == text {
		return v, nil
	}
	return 0, poison(pb.Reason_REASON_INVALID_FIELD, "%s is %s; want an integer up to 2^63-1 in decimal digits, or a string of one (%s)",
		name, showJSON(raw), stringIDs)
}

// jsonText reads a string. null is empty.
func jsonText(name string, raw json.RawMessage) ([]byte, *Poison) {
	if string(raw) == "null" {
		return nil, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, poison(pb.Reason_REASON_INVALID_FIELD, "%s is %s; want a string", name, showJSON(raw))
	}
	// encoding/json reads half a surrogate pair (\ud800) as U+FFFD, and two ids as one.
	if b := []byte(text); bytes.Count(b, []byte("\uFFFD")) == bytes.Count(raw, []byte("\uFFFD")) {
		return b, nil
	}
	return nil, poison(pb.Reason_REASON_UNDECODABLE, "%s is %s; it has an escape that is no Unicode character", name, showJSON(raw))
}

// showJSON is quote for a JSON value: a short text or number is shown as it stands.
func showJSON(raw json.RawMessage) string {
	if len(raw) <= quoteMax && raw[0] != '{' && raw[0] != '[' {
		return string(raw)
	}
	return quote(raw)
}
