package main

import (
	"slices"
	"testing"
)

// TestOraclesAreCounted: every oracle of the seed that caught a bug has seen it, and those that saw none of them are named.
func TestOraclesAreCounted(t *testing.T) {
	t.Parallel()
	var f finding
	f.judge([]byte(`{"Violations":["the seed does not end","I8: one","I10: two","I8: three"]}`))
	if f.oracle != "I8" || f.sentence != "one" || !slices.Equal(f.oracles, []string{"I8", "I10"}) {
		t.Errorf("oracle %q, sentence %q, all %q", f.oracle, f.sentence, f.oracles)
	}
	if got, want := unseen([]finding{f, {oracles: []string{"I2", "I3"}}}), []string{"I1", "I4", "I5", "I6", "I7", "I9"}; !slices.Equal(got, want) {
		t.Errorf("unseen %q, want %q", got, want)
	}
}
