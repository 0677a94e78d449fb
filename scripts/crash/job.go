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

// often are labels that an instance passes many times a second, some those that it passes for each partition that it takes: the kill
// may come at any of the first of them. Burst is passed at the takeover for all that came due while nobody was there, before anything is open again; the
// kill mostly comes behind that. All others are passed rarely, and the kill comes at once.
var (
	burst = []string{"coupon.expire."}
	often = []string{"publish.", "store.commit.", "issue.", "coupon.answer", "coupon.create", "admission.ask."}
	some  = []string{"store.open.", "store.live.", "settle.prove.", "settle.offset.", "settle.facts.", "takeover.adopt.", "takeover.consume."}
)

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
	for most, prefixes := range map[int][]string{200: burst, 12: often, 6: some} {
		for _, prefix := range prefixes {
			if strings.HasPrefix(j.label, prefix) {
				return 1 + rng.IntN(most)
			}
		}
	}
	return 1
}

// meetsMuch says whether the label comes while a transaction is open or coupons are in flight, so that the kills after it count too.
func (j job) meetsMuch() bool {
	return j.way == byLoad && (strings.HasPrefix(j.label, "publish.") || strings.HasPrefix(j.label, "coupon.") || strings.HasPrefix(j.label, "issue."))
}

// alone says whether another instance would come there first.
func (j job) alone() bool { return strings.HasPrefix(j.label, "admission.epoch.") }

// needsOpen says whether the label comes only where a killed transaction of another directory is still open.
func (j job) needsOpen() bool { return strings.HasPrefix(j.label, "settle.fence.") }

// queue hands out jobs.
type queue struct {
	mu   sync.Mutex
	jobs []job
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
const triesMax = 12

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
