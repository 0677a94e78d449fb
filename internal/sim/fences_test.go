package sim

import (
	"slices"
	"testing"
	"time"
)

// fences are what lanes have heard of others that have their transactional ids: one of each life, however often its client is told.
type fences struct {
	living []laneID // initialised, and not fenced since
	heard  []fenced
}

// laneID is a transactional id in the hands of one process.
type laneID struct {
	by  any // its link
	txn string
}

// fenced is the end of a lane's life by an answer that told it that another has its id, or that looked like it.
type fenced struct {
	lane laneID
	at   time.Time
}

// begins notes that a lane initialises its id.
func (f *fences) begins(l laneID) {
	if !slices.Contains(f.living, l) {
		f.living = append(f.living, l)
	}
}

// told notes an answer that ends a life.
func (f *fences) told(l laneID, at time.Time) {
	if n := slices.Index(f.living, l); n >= 0 {
		f.living = slices.Delete(f.living, n, n+1)
		f.heard = append(f.heard, fenced{l, at})
	}
}

// often says that three lives of a lane ended so within a minute, which ends a process (X1).
func (f *fences) often(l laneID) bool {
	var at []time.Time
	for _, h := range f.heard {
		if h.lane == l {
			at = append(at, h.at)
		}
	}
	for n := 2; n < len(at); n++ {
		if at[n].Sub(at[n-2]) < time.Minute {
			return true
		}
	}
	return false
}

// TestFences: three lives in a minute are wanted, of one lane, not three answers.
func TestFences(t *testing.T) {
	t.Parallel()
	one, other := laneID{1, "a"}, laneID{2, "a"}
	for name, c := range map[string]struct {
		play func(life func(l laneID, second, answers int))
		want bool
	}{
		"three answers to one life": {func(life func(laneID, int, int)) { life(one, 1, 3) }, false},
		"two lives":                 {func(life func(laneID, int, int)) { life(one, 1, 3); life(one, 2, 3) }, false},
		"three lives":               {func(life func(laneID, int, int)) { life(one, 1, 1); life(one, 2, 1); life(one, 3, 1) }, true},
		"one of another process":    {func(life func(laneID, int, int)) { life(one, 1, 1); life(other, 2, 1); life(one, 3, 1) }, false},
		"one not told":              {func(life func(laneID, int, int)) { life(one, 1, 1); life(one, 2, 0); life(one, 3, 1) }, false},
		"more than a minute":        {func(life func(laneID, int, int)) { life(one, 1, 1); life(one, 40, 1); life(one, 61, 1) }, false},
		"the last three": {func(life func(laneID, int, int)) {
			life(one, 1, 1)
			life(one, 40, 1)
			life(one, 61, 1)
			life(one, 62, 1)
		}, true},
	} {
		var f fences
		c.play(func(l laneID, second, answers int) {
			f.begins(l)
			f.begins(l) // asked again, as after a cut
			for range answers {
				f.told(l, time.Unix(int64(second), 0))
			}
		})
		if got := f.often(one); got != c.want {
			t.Errorf("%s: often is %v", name, got)
		}
	}
	var f fences
	if f.told(one, time.Unix(1, 0)); len(f.heard) > 0 {
		t.Error("an answer to nobody counts")
	}
}
