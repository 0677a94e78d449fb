package verify

import (
	"context"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// stream is a cursor read record by record, with one record of foresight.
type stream struct {
	cur     Cursor
	records []*topiclog.Record
	err     error
}

// open starts at the first offset that the topic still holds.
func (v *run) open(ctx context.Context, t schemas.Topic, partition int32, from, to int64) stream {
	from = max(from, v.starts[t][partition])
	if from >= to {
		return stream{}
	}
	return stream{cur: v.cfg.Log.Cursor(ctx, topiclog.Span{Topic: t, Partition: partition, From: from, To: to})}
}

// peek is the next record without taking it; nil at the end and after an error.
func (s *stream) peek() *topiclog.Record {
	if len(s.records) > 0 {
		return s.records[0]
	}
	if s.cur == nil || s.err != nil {
		return nil
	}
	s.records, s.err = s.cur.Next()
	if len(s.records) == 0 {
		s.close()
		return nil
	}
	return s.records[0]
}

// take drops the record that peek showed.
func (s *stream) take() { s.records = s.records[1:] }

func (s *stream) close() {
	if s.cur != nil {
		s.cur.Close()
		s.cur = nil
	}
}

// each calls fn for every record of a span.
func (v *run) each(ctx context.Context, t schemas.Topic, partition int32, from, to int64, fn func(*topiclog.Record)) error {
	s := v.open(ctx, t, partition, from, to)
	defer s.close()
	for r := s.peek(); r != nil; r = s.peek() {
		s.take()
		fn(r)
	}
	return s.err
}
