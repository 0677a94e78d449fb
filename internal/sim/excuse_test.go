package sim

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// excuses are the stops of partitions that the faults of a seed allow. A process asks for them when it logs a stop, while faults are made.
type excuses struct {
	mu   sync.Mutex
	list []excuse
}

// excuse allows a partition to stop by one rule.
type excuse struct {
	partition int32
	rule      string
	waits     bool      // for told: nobody has met the fault
	of        any       // the link of the process that has, which may stop once; nil: all may, until it is lifted
	until     time.Time // of its stop
}

// refusalMax is how long after the answer a partition may be stopped by a refused record: the answer may be slow, its reader paused, and the other answers
// to the same transaction may be, too.
const refusalMax = 30 * time.Second

// give excuses all stops of partition p by rule.
func (e *excuses) give(p int32, rule string) { e.add(excuse{partition: p, rule: rule}) }

// refuses excuses a stop by X6 of whoever is told that a record of partition p is refused.
func (e *excuses) refuses(p int32) { e.add(excuse{partition: p, rule: "X6", waits: true}) }

func (e *excuses) add(x excuse) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, x)
}

// told says who has met such a refusal.
func (e *excuses) told(of any, p int32, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := slices.IndexFunc(e.list, func(x excuse) bool { return x.waits && x.partition == p }); n >= 0 {
		x := &e.list[n]
		x.waits, x.of, x.until = false, of, at.Add(refusalMax)
	}
}

// lift ends what was given for partition p.
func (e *excuses) lift(p int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = slices.DeleteFunc(e.list, func(x excuse) bool { return x.partition == p && !x.waits && x.of == nil })
}

// take says whether a stop is excused. What excuses one process excuses it once.
func (e *excuses) take(of any, p int32, rule string, at time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := slices.IndexFunc(e.list, func(x excuse) bool {
		return x.partition == p && x.rule == rule && !x.waits && (x.of == nil || x.of == of && at.Before(x.until))
	})
	if n < 0 {
		return false
	}
	if e.list[n].of != nil {
		e.list = slices.Delete(e.list, n, n+1)
	}
	return true
}

// TestExcuses: a stop is excused by the fault that it comes from, and by no other.
func TestExcuses(t *testing.T) {
	t.Parallel()
	at := time.Unix(1, 0)
	var e excuses
	want := func(want bool, what string, of any, p int32, rule string, at time.Time) {
		t.Helper()
		if e.take(of, p, rule, at) != want {
			t.Errorf("%s: excused is %v", what, !want)
		}
	}
	e.give(1, "X5d")
	want(true, "the rule of the fault", "a", 1, "X5d", at)
	want(true, "in another process", "b", 1, "X5d", at)
	want(false, "another rule", "a", 1, "X8", at)
	want(false, "another partition", "a", 2, "X5d", at)
	e.lift(1)
	want(false, "once it is mended", "a", 1, "X5d", at)

	e.refuses(1)
	want(false, "before anybody was told", "a", 1, "X6", at)
	e.told("a", 2, at)
	want(false, "another partition's refusal", "a", 2, "X6", at)
	e.told("a", 1, at)
	e.lift(1)
	want(false, "somebody who was not told", "b", 1, "X6", at)
	want(false, "another rule", "a", 1, "X5d", at)
	want(false, "too late", "a", 1, "X6", at.Add(refusalMax))
	want(true, "who was told", "a", 1, "X6", at.Add(time.Second))
	want(false, "once more", "a", 1, "X6", at.Add(time.Second))
	e.told("b", 1, at)
	want(false, "a refusal that no fault made", "b", 1, "X6", at)
}
