//go:build synctests

package sim

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sent is one request on its way.
type sent struct {
	c  *conn
	id uint32
}

// ask remembers a request until its answer comes. What is asked to be committed counts as asked from here on, since its answer may never be written.
func (w *watcher) ask(l *link, at sent, r kmsg.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[at] = r
	switch r := r.(type) {
	case *kmsg.TxnOffsetCommitRequest: // each transaction begins with one
		w.left.holder[r.TransactionalID] = l
		w.begins(r)
		w.s.revokes.promise(l, r)
	case *kmsg.EndTxnRequest:
		delete(w.open, r.TransactionalID)
		if r.Commit {
			w.commits = append(w.commits, w.promised[producer{r.ProducerID, r.ProducerEpoch}]...)
		}
	}
}

// response sees an answer when the broker writes it, before any fault takes it away. Whatever a process can know to be committed it knows by
// an answer that was seen here: to its EndTxn or, where that one got lost, to the OffsetFetch of whoever takes the partition.
func (w *watcher) response(l *link, c *conn, frame []byte) {
	w.s.revokes.response(l, c, frame)
	w.mu.Lock()
	defer w.mu.Unlock()
	at := sent{c, answered(frame)}
	r := w.asked[at]
	if r == nil {
		return
	}
	delete(w.asked, at)
	answer := r.ResponseKind()
	if err := read(frame, answer); err != nil {
		panic("an answer of the broker does not read: " + err.Error())
	}
	switch a := answer.(type) {
	case *kmsg.TxnOffsetCommitResponse:
		w.taken(r.(*kmsg.TxnOffsetCommitRequest), a)
	case *kmsg.EndTxnResponse:
		w.over(r.(*kmsg.EndTxnRequest), a)
	case *kmsg.OffsetFetchResponse:
		w.told(a)
	}
}

// taken notes the offsets that the broker has taken into a transaction.
func (w *watcher) taken(r *kmsg.TxnOffsetCommitRequest, a *kmsg.TxnOffsetCommitResponse) {
	refused := map[int32]bool{} // hongbao commits offsets of one topic
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			refused[p.Partition] = p.ErrorCode != 0
		}
	}
	by := producer{r.ProducerID, r.ProducerEpoch}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if refused[p.Partition] {
				continue
			}
			c := commit{partition: p.Partition, offset: p.Offset, producer: r.ProducerID, epoch: r.ProducerEpoch}
			if p.Metadata != nil {
				c.metadata = *p.Metadata
			}
			w.promised[by] = append(w.promised[by], c)
		}
	}
}

// over advances what is committed. The retry of a request whose answer got lost is answered once more, and finds nothing left to do.
func (w *watcher) over(r *kmsg.EndTxnRequest, a *kmsg.EndTxnResponse) {
	if a.ErrorCode != 0 {
		return
	}
	by := producer{r.ProducerID, r.ProducerEpoch}
	if r.Commit {
		for _, c := range w.promised[by] {
			w.reached(c.partition, c.metadata)
		}
	}
	delete(w.promised, by)
}

// told is what the broker says of offsets that were committed before.
func (w *watcher) told(a *kmsg.OffsetFetchResponse) {
	for _, g := range a.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode == 0 && p.Metadata != nil {
					w.reached(p.Partition, *p.Metadata)
				}
			}
		}
	}
}

func (w *watcher) reached(p int32, text string) {
	if m, ok := readMetadata(text); ok && int(p) < partitions {
		w.committed[p] = max(w.committed[p], m.seq)
	}
}

// answered is the correlation id of an answer.
func answered(frame []byte) uint32 { return binary.BigEndian.Uint32(frame[4:8]) }

// read decodes an answer, whose version has been set.
func read(frame []byte, answer kmsg.Response) error {
	b := kbin.Reader{Src: frame[8:]}
	if answer.IsFlexible() {
		kmsg.SkipTags(&b)
	}
	return answer.ReadFrom(b.Src)
}
