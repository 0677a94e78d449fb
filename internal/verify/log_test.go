package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// memLog is a built log: records by topic and partition.
type memLog struct {
	topics  [schemas.Topics][][]*topiclog.Record
	starts  topiclog.Offsets
	commits []topiclog.Commit
	failing schemas.Topic // that cannot be read; 0: none
}

var errRead = errors.New("cannot be read")

func (l *memLog) append(tb testing.TB, t schemas.Topic, key []byte, m proto.Message) {
	tb.Helper()
	value, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	p := 0
	if len(key) > 0 {
		p = int(schemas.Partition(key, worldPartitions))
	}
	l.topics[t][p] = append(l.topics[t][p], &topiclog.Record{Offset: int64(2 * len(l.topics[t][p])), Key: key, Value: value, Partition: int32(p)})
}

func (l *memLog) Bounds(context.Context, time.Duration) (starts, ends topiclog.Offsets, err error) {
	for t := range l.topics {
		starts[t] = make([]int64, worldPartitions)
		copy(starts[t], l.starts[t])
		ends[t] = make([]int64, worldPartitions)
		for p, records := range l.topics[t] {
			for _, r := range records {
				ends[t][p] = max(ends[t][p], r.Offset+1)
			}
		}
	}
	return starts, ends, nil
}

func (l *memLog) Commits(context.Context, string) ([]topiclog.Commit, error) { return l.commits, nil }

func (l *memLog) Cursor(_ context.Context, s topiclog.Span) Cursor {
	c := &memCursor{failing: l.failing != 0 && l.failing == s.Topic}
	for _, r := range l.topics[s.Topic][s.Partition] {
		if r.Offset >= s.From && r.Offset < s.To {
			c.records = append(c.records, r)
		}
	}
	return c
}

// memCursor hands out three records at a time.
type memCursor struct {
	records []*topiclog.Record
	failing bool
}

func (c *memCursor) Next() ([]*topiclog.Record, error) {
	if c.failing {
		return nil, errRead
	}
	n := min(3, len(c.records))
	if n == 0 {
		return nil, nil
	}
	out := c.records[:n]
	c.records = c.records[n:]
	return out, nil
}

func (c *memCursor) Close() {}

func shaOf(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

func has(r *Report, check Check, fragment string) bool {
	for _, b := range r.Broken {
		if b.Check == check && strings.Contains(b.Sentence, fragment) {
			return true
		}
	}
	return false
}

func mustRun(tb testing.TB, cfg Config) *Report {
	tb.Helper()
	r, err := Run(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func printed(tb testing.TB, r *Report) string {
	tb.Helper()
	var b bytes.Buffer
	if err := r.Print(&b); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}
