package cascade

import (
	"bytes"
	"fmt"
	"strconv"
)

// SyntaxError says where a cascade file breaks which rule.
type SyntaxError struct {
	File  string
	Line  int    // from 1; 0 when the file as a whole is meant
	Value string // as found, cut to 80 bytes
	Rule  string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %q: %s", e.File, e.Value, e.Rule)
	}
	return fmt.Sprintf("%s: line %d: %q: %s", e.File, e.Line, e.Value, e.Rule)
}

func broken(value []byte, rule string) *SyntaxError {
	return &SyntaxError{Value: string(value[:min(len(value), 80)]), Rule: rule}
}

// edge is one line of a cascade file: raiz: ['id','0.0']->['ROOT','0.0'] or
// reply: ['child','seconds']->['parent','its seconds'].
type edge struct {
	root              bool
	child, parent     int64 // parent is 0 on the root line
	childMS, parentMS int64 // milliseconds since the root
}

// parseEdge reads one line without its end. File and Line of the error are the caller's to fill.
func parseEdge(line []byte) (edge, *SyntaxError) {
	var e edge
	rest, ok := bytes.CutPrefix(line, []byte("reply: "))
	if !ok {
		if rest, e.root = bytes.CutPrefix(line, []byte("raiz: ")); !e.root {
			return e, broken(line, `a line begins with "raiz: " or "reply: "`)
		}
	}
	left, right, ok := bytes.Cut(rest, []byte("->"))
	if !ok {
		return e, broken(rest, "-> stands between child and parent")
	}
	id, seconds, err := parsePair(left)
	if err != nil {
		return e, err
	}
	if e.child, err = parseID(id); err != nil {
		return e, err
	}
	if e.childMS, err = parseSeconds(seconds); err != nil {
		return e, err
	}
	if id, seconds, err = parsePair(right); err != nil {
		return e, err
	}
	if e.parentMS, err = parseSeconds(seconds); err != nil {
		return e, err
	}
	if !e.root {
		e.parent, err = parseID(id)
		return e, err
	}
	if string(id) != "ROOT" {
		return e, broken(id, "the parent of the root is 'ROOT'")
	}
	return e, nil
}

// parsePair reads ['a','b'].
func parsePair(b []byte) (first, second []byte, err *SyntaxError) {
	const rule = "a node is written ['id','seconds']"
	in, ok := bytes.CutPrefix(b, []byte("['"))
	if !ok {
		return nil, nil, broken(b, rule)
	}
	if in, ok = bytes.CutSuffix(in, []byte("']")); !ok {
		return nil, nil, broken(b, rule)
	}
	if first, second, ok = bytes.Cut(in, []byte("','")); !ok {
		return nil, nil, broken(b, rule)
	}
	return first, second, nil
}

// parseID reads an id of 1..2^63-1 written as its shortest decimal.
func parseID(b []byte) (int64, *SyntaxError) {
	const rule = "an id is a decimal integer from 1 to 9223372036854775807 without sign or leading zero"
	if len(b) == 0 || b[0] < '1' || b[0] > '9' {
		return 0, broken(b, rule)
	}
	v, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0, broken(b, rule)
	}
	return v, nil
}

// maxSeconds keeps a shifted time within what milliseconds in an int64 hold: about 31,700 years.
const maxSeconds = 1_000_000_000_000

// parseSeconds reads "272.0": digits, a point, one to three digits. It goes through no float.
func parseSeconds(b []byte) (ms int64, err *SyntaxError) {
	const rule = "seconds are digits, a point and one to three digits, from 0.0 to 1000000000000.0"
	whole, part, ok := bytes.Cut(b, []byte("."))
	if !ok || len(whole) == 0 || len(whole) > 13 || len(part) == 0 || len(part) > 3 {
		return 0, broken(b, rule)
	}
	for i := range len(whole) + 3 {
		d := byte('0')
		switch {
		case i < len(whole):
			d = whole[i]
		case i-len(whole) < len(part):
			d = part[i-len(whole)]
		}
		if d < '0' || d > '9' {
			return 0, broken(b, rule)
		}
		ms = ms*10 + int64(d-'0')
	}
	if ms > maxSeconds*1000 {
		return 0, broken(b, rule)
	}
	return ms, nil
}
