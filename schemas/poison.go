package schemas

import (
	"fmt"
	"strconv"
)

// Poison says why a record can never be decided: it goes to a dead letter with this reason and
// sentence, and its partition goes on. Decoders return it as a *Poison, never wrapped.
type Poison struct {
	Reason   Reason
	Sentence string // names the value (shortened) and the rule
}

// Error is the sentence after the reason's name.
func (p *Poison) Error() string { return p.Reason.String() + ": " + p.Sentence }

// poison builds a *Poison. It allocates, which is right: a poisoned record is the exception.
func poison(reason Reason, format string, args ...any) *Poison {
	return &Poison{Reason: reason, Sentence: fmt.Sprintf(format, args...)}
}

// quoteMax is how many bytes of a value a sentence shows; the dead letter has all of it.
const quoteMax = 48

// quote is a value for a sentence: quoted, escaped, shortened.
func quote(b []byte) string {
	if len(b) <= quoteMax {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("%q... (%d bytes)", b[:quoteMax], len(b))
}

func quoteString(s string) string {
	if len(s) <= quoteMax {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("%q... (%d bytes)", s[:quoteMax], len(s))
}
