package processor

import (
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/fsm"
	"hongbao/schemas"
)

// mailbox is how others reach a worker. It is locked once per delivery, never per event; what it
// holds is bounded by what the lane polls (X9), by open_max for answers, and by hand for orders.
type mailbox struct {
	wake    chan struct{}
	waiting atomic.Int64 // weight of the events and control records that are not in a step yet

	mu      sync.Mutex
	inputs  [schemas.Inputs][][]*kgo.Record
	ends    schemas.Positions // where the markers end that follow the last record of each topic
	answers []fsm.Outcome
	orders  []func(*worker)
}

// weight is what a record counts wherever records are bounded (X9): one event, and one more for each KiB that it
// takes in memory. Few headers and short values, as of any event that can be judged, count one.
func weight(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value) + headerBytes*len(r.Headers)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return 1 + n>>10
}

// headerBytes is what a header takes beside its text: a record of 1 MiB may hold half a million of them.
const headerBytes = 40

func weightOf(recs []*kgo.Record) int64 {
	n := 0
	for _, r := range recs {
		n += weight(r)
	}
	return int64(n)
}

// bounded says which inputs count: the others wait in Kafka but for one fetch.
func bounded(t schemas.Topic) bool { return t == schemas.TopicEvents || t == schemas.TopicControl }

// put delivers records and, if not 0, where the markers after them end. Markers alone wake nobody.
func (b *mailbox) put(t schemas.Topic, recs []*kgo.Record, end int64) {
	if bounded(t) {
		b.waiting.Add(weightOf(recs))
	}
	b.mu.Lock()
	b.ends[t] = max(b.ends[t], end)
	if len(recs) > 0 {
		b.inputs[t] = append(b.inputs[t], recs)
	}
	b.mu.Unlock()
	if len(recs) > 0 {
		signal(b.wake)
	}
}

func (b *mailbox) answer(o fsm.Outcome) {
	b.mu.Lock()
	b.answers = append(b.answers, o)
	b.mu.Unlock()
	signal(b.wake)
}

// order asks the worker to call fn between two steps.
func (b *mailbox) order(fn func(*worker)) {
	b.mu.Lock()
	b.orders = append(b.orders, fn)
	b.mu.Unlock()
	signal(b.wake)
}

// inbox is what a worker has taken out of its mailbox: queues of its own, without a lock.
type inbox struct {
	inputs  [schemas.Inputs][][]*kgo.Record
	ends    schemas.Positions
	answers []fsm.Outcome
	orders  []func(*worker)
}

func (b *mailbox) takeInto(in *inbox) {
	b.mu.Lock()
	defer b.mu.Unlock()
	in.ends = b.ends
	for t := range b.inputs {
		in.inputs[t] = append(in.inputs[t], b.inputs[t]...)
		clear(b.inputs[t])
		b.inputs[t] = b.inputs[t][:0]
	}
	in.answers = append(in.answers, b.answers...)
	b.answers = b.answers[:0]
	in.orders = append(in.orders, b.orders...)
	clear(b.orders)
	b.orders = b.orders[:0]
}

// clear drops what an earlier ownership left.
func (b *mailbox) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting.Store(0)
	for t := range b.inputs {
		b.inputs[t] = nil
	}
	b.ends = schemas.Positions{}
	b.answers, b.orders = nil, nil
}
