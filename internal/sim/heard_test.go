//go:build synctests

package sim

import (
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hongbao/schemas"
)

// heard reads what the broker answers to hongbao's processes. A fault that changes something at the broker has hit nobody until one of them is told.
type heard struct {
	s       *sim
	mu      sync.Mutex
	waiting []*waiting
	fenced  fences
	topics  [schemas.Topics][16]byte // ids, once an answer has named them
}

// waiting is a fault that counts once an answer shows it.
type waiting struct {
	kind  string                        // of those that nothing tells apart: one at a time
	shows func(a *answer) (kind string) // empty: not this one
}

// question is a request that waits for its answer.
type question struct {
	id      uint32 // correlation id
	key     kmsg.Key
	version int16
	txn     string // its transactional id
	coded   bool   // the answer is a fault's own, and says nothing of others
}

// answer is what a living process is about to hear.
type answer struct {
	question

	from *link
	body kmsg.Response
}

// fencedOften says that a process has heard often enough that others have a transactional id of its own (X1).
func (h *heard) fencedOften(l *link, id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fenced.often(laneID{l, id})
}

// await counts a fault when an answer shows it.
func (h *heard) await(shows func(*answer) string) (forget func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &waiting{shows: shows}
	h.waiting = append(h.waiting, w)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.waiting = slices.DeleteFunc(h.waiting, func(o *waiting) bool { return o == w })
	}
}

// request notes a question.
func (h *heard) request(l *link, c *conn, frame []byte, coded bool) {
	q := question{id: correlation(frame), key: kmsg.Key(apiKey(frame)), version: apiVersion(frame), coded: coded}
	if !ofHongbao(l) || q.key == kmsg.ApiVersions {
		return
	}
	switch q.key {
	case kmsg.Produce, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn:
		q.txn = transactionalID(frame)
	}
	if q.key == kmsg.InitProducerID {
		h.mu.Lock()
		h.fenced.begins(laneID{l, q.txn})
		h.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, q)
}

// transactionalID is what all of these requests begin with.
func transactionalID(frame []byte) string {
	r := kmsg.RequestForKey(apiKey(frame))
	r.SetVersion(apiVersion(frame))
	b := kbin.Reader{Src: frame[12:]}
	b.NullableString()
	read := b.NullableString
	if r.IsFlexible() {
		kmsg.SkipTags(&b)
		read = b.CompactNullableString
	}
	if id := read(); id != nil {
		return *id
	}
	return ""
}

