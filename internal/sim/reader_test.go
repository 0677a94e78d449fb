//go:build synctests

package sim

import (
	"bytes"
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// reader is a subscriber: it reads every topic with read_committed while the seed runs, and keeps what it saw.
type reader struct {
	s    *sim
	cl   *kgo.Client
	done chan struct{}

	mu       sync.Mutex
	topics   map[string]schemas.Topic
	seen     [schemas.Topics][partitions][]*kgo.Record
	next     [schemas.Topics][partitions]int64 // where it stands
	steps    [partitions]map[string]int64      // positions of the newest StepEnded
	states   map[string]pb.CouponState         // by coupon id
	chains   map[string]int64
	homes    map[string]int32
	reasons  map[string]pb.Reason
	vouchers map[string]pb.VoucherState
	expires  map[string]int64 // of vouchers that are ISSUED, by coupon id
}

func newReader(s *sim) *reader {
	r := &reader{s: s, done: make(chan struct{}), topics: map[string]schemas.Topic{}, states: map[string]pb.CouponState{}, chains: map[string]int64{}, homes: map[string]int32{}, reasons: map[string]pb.Reason{}, vouchers: map[string]pb.VoucherState{}, expires: map[string]int64{}}
	from := map[string]map[int32]kgo.Offset{}
	for t := range schemas.Topics {
		r.topics[t.String()] = t
		from[t.String()] = map[int32]kgo.Offset{}
		for p := range int32(partitions) {
			from[t.String()][p] = kgo.NewOffset().At(0)
		}
	}
	var err error
	r.cl, err = kgo.NewClient(append(s.client("reader"), kgo.SeedBrokers(s.brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.ConsumePartitions(from))...)
	s.must(err)
	go r.run()
	return r
}

func (r *reader) run() {
	defer close(r.done)
	for {
		fetches := r.cl.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		r.mu.Lock()
		fetches.EachRecord(r.take)
		r.mu.Unlock()
	}
}

func (r *reader) take(rec *kgo.Record) {
	t := r.topics[rec.Topic]
	if r.next[t][rec.Partition] = rec.Offset + 1; rec.Attrs.IsControl() {
		return
	}
	if seen := r.seen[t][rec.Partition]; len(seen) > 0 && seen[len(seen)-1].Offset >= rec.Offset {
		r.again(seen, rec) // after its leader moved a client may go back and read again
		return
	}
	r.seen[t][rec.Partition] = append(r.seen[t][rec.Partition], rec)
	if t != schemas.TopicFacts {
		return
	}
	var f pb.Fact
	if proto.Unmarshal(rec.Value, &f) != nil {
		return
	}
	switch b := f.Body.(type) {
	case *pb.Fact_StepEnded:
		at := map[string]int64{}
		for _, p := range b.StepEnded.Positions {
			at[p.Topic] = p.NextOffset
		}
		r.steps[rec.Partition] = at
	case *pb.Fact_VoucherMoved:
		id := string(b.VoucherMoved.VoucherId)
		r.vouchers[id], r.expires[id] = b.VoucherMoved.To, b.VoucherMoved.ExpiresMs
	case *pb.Fact_CouponMoved:
		id := string(b.CouponMoved.CouponId)
		r.states[id] = b.CouponMoved.To
		r.homes[id] = rec.Partition
		r.reasons[id] = b.CouponMoved.Reason
		if c := b.CouponMoved.Command; c != nil {
			r.chains[id] = c.Chain
		}
	}
}

// caughtUp says whether the reader has come to the ends of the inputs. A client may be blind for seconds after leaders have moved, and what it has not
// heard of is no lag to it.
func (r *reader) caughtUp(e *expected) bool {
	var inputs []schemas.Topic
	for t := range schemas.Topic(schemas.Inputs) {
		inputs = append(inputs, t)
	}
	ends, err := r.s.tool.Ends(r.s.ctx, topiclog.Committed, inputs...)
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for t := range ends {
		for p, end := range ends[t] {
			if !e.stops[p] && r.next[t][p] < end {
				return false
			}
		}
	}
	return true
}

// again holds a record that is read once more to what it was the first time.
func (r *reader) again(seen []*kgo.Record, rec *kgo.Record) {
	for _, old := range seen {
		if old.Offset == rec.Offset && bytes.Equal(old.Value, rec.Value) {
			return
		}
	}
	r.s.fail("I7", "%s[%d] offset %d: a subscriber read it twice, and it is another record", rec.Topic, rec.Partition, rec.Offset)
}

// open counts what is still to be done, as a subscriber sees it: records without an answer, coupons on their way.
func (r *reader) open(e *expected) (lag, coupons int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for t := range schemas.Topic(schemas.Inputs) {
		for p := range r.seen[t] {
			recs := r.seen[t][p]
			if e.stops[p] {
				continue
			}
			for i := len(recs) - 1; i >= 0 && recs[i].Offset >= r.steps[p][t.String()]; i-- {
				lag++
			}
		}
	}
	for id, s := range r.states {
		if e.stops[r.homes[id]] {
			continue
		}
		switch s {
		case pb.CouponState_COUPON_STATE_PENDING, pb.CouponState_COUPON_STATE_VALIDATING, pb.CouponState_COUPON_STATE_ISSUING, pb.CouponState_COUPON_STATE_RETRYING:
			coupons++
		}
	}
	for id, v := range r.vouchers {
		if v == pb.VoucherState_VOUCHER_STATE_ISSUED && !e.stops[r.homes[id]] && r.expires[id] < time.Now().Add(-overdue).UnixMilli() {
			coupons++
		}
	}
	return lag, coupons
}

// overdue is how long after its end a voucher may still be ISSUED: timers come once a second.
const overdue = 3 * time.Second

// has says whether the reader has come to the last record of every partition. Counting what it read is not enough: some of that the broker may have
// lost since.
func (r *reader) has(l *logs) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for t := range l.committed {
		for p, is := range l.committed[t] {
			if n := len(is); n > 0 && r.next[t][p] <= is[n-1].Offset {
				return false
			}
		}
	}
	return true
}

func (r *reader) close() {
	r.cl.Close()
	<-r.done
}

// metadata is what the offset's metadata says, read by its format's page and not by the code that wrote it.
type metadata struct {
	seq       int64
	hash      string // raw bytes
	positions map[string]int64
}

func readMetadata(text string) (metadata, bool) {
	f := strings.Fields(text)
	if len(f) != 5 || f[0] != "1" {
		return metadata{}, false
	}
	seq, err := strconv.ParseInt(f[1], 10, 64)
	hash, err2 := hex.DecodeString(f[2])
	m := metadata{seq: seq, hash: string(hash), positions: map[string]int64{}}
	for word := range strings.SplitSeq(f[4], ",") {
		name, at, _ := strings.Cut(word, "=")
		n, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return metadata{}, false
		}
		m.positions[name] = n
	}
	return m, err == nil && err2 == nil
}
