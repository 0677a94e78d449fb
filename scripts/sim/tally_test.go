package main

import (
	"slices"
	"strings"
	"testing"
)

// A run of many seeds in which something never came names it, and one in which all came names nothing.
func TestMissing(t *testing.T) {
	t.Parallel()
	full := func() *tally {
		all := newTally()
		all.seeds, all.several = 100, severalMin
		for _, w := range wanted {
			all.reached[w] = 1
		}
		all.reached["request EndTxn"] = 1
		for _, w := range all.wantedFaults() {
			if strings.HasSuffix(w, " ") {
				w += "Fetch"
			}
			all.byKind[w] = 1
		}
		return all
	}
	if got := full().missing(faultsFrom); len(got) > 0 {
		t.Errorf("nothing is missing, and %q is", got)
	}
	const few = "more than one instance in 45 % of the seeds"
	one := full()
	delete(one.reached, "rule X7")
	one.several--
	delete(one.byKind, "redis slow")
	delete(one.byKind, "slow answer Fetch")
	delete(one.byKind, "cut before EndTxn")
	if got, want := one.missing(faultsFrom), []string{"rule X7", few, "fault slow answer ", "fault redis slow", "fault cut before EndTxn"}; !slices.Equal(got, want) {
		t.Errorf("missing %q, want %q", got, want)
	}
	if got, want := one.missing(faultsFrom-1), []string{"rule X7", few}; !slices.Equal(got, want) {
		t.Errorf("of few seeds %q is missing, want %q", got, want)
	}
}