// response shows an answer to the faults that wait for one.
func (h *heard) response(l *link, c *conn, frame []byte) {
	c.mu.Lock()
	at := slices.IndexFunc(c.asked, func(q question) bool { return q.id == answered(frame) })
	if at < 0 {
		c.mu.Unlock()
		return
	}
	a := &answer{question: c.asked[at], from: l}
	c.asked = slices.Delete(c.asked, at, at+1)
	c.mu.Unlock()
	if _, dead := l.state(); dead {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	names := a.key == kmsg.Metadata && h.topics[schemas.TopicEvents] == [16]byte{}
	if len(h.waiting) == 0 && !names && a.txn == "" || !a.read(frame) {
		return
	}
	if a.txn != "" && a.key != kmsg.InitProducerID && a.says(kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping, kerr.InvalidTxnState) {
		h.fenced.told(laneID{l, a.txn}, time.Now())
	}
	if r, ok := a.body.(*kmsg.ProduceResponse); ok {
		h.refusals(l, r)
	}
	if a.coded {
		return
	}
	if names {
		h.named(a.body.(*kmsg.MetadataResponse))
	}
	h.waiting = slices.DeleteFunc(h.waiting, func(w *waiting) bool {
		kind := w.shows(a)
		if kind != "" {
			h.s.hit(kind)
		}
		return kind != ""
	})
}

// refusals are facts that the broker refuses for themselves.
func (h *heard) refusals(l *link, r *kmsg.ProduceResponse) {
	for _, t := range r.Topics {
		for i := range t.Partitions {
			if p := &t.Partitions[i]; p.ErrorCode == kerr.MessageTooLarge.Code && (t.TopicID == h.topics[schemas.TopicFacts] || t.Topic == schemas.TopicFacts.String()) {
				h.s.expected.excuses.told(l, p.Partition, time.Now())
			}
		}
	}
}

func (a *answer) read(frame []byte) bool {
	a.body = kmsg.ResponseForKey(int16(a.key))
	a.body.SetVersion(a.version)
	return read(frame, a.body) == nil
}

func (h *heard) named(r *kmsg.MetadataResponse) {
	for _, t := range r.Topics {
		for i := range schemas.Topics {
			if t.Topic != nil && *t.Topic == i.String() {
				h.topics[i] = t.TopicID
			}
		}
	}
}

// says looks for one of some error codes, wherever this kind of answer has them.
func (a *answer) says(errs ...*kerr.Error) bool {
	var in func(v reflect.Value) bool
	in = func(v reflect.Value) bool {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			return !v.IsNil() && in(v.Elem())
		case reflect.Slice:
			for i := range v.Len() {
				if in(v.Index(i)) {
					return true
				}
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.Name == "ErrorCode" && slices.ContainsFunc(errs, func(e *kerr.Error) bool { return int64(e.Code) == v.Field(i).Int() }) {
					return true
				} else if k := f.Type.Kind(); f.IsExported() && (k == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct) && in(v.Field(i)) {
					return true
				}
			}
		}
		return false
	}
	return in(reflect.ValueOf(a.body))
}

// refused says that the broker does not take the producer's epoch any more.
func (a *answer) refused() bool {
	return a.txn != "" && a.says(kerr.ProducerFenced, kerr.InvalidProducerEpoch)
}

// onceTold counts a kind when somebody hears one of these codes. What came before and was not heard of cannot be told from it any more.
func (h *heard) onceTold(kind string, errs ...*kerr.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = append(slices.DeleteFunc(h.waiting, func(w *waiting) bool { return w.kind == kind }), &waiting{kind: kind, shows: func(a *answer) string {
		if a.says(errs...) {
			return kind
		}
		return ""
	}})
}

// onceRefused counts a kind when the one that used a transactional id hears that it has gone to another.
func (h *heard) onceRefused(kind, id string) (forget func()) {
	return h.await(func(a *answer) string {
		if a.txn == id && a.refused() {
			return kind
		}
		return ""
	})
}

// onceDoubled counts when one of two processes on the same directory is refused by an id that the second one took.
func (h *heard) onceDoubled(second string) {
	var ids []string
	h.await(func(a *answer) string {
		if a.from.name == second && a.key == kmsg.InitProducerID {
			ids = append(ids, a.txn)
		}
		if slices.Contains(ids, a.txn) && a.refused() {
			return "directory doubled"
		}
		return ""
	})
}

// oncePaused counts a pause by what the group says of the member that comes back.
func (h *heard) oncePaused(l *link, kind string) (forget func()) {
	return h.await(func(a *answer) string {
		switch {
		case a.from != l:
			return ""
		case a.says(kerr.UnknownMemberID):
			return "pause past the session"
		case a.key == kmsg.Heartbeat:
			return kind
		}
		return ""
	})
}

// onceBlocked counts when somebody who reads a partition hears of records that an open transaction keeps from him.
func (h *heard) onceBlocked(t schemas.Topic, partition int32, offset int64) (forget func()) {
	return h.await(func(a *answer) string {
		r, ok := a.body.(*kmsg.FetchResponse)
		if !ok {
			return ""
		}
		for i := range r.Topics {
			for j := range r.Topics[i].Partitions {
				p := &r.Topics[i].Partitions[j]
				if r.Topics[i].TopicID == h.topics[t] && p.Partition == partition && p.LastStableOffset <= offset && p.HighWatermark > offset+1 {
					return "foreign transaction"
				}
			}
		}
		return ""
	})
}
