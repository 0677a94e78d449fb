package processor

import (
	"context"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/admission"
	"hongbao/schemas"
)

// holds is a Redis in which user 2 is of another chain.
type holds struct{ admitter }

func (holds) Admit(_ context.Context, asks []admission.Ask, answers []admission.Answer) error {
	for i := range asks {
		answers[i] = admission.Answer{Claim: admission.Yes, Share: admission.Yes}
		if asks[i].User == 2 {
			answers[i].Claim = admission.No
		}
	}
	return nil
}

// TestGrantedBeforeACut asks for a newcomer's claim in a step that is cut before him. The next step refuses him without asking, and what was
// granted must be given back all the same (X10).
func TestGrantedBeforeACut(t *testing.T) {
	t.Parallel()
	w := foldWorker(t, 0, 1, withoutRewards(t))
	w.owner = holds{}
	m := &maker{tb: t}
	recs := []*kgo.Record{
		m.share(1, 1), m.join(1, 1, 2), m.share(1, 2), m.join(1, 2, 3),
		m.join(1, 1, 3), // nobody asked for him again: here the step is cut
		m.join(1, 2, 4), // granted, for 2 was supposed to be in
	}
	var done []int
	for left := recs; len(left) > 0; {
		n, err := w.judge(t.Context(), left)
		if err != nil || n == 0 {
			t.Fatalf("%d of %d decided: %v", n, len(left), err)
		}
		done, left = append(done, n), left[n:]
	}
	if !slices.Equal(done, []int{4, 2}) {
		t.Fatalf("steps of %v events; the test wants a cut before the fifth", done)
	}
	var users []int64
	for _, r := range w.undo.items {
		if r.Want&admission.WantClaim != 0 {
			users = append(users, r.User)
		}
	}
	if !slices.Equal(users, []int64{3, 4}) {
		t.Errorf("claims of users %v are given back, those of 3 and 4 were granted to refused events", users)
	}
	if w.fact.Kind != schemas.FactRefused || len(w.owed) != 0 {
		t.Errorf("the last fact is %v, %d asks are open", w.fact.Kind, len(w.owed))
	}
}
