package admission

import (
	"encoding/binary"
	"testing"
)

const hourMS = int64(3600_000)

// testNow is an hour's begin.
const testNow = 493_000 * hourMS

func event(n int64) EventID {
	var id EventID
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15)
	id[8] = 1 // what Redis does not keep
	return id
}

// stored is the part of an event's id that Redis keeps.
func stored(n int64) [8]byte {
	id := event(n)
	return [8]byte(id[:8])
}

// join asks for a claim, link for a share; the offset is the event's number.
func join(user, chain, n int64) Ask {
	return Ask{Want: WantClaim, Campaign: 1, User: user, Chain: chain, Offset: n, Event: event(n), EventTimeMS: testNow}
}

func link(user, n int64) Ask {
	return Ask{Want: WantShare, Campaign: 1, User: user, Chain: 1, Offset: n, Event: event(n), EventTimeMS: testNow}
}

func seed(user, n int64) Ask {
	a := join(user, user, n)
	a.Want |= WantShare
	return a
}

func atTime(a Ask, ms int64) Ask { a.EventTimeMS = ms; return a }

func undo(a Ask) Release {
	return Release{Want: a.Want, Campaign: a.Campaign, User: a.User, Offset: a.Offset, Event: a.Event, EventTimeMS: a.EventTimeMS}
}

func (v Verdict) letter() string { return [...]string{"-", "y", "n"}[v] }

// admit asks and returns the answers as letters, claim then share: "y-" "n-" "-y" "ny".
func admit(t *testing.T, o *Owner, asks ...Ask) string {
	t.Helper()
	s := ""
	for _, a := range answers(t, o, asks...) {
		s += " " + a.Claim.letter() + a.Share.letter()
	}
	return s[1:]
}

func answers(t *testing.T, o *Owner, asks ...Ask) []Answer {
	t.Helper()
	as := make([]Answer, len(asks))
	if err := o.Admit(timeout(t), asks, as); err != nil {
		t.Fatal(err)
	}
	return as
}

func want(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
