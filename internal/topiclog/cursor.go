package topiclog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hongbao/schemas"
)

const (
	// fetchBytes bounds one fetch, unless Config.FetchBytes does; a cursor holds at most three: one
	// being read, one waiting, one under way.
	fetchBytes = 2 * mib
	// stallMax is how long a cursor tries without coming forward before it gives up.
	stallMax = 30 * time.Second
)

// Span names the part of one partition that a cursor reads: From inclusive, To exclusive.
type Span struct {
	Topic     schemas.Topic
	Partition int32
	From, To  int64
}

// Cursor reads one span in order, one fetch ahead of its reader. Not safe for concurrent use.
// It has a goroutine of its own until Close.
type Cursor struct {
	fetched chan []*Record
	cancel  context.CancelFunc
	err     error // written before fetched is closed
}

// Cursor starts reading a span. ctx ends it too; Close must be called all the same.
func (c *Client) Cursor(ctx context.Context, s Span, iso Isolation) *Cursor {
	ctx, cancel := context.WithCancel(ctx)
	cur := &Cursor{fetched: make(chan []*Record, 1), cancel: cancel}
	f := &fetcher{c: c, span: s, topic: c.Name(s.Topic), iso: iso, unpack: unpacker(c.kc)}
	go func() {
		cur.err = f.run(ctx, cur.fetched)
		close(cur.fetched)
	}()
	return cur
}

// Next returns the next records, at least one; nil, nil at the end of the span; nil and an
// error when it cannot go on. The span has ended when the position has reached its end,
// whatever the offsets before it held (T1).
func (cur *Cursor) Next() ([]*Record, error) {
	if records, ok := <-cur.fetched; ok {
		return records, nil
	}
	return nil, cur.err
}

// Close stops the cursor and waits for its goroutine.
func (cur *Cursor) Close() {
	cur.cancel()
	for range cur.fetched {
	}
}

// fetcher is the goroutine's side. It speaks Fetch itself: the consumer of kgo hides the
// position behind the records, and a span may end in aborted records alone.
type fetcher struct {
	c      *Client
	span   Span
	topic  string
	iso    Isolation
	unpack kgo.Decompressor
}

func (f *fetcher) run(ctx context.Context, out chan<- []*Record) error {
	for pos := f.span.From; pos < f.span.To; {
		records, next, err := f.forward(ctx, pos)
		if err != nil {
			return err
		}
		pos = next
		if len(records) == 0 {
			continue
		}
		select {
		case out <- records:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// forward fetches until the position has moved. What may pass is tried again for stallMax.
func (f *fetcher) forward(ctx context.Context, pos int64) ([]*Record, int64, error) {
	began := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		records, next, err := f.fetch(ctx, pos)
		if next > pos {
			return f.cut(records), next, nil
		}
		switch {
		case ctx.Err() != nil:
			return nil, pos, ctx.Err()
		case errors.Is(err, kerr.OffsetOutOfRange):
			return nil, pos, fmt.Errorf("topiclog: offset %d of %s/%d is gone (deleted by retention, or the broker lost data): %w",
				pos, f.topic, f.span.Partition, err)
		case err != nil && !passing(err), time.Since(began) > stallMax:
			if err == nil {
				err = errors.New("the broker sends nothing")
			}
			return nil, pos, fmt.Errorf("topiclog: read %s/%d at offset %d of %d: %w", f.topic, f.span.Partition, pos, f.span.To, err)
		case err != nil:
			f.c.forgetLeaders(f.topic)
		}
		if !wait(ctx, pause) {
			return nil, pos, ctx.Err()
		}
	}
}

// cut drops what lies beyond the end of the span: a fetch returns whole batches.
func (f *fetcher) cut(records []*Record) []*Record {
	n := len(records)
	for n > 0 && records[n-1].Offset >= f.span.To {
		n--
	}
	return records[:n]
}

func (f *fetcher) fetch(ctx context.Context, pos int64) ([]*Record, int64, error) {
	broker, id, err := f.c.leader(ctx, f.topic, f.span.Partition)
	if err != nil {
		return nil, pos, err
	}
	kresp, err := f.c.kc.Broker(int(broker)).RetriableRequest(ctx, f.request(id, pos))
	if err != nil {
		return nil, pos, err
	}
	resp, ok := kresp.(*kmsg.FetchResponse)
	if !ok {
		return nil, pos, fmt.Errorf("answer to Fetch is a %T", kresp)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, pos, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, pos, nil
	}
	opts := kgo.ProcessFetchPartitionOpts{Offset: pos, Topic: f.topic, Partition: f.span.Partition}
	if f.iso == Committed {
		opts.IsolationLevel = kgo.ReadCommitted()
	}
	fp, next := kgo.ProcessFetchPartition(opts, &resp.Topics[0].Partitions[0], f.unpack, nil)
	return fp.Records, next, tooLarge(fp.Err)
}

func (f *fetcher) request(id [16]byte, pos int64) *kmsg.FetchRequest {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition = f.span.Partition
	p.FetchOffset = pos
	p.PartitionMaxBytes = f.c.cfg.FetchBytes
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = f.topic, id
	t.Partitions = append(t.Partitions, p)
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis = 100
	req.MinBytes = 1
	req.MaxBytes = f.c.cfg.FetchBytes
	req.IsolationLevel = int8(f.iso)
	req.Topics = append(req.Topics, t)
	return req
}
