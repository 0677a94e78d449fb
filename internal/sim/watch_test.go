//go:build synctests

package sim

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// watcher reads what passes the wire, in both directions: which offsets a transaction promised, and what became of it.
type watcher struct {
	s         *sim
	mu        sync.Mutex
	asked     map[sent]kmsg.Request    // of the kinds whose answers count, until they come
	promised  map[producer][]commit    // what the broker has taken, by transaction: each has an epoch of its own
	commits   []commit                 // of the transactions that the broker was asked to commit; those whose answer got lost may have been
	committed [partitions]int64        // seqs that the broker has said are committed
	count     map[string]map[int16]int // requests by client and kind
	outside   []commit                 // offsets committed outside a transaction
	open      map[string]producer      // by transactional id, who has begun a transaction and not been told to end it
	ended     map[string]producer      // the same, when the id was initialised again
	left      left
}

// commit is one partition's offset in one transaction.
type commit struct {
	partition int32
	offset    int64
	metadata  string
	producer  int64
	epoch     int16
}

func newWatcher(s *sim) *watcher {
	return &watcher{
		s: s, asked: map[sent]kmsg.Request{}, promised: map[producer][]commit{}, count: map[string]map[int16]int{},
		open: map[string]producer{}, ended: map[string]producer{}, left: left{holder: map[string]*link{}},
	}
}

// seqs are the seqs that the broker has said are committed, so far, by partition.
func (w *watcher) seqs() [partitions]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.committed
}

// request notes a frame and asks the faults what becomes of it.
func (w *watcher) request(l *link, c *conn, frame []byte) fate {
	key := apiKey(frame)
	w.mu.Lock()
	of := w.count[l.name]
	if of == nil {
		of = map[int16]int{}
		w.count[l.name] = of
	}
	of[key]++
	n := of[key]
	w.mu.Unlock()
	if n == 1 && ofHongbao(l) {
		w.s.reach("request " + kmsg.NameForKey(key))
	}
	if key == int16(kmsg.Fetch) {
		patient(frame)
	}
	if w.s.revokes.request(l, c, kmsg.Key(key), frame) {
		return fate{cut: true}
	}
	f := w.s.faults.judge(l, key, n)
	if f.cut {
		return f
	}
	w.s.heard.request(l, c, frame, f.code > 0)
	if key == int16(kmsg.Fetch) {
		latency := fetchLatency // a client that is told at once to ask elsewhere asks again at once, and time would stand still
		if l.name == "reader" {
			latency = readerLatency
		}
		f.slow = max(f.slow, latency)
	}
	switch kmsg.Key(key) {
	case kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.OffsetFetch:
		w.ask(l, sent{c, correlation(frame)}, parse(frame))
	case kmsg.InitProducerID:
		w.initialised(parse(frame).(*kmsg.InitProducerIDRequest))
	case kmsg.OffsetCommit:
		w.plain(l, parse(frame).(*kmsg.OffsetCommitRequest))
	}
	return f
}

// ofHongbao says whether a process under test sends there, and none of the simulation's own clients.
func ofHongbao(l *link) bool { return l.name != "tool" && l.name != "reader" && l.name != "judge" }

// initialised notes that a lane begins (X5a), or that another ends what it left (X5c): which of the two shows when somebody goes on under the id.
func (w *watcher) initialised(r *kmsg.InitProducerIDRequest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id := r.TransactionalID; id != nil {
		if by, ok := w.open[*id]; ok {
			w.ended[*id] = by
		}
		delete(w.open, *id)
	}
}

// begins notes who has a transaction open.
func (w *watcher) begins(r *kmsg.TxnOffsetCommitRequest) {
	by := producer{r.ProducerID, r.ProducerEpoch}
	w.open[r.TransactionalID] = by
	if before, ok := w.ended[r.TransactionalID]; ok && before != by { // the next life of that lane, which found its own transaction open
		w.s.reach("rule X5a")
		delete(w.ended, r.TransactionalID)
	}
}

// plain sees offsets that no transaction carries: hongbao must never send them.
func (w *watcher) plain(l *link, r *kmsg.OffsetCommitRequest) {
	if l.name == "tool" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			w.outside = append(w.outside, commit{partition: p.Partition, offset: p.Offset})
		}
	}
}

// The way back of what a fetch brings. The reader sees what is committed in larger pieces, and no less of it.
const (
	fetchLatency  = time.Millisecond
	readerLatency = 100 * time.Millisecond
)

// patient lets a fetch wait long: the pace of empty fetches says nothing and costs most of a seed's time. Since
// version 15 a fetch begins with its longest wait.
func patient(frame []byte) {
	if apiVersion(frame) < 15 {
		return
	}
	at := headerLen(frame)
	const waitMS = 5000
	frame[at], frame[at+1], frame[at+2], frame[at+3] = 0, 0, waitMS>>8, waitMS&0xff
}

// headerLen is where the body of a flexible request begins: after the client id and an empty tag section.
func headerLen(frame []byte) int {
	n := int(int16(uint16(frame[12])<<8 | uint16(frame[13])))
	return 14 + max(n, 0) + 1
}

func parse(frame []byte) kmsg.Request {
	r := kmsg.RequestForKey(apiKey(frame))
	r.SetVersion(apiVersion(frame))
	b := kbin.Reader{Src: frame[12:]}
	b.NullableString()
	if r.IsFlexible() {
		kmsg.SkipTags(&b)
	}
	if err := r.ReadFrom(b.Src); err != nil {
		panic("a request of ours does not read: " + err.Error())
	}
	return r
}
