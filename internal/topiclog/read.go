package topiclog

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
)

// ReadOptions say which part of a topic Read reads. The zero value is the whole topic, committed
// records only.
type ReadOptions struct {
	Uncommitted bool
	// From and To bound each partition; nil is the start, and the end when Read was called (T2).
	From, To []int64
	// Progress, when not nil, is called about once a second and at the end with the offsets
	// passed so far and in all.
	Progress func(done, total int64)
}

// Read calls fn for every record of a topic, one at a time: in order within a partition, the
// partitions in turns. It returns fn's first error. Records may be kept by fn.
func (c *Client) Read(ctx context.Context, t schemas.Topic, o ReadOptions, fn func(*Record) error) error {
	iso := Committed
	if o.Uncommitted {
		iso = Uncommitted
	}
	spans, err := c.spans(ctx, t, iso, o)
	if err != nil {
		return err
	}
	cursors := make([]*Cursor, len(spans))
	p := newProgress(spans, o.Progress)
	for i, s := range spans {
		cursors[i] = c.Cursor(ctx, s, iso)
		defer cursors[i].Close()
	}
	for open := len(cursors); open > 0; {
		for i, cur := range cursors {
			if cur == nil {
				continue
			}
			records, err := cur.Next()
			if err != nil {
				return err
			}
			if records == nil {
				p.at(i, spans[i].To)
				cursors[i] = nil
				open--
				continue
			}
			for _, r := range records {
				if err := fn(r); err != nil {
					return err
				}
			}
			p.at(i, records[len(records)-1].Offset+1)
		}
	}
	p.end()
	return nil
}

func (c *Client) spans(ctx context.Context, t schemas.Topic, iso Isolation, o ReadOptions) ([]Span, error) {
	from, to := o.From, o.To
	if from == nil {
		starts, err := c.Starts(ctx, t)
		if err != nil {
			return nil, err
		}
		from = starts[t]
	}
	if to == nil {
		ends, err := c.Ends(ctx, iso, t)
		if err != nil {
			return nil, err
		}
		to = ends[t]
	}
	if len(from) != len(to) {
		return nil, fmt.Errorf("topiclog: read %s: %d start offsets and %d end offsets", c.Name(t), len(from), len(to))
	}
	spans := make([]Span, len(from))
	for p := range spans {
		spans[p] = Span{Topic: t, Partition: int32(p), From: from[p], To: to[p]}
	}
	return spans, nil
}

type progress struct {
	spans []Span
	pos   []int64
	total int64
	fn    func(done, total int64)
	last  time.Time
}

func newProgress(spans []Span, fn func(done, total int64)) *progress {
	p := &progress{spans: spans, pos: make([]int64, len(spans)), fn: fn, last: time.Now()}
	for i, s := range spans {
		p.pos[i] = s.From
		p.total += max(0, s.To-s.From)
	}
	return p
}

func (p *progress) at(i int, pos int64) {
	p.pos[i] = pos
	if p.fn != nil && time.Since(p.last) > time.Second {
		p.end()
	}
}

func (p *progress) end() {
	if p.fn == nil {
		return
	}
	p.last = time.Now()
	var done int64
	for i, s := range p.spans {
		done += max(0, p.pos[i]-s.From)
	}
	p.fn(done, p.total)
}

// Follow calls fn for every record of a topic from the offsets in from (nil: from now on) until
// ctx ends or fn returns an error, which Follow returns; nil when ctx ended. Records of one
// partition come in order, one call at a time. Only committed records are seen.
func (c *Client) Follow(ctx context.Context, t schemas.Topic, from []int64, fn func(*Record) error) error {
	if from == nil {
		ends, err := c.Ends(ctx, Committed, t)
		if err != nil {
			return err
		}
		from = ends[t]
	}
	offsets := make(map[int32]kgo.Offset, len(from))
	for p, o := range from {
		offsets[int32(p)] = kgo.NewOffset().At(o)
	}
	opts := append(c.cfg.options(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.Name(t): offsets}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // a lost offset is an error, not a jump
		kgo.FetchMaxWait(50*time.Millisecond),
	)
	kc, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("topiclog: follow %s: %w", c.Name(t), err)
	}
	defer kc.Close()
	for {
		fetches := kc.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil // the end of ctx is the way to stop following
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("topiclog: follow %s/%d: %w", e.Topic, e.Partition, tooLarge(e.Err))
		}
		for it := fetches.RecordIter(); !it.Done(); {
			if err := fn(it.Next()); err != nil {
				return err
			}
		}
	}
}
