package projections

import (
	"testing"

	"hongbao/schemas"
)

// TestProbe: down a batch each event is judged as if Redis had said yes to those before, so that
// a chain can begin and grow within one batch, and nothing is asked twice.
func TestProbe(t *testing.T) {
	t.Parallel()
	s := begun(t, newMemoryStore())
	event := func(kind schemas.EventKind, id string, user, chain, inviter int64) *schemas.Event {
		return &schemas.Event{Kind: kind, Campaign: 1, Chain: chain, User: user, Inviter: inviter, TimeMS: worldMS, ID: []byte(id), Code: schemas.CodeGood, CodeExpiresS: worldMS/1000 + 9}
	}
	share := func(id string, user, chain int64) *schemas.Event {
		return event(schemas.EventShare, id, user, chain, 0)
	}
	join := func(user, chain, inviter int64) *schemas.Event {
		return event(schemas.EventJoin, "j", user, chain, inviter)
	}
	hash, _ := s.Hash()
	for round := range 2 { // the second time the first is forgotten
		for i, step := range []struct {
			e    *schemas.Event
			asks Ask
		}{
			{join(500, 400, 400), 0},
			{share("a", 400, 400), AskShare | AskClaim},
			{share("a", 400, 400), 0},
			{share("b", 400, 400), AskShare},
			{join(500, 400, 400), AskClaim},
			{join(500, 400, 400), 0},
			{join(500, 100, 100), 0},
			{join(501, 400, 500), 0},
			{share("c", 500, 400), AskShare},
			{join(501, 400, 500), AskClaim},
			{join(400, 400, 500), 0},
			{join(400, 100, 100), 0},
			{join(300, 100, 200), 0},
			{share("d", 200, 100), AskShare},
			{join(300, 100, 200), AskClaim},
			{join(200, 100, 100), 0},
			{share("e", 200, 400), 0},
			{share("s", 100, 100), AskShare}, // begun's share s came from another source
			{event(schemas.EventPurchase, "p", 501, 400, 0), 0},
		} {
			if got := s.Probe(step.e); got != step.asks {
				t.Errorf("round %d, event %d asks %d, want %d: %+v", round, i, got, step.asks, step.e)
			}
		}
		s.EndProbe()
	}
	if after, err := s.Hash(); after != hash || err != nil {
		t.Errorf("probes changed the state (P2): %v", err)
	}
}
