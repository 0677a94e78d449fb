//go:build synctests

package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/internal/verify"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// logs are the raw topics after a seed, with markers, and what a transaction's end makes of them.
type logs struct {
	s         *sim
	committed [schemas.Topics][partitions][]*kgo.Record // in order of offset
	aborted   int
	open      int // records of transactions without an end
	ends      topiclog.Offsets
	stable    topiclog.Offsets
	starts    topiclog.Offsets
	commits   []topiclog.Commit
	facts     [partitions][]fact
}

// fact is one decoded fact with its record.
type fact struct {
	*pb.Fact
	rec *kgo.Record
}

// readLogs reads everything that the broker holds, uncommitted and control records included.
func (s *sim) readLogs() *logs {
	l := &logs{s: s}
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	var topics []schemas.Topic
	for t := range schemas.Topics {
		topics = append(topics, t)
	}
	var err error
	l.starts, err = s.tool.Starts(ctx, topics...)
	s.must(err)
	l.ends, err = s.tool.Ends(ctx, topiclog.Uncommitted, topics...)
	s.must(err)
	l.stable, err = s.tool.Ends(ctx, topiclog.Committed, topics...)
	s.must(err)
	if l.commits, err = s.tool.CommittedOffsets(ctx, group, schemas.TopicEvents); err != nil {
		s.fail("I8", "the committed offsets are not stable: %v", err)
		l.commits = make([]topiclog.Commit, partitions)
	}
	raw := l.raw(ctx)
	for t := range schemas.Topics {
		for p := range partitions {
			l.committed[t][p] = l.settle(raw[t][p])
		}
	}
	for p := range partitions {
		for _, r := range append(s.beforeLoss(l, p), l.committed[schemas.TopicFacts][p]...) {
			f := fact{Fact: &pb.Fact{}, rec: r}
			if err := proto.Unmarshal(r.Value, f.Fact); err != nil {
				s.fail("I7", "facts[%d] offset %d does not decode: %v", p, r.Offset, err)
				continue
			}
			l.facts[p] = append(l.facts[p], f)
		}
	}
	return l
}

// beforeLoss are the facts that the broker has lost, as a subscriber read them before: all up to what was committed, or else they are not judged.
func (s *sim) beforeLoss(l *logs, p int) []*kgo.Record {
	start := l.starts[schemas.TopicFacts][p]
	if start == 0 {
		return nil
	}
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	var out []*kgo.Record
	for _, r := range s.reader.seen[schemas.TopicFacts][p] {
		if r.Offset < start {
			out = append(out, r)
		}
	}
	var last pb.Fact
	m, ok := readMetadata(s.expected.last[p].commit.Metadata)
	if n := len(out); !ok || n == 0 || proto.Unmarshal(out[n-1].Value, &last) != nil || last.Seq != m.seq {
		s.expected.unread[p] = true
		s.reach("lost facts that nobody had read")
		return nil
	}
	s.reach("lost facts that a subscriber had read")
	return out
}

// lost says that the broker has lost events or facts of partition p.
func (l *logs) lost(p int) bool {
	return p >= 0 && p < partitions && (l.starts[schemas.TopicFacts][p] > 0 || l.starts[schemas.TopicEvents][p] > 0)
}

func (l *logs) lostFacts() bool {
	return slices.ContainsFunc(l.starts[schemas.TopicFacts], func(start int64) bool { return start > 0 })
}

func (l *logs) raw(ctx context.Context) (out [schemas.Topics][partitions][]*kgo.Record) {
	from, left := map[string]map[int32]kgo.Offset{}, 0
	byName := map[string]schemas.Topic{}
	for t := range schemas.Topics {
		byName[t.String()] = t
		from[t.String()] = map[int32]kgo.Offset{}
		for p := range partitions {
			if l.starts[t][p] < l.ends[t][p] {
				from[t.String()][int32(p)] = kgo.NewOffset().At(l.starts[t][p])
				left++
			}
		}
	}
	if left == 0 {
		return out
	}
	cl, err := kgo.NewClient(append(l.s.client("judge"), kgo.SeedBrokers(l.s.brokers...), kgo.KeepControlRecords(), kgo.ConsumePartitions(from))...)
	l.s.must(err)
	defer cl.Close()
	for left > 0 {
		fetches := cl.PollFetches(ctx)
		l.s.must(ctx.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			t := byName[r.Topic]
			if n := len(out[t][r.Partition]); n > 0 && out[t][r.Partition][n-1].Offset >= r.Offset {
				return // after its leader moved a client may go back and read again
			}
			out[t][r.Partition] = append(out[t][r.Partition], r)
			if r.Offset == l.ends[t][r.Partition]-1 {
				left--
			}
		})
	}
	return out
}

// settle keeps what is committed: each record by the marker of its producer that follows it.
func (l *logs) settle(raw []*kgo.Record) []*kgo.Record {
	keep := make([]bool, len(raw))
	open := map[int64][]int{}
	for i, r := range raw {
		switch {
		case r.Attrs.IsControl():
			if binary.BigEndian.Uint16(r.Key[2:]) == 1 {
				for _, k := range open[r.ProducerID] {
					keep[k] = true
				}
			} else {
				l.aborted += len(open[r.ProducerID])
			}
			delete(open, r.ProducerID)
		case r.Attrs.IsTransactional():
			open[r.ProducerID] = append(open[r.ProducerID], i)
		default:
			keep[i] = true
		}
	}
	for _, list := range open {
		l.open += len(list)
	}
	var out []*kgo.Record
	for i, r := range raw {
		if keep[i] {
			out = append(out, r)
		}
	}
	return out
}

// ongoing are the transactions that the broker still holds open.
func (s *sim) ongoing() []string {
	cl, err := kgo.NewClient(append(s.client("judge"), kgo.SeedBrokers(s.brokers...))...)
	s.must(err)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	listed, err := adm.ListTransactions(s.ctx, nil, []string{"Ongoing"})
	s.must(err)
	var out []string
	for _, t := range listed.Sorted() {
		d, _ := adm.DescribeTransactions(s.ctx, t.TxnID)
		out = append(out, fmt.Sprintf("%s (producer %d, since %s, %v)", t.TxnID, t.ProducerID, time.UnixMilli(d[t.TxnID].StartTimestamp).UTC().Format("05.000"), d[t.TxnID].Topics))
	}
	return out
}

// The rest is verify.Log, so that verify reads what the oracles read.

// Bounds is part of verify.Log.
func (l *logs) Bounds(context.Context, time.Duration) (starts, ends topiclog.Offsets, err error) {
	return l.starts, l.stable, nil
}

// Commits is part of verify.Log.
func (l *logs) Commits(context.Context, string) ([]topiclog.Commit, error) { return l.commits, nil }

// Cursor is part of verify.Log.
func (l *logs) Cursor(_ context.Context, span topiclog.Span) verify.Cursor {
	c := &cursor{}
	for _, r := range l.committed[span.Topic][span.Partition] {
		if r.Offset >= span.From && r.Offset < span.To {
			c.records = append(c.records, r)
		}
	}
	return c
}

type cursor struct{ records []*topiclog.Record }

func (c *cursor) Next() ([]*topiclog.Record, error) {
	out := c.records
	c.records = nil
	return out, nil
}

func (c *cursor) Close() {}
