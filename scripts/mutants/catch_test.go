package main

import (
	"slices"
	"strings"
	"testing"
)

// What a search prints is read: every oracle of the seed that ended it has seen the bug, a seed that crashed has not.
func TestRead(t *testing.T) {
	t.Parallel()
	var f finding
	f.read(strings.NewReader("seed 3: crash: x\nseed 7: does not end: y\n     I8: one\n     I10: two\n     I8: three\ncaught by I8 at seed 7, after 7 seeds\nreplay: make sim SEED=7\n"))
	if f.oracle != "I8" || f.sentence != "one" || !slices.Equal(f.oracles, []string{"I8", "I10"}) || f.seeds != 7 || f.failed != 2 {
		t.Errorf("%+v", f)
	}
	if f.caught() || f.needed() != "7 (does not replay) (1 crashed)" {
		t.Errorf("caught %v, %q: it was not replayed", f.caught(), f.needed())
	}
	if f.replayed = true; !f.caught() || f.needed() != "7 (1 crashed)" {
		t.Errorf("caught %v, %q", f.caught(), f.needed())
	}
	if got, want := unseen([]finding{f, {oracles: []string{"I2", "I3"}}}), []string{"I1", "I4", "I5", "I6", "I7", "I9"}; !slices.Equal(got, want) {
		t.Errorf("unseen %q, want %q", got, want)
	}
	var none finding
	none.read(strings.NewReader("seed 3: crash: x\nreached:\n        1  rule X1\n12 schedules, 2400 inputs, 1 faults that hit of 1 kinds, 1 violations; 1s simulated\n"))
	if none.caught() || none.needed() != "not caught in 12 (1 crashed)" || none.seen() != "-" {
		t.Errorf("%+v, %q", none, none.needed())
	}
}
