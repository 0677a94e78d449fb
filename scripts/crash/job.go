package main

import (
	"math/rand/v2"
	"strings"
	"sync"

	"hongbao/internal/crashpoint"
)

// way is how a site gets an instance to come to a label.
type way uint8

const (
	byLoad   way = iota // the load or the takeover comes there by itself
	byFresh             // the data directory is lost
	byDamage            // a partition's directory is damaged
	byBack              // an older directory comes back, whose tail another history has overtaken
	byEmpty             // the same, and it has no checkpoint
	byFlush             // Redis is emptied
	byStop              // the instance is asked to stop
	byJoin              // a second instance joins, or one that was away
)

// ways names the labels that do not come by themselves. Numbers: how often a label is passed at most before the kill.
var ways = map[string]way{
	"store.identity": byFresh, "store.live": byFresh, "takeover.restore": byFresh, "store.restored": byFresh,
	"store.discard": byDamage, "store.rollback": byBack, "store.reset": byEmpty,
	"admission.epoch": byFlush, "admission.rebuild": byFlush, "admission.mark": byFlush, "stock.restore": byFlush,
	"store.close": byStop, "drain": byStop, "member.leave": byStop,
	"member.release": byJoin, "member.revoke": byJoin,
}

// often are labels that are passed many times a second: a kill may come at any of them.
var often = []string{"publish.", "store.commit.", "store.open.", "settle.", "takeover.", "issue.", "coupon.answer", "coupon.create", "admission.ask", "store.live", "store.renamed"}

// once are labels that an instance passes but once.
var once = []string{"settle.fence.", "takeover.restore.", "takeover.compare."}

func wayOf(label string) way {
	for prefix, w := range ways {
		if strings.HasPrefix(label, prefix+".") {
			return w
		}
	}
	return byLoad
}

// job is one kill to be made.
type job struct {
	label string
	way   way
	tries int
}

// count is at which passing the kill comes.
func (j job) count(rng *rand.Rand) int {
	for _, prefix := range once {
		if strings.HasPrefix(j.label, prefix) {
			return 1
		}
	}
	for _, prefix := range often {
		if strings.HasPrefix(j.label, prefix) {
			return 1 + rng.IntN(12)
		}
	}
	return 1 + rng.IntN(2)
}

// needsOpen says whether the label comes only where a killed transaction of another directory is still open.
func (j job) needsOpen() bool { return strings.HasPrefix(j.label, "settle.fence.") }

// queue hands out jobs.
type queue struct {
	mu   sync.Mutex
	jobs []job
	out  int // handed out and not yet done
}

func newQueue(o *options, rng *rand.Rand) *queue {
	q := &queue{}
	for range o.perLabel {
		for _, l := range crashpoint.Labels() {
			if strings.HasPrefix(l.Name, o.only) {
				q.jobs = append(q.jobs, job{label: l.Name, way: wayOf(l.Name)})
			}
		}
	}
	rng.Shuffle(len(q.jobs), func(a, b int) { q.jobs[a], q.jobs[b] = q.jobs[b], q.jobs[a] })
	return q
}

// take gives the first job that fits.
func (q *queue) take(fits func(job) bool) (job, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, j := range q.jobs {
		if fits(j) {
			q.jobs = append(q.jobs[:i], q.jobs[i+1:]...)
			return j, true
		}
	}
	return job{}, false
}

// triesMax bounds how often a kill is tried that does not come, or meets nothing.
const triesMax = 6

// again puts a job back whose kill did not count.
func (q *queue) again(j job) {
	if j.tries++; j.tries >= triesMax {
		return // the tally shows what is missing
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = append(q.jobs, j)
}

func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.jobs)
}
