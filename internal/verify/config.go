package verify

import (
	"context"
	"errors"
	"runtime"
	"time"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// Log is where verify reads: OnKafka, or records in memory in tests. All reading is
// read_committed. It must be safe for concurrent use.
type Log interface {
	// Bounds are the first offsets that every topic still holds and the committed ends. It
	// waits up to settle for what is already written to be committed or aborted.
	Bounds(ctx context.Context, settle time.Duration) (starts, ends topiclog.Offsets, err error)
	// Commits are the group's committed offsets on invite.events, by partition, -1 where
	// there is none; never an unstable one.
	Commits(ctx context.Context, group string) ([]topiclog.Commit, error)
	// Cursor reads a span in order.
	Cursor(ctx context.Context, span topiclog.Span) Cursor
}

// Cursor returns the records of a span: at least one at a time; nil, nil at the end.
type Cursor interface {
	Next() ([]*topiclog.Record, error)
	Close()
}

// Stock is what the issuer's Redis remembers. It is asked after the topics were read, so the
// check of that name wants a system at rest.
type Stock interface {
	// Remembered calls fn for every coupon id of a campaign with a kept answer; done says that the
	// answer of any round was that it was issued.
	Remembered(ctx context.Context, campaign int64, fn func(id schemas.CouponID, done bool) error) error
	// Levels are what was declared and what is left of every coupon kind of a campaign.
	Levels(ctx context.Context, campaign int64) ([]Level, error)
}

// Level is the stock of one coupon kind, in pieces.
type Level struct {
	Campaign       int64
	Coupon         string
	Declared, Left int64
}

// User is one member of the graph as verify counted it.
type User struct {
	Campaign, Chain, ID, Inviter int64 // Inviter is 0 for a seed
	Depth, Direct, Total         int32
}

// Config says what to verify.
type Config struct {
	Log   Log
	Group string // of the pipeline; its committed offsets say how far the facts reach
	// Keys verify invite codes. A well-formed code under a key that is not among them is taken as the
	// fact took it, and counted: keys are secrets that an auditor may not have, and are dropped before
	// the events under them. The demo key is good for the demo campaign alone, whoever asks. Nil: the
	// published demo key.
	Keys *schemas.CodeKeys
	// Stock adds the check of that name. Nil leaves it out.
	Stock Stock
	// KeepBroken bounds the list in the report; all are counted. Default 100.
	KeepBroken int
	// Workers is how many partitions are read at once. Default: the usable cores.
	Workers int
	// Settle is how long transactions that are open while verify begins may take. Default 5 s.
	Settle time.Duration
	// Users, when not nil, is called for every member of the graph at the end, one at a time.
	Users func(User)
	// Progress, when not nil, is called now and then, one at a time, with facts read and facts
	// in all.
	Progress func(done, total int64)
}

func (c *Config) complete() error {
	if c.Log == nil {
		return errors.New("verify: no log to read")
	}
	if c.Group == "" {
		return errors.New("verify: no consumer group named; --group says whose committed offsets count")
	}
	if c.Keys == nil {
		c.Keys = schemas.DemoCodeKeys()
	}
	if c.KeepBroken <= 0 {
		c.KeepBroken = 100
	}
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Settle <= 0 {
		c.Settle = 5 * time.Second
	}
	return nil
}

// OnKafka reads the topics of a client.
func OnKafka(c *topiclog.Client) Log { return kafka{c} }

type kafka struct{ c *topiclog.Client }

func allTopics() []schemas.Topic {
	topics := make([]schemas.Topic, 0, schemas.Topics)
	for t := range schemas.Topics {
		topics = append(topics, t)
	}
	return topics
}

func (k kafka) Bounds(ctx context.Context, settle time.Duration) (starts, ends topiclog.Offsets, err error) {
	if starts, err = k.c.Starts(ctx, allTopics()...); err != nil {
		return starts, ends, err
	}
	written, err := k.c.Ends(ctx, topiclog.Uncommitted, allTopics()...)
	if err != nil {
		return starts, ends, err
	}
	for until := time.Now().Add(settle); ; {
		if ends, err = k.c.Ends(ctx, topiclog.Committed, allTopics()...); err != nil {
			return starts, ends, err
		}
		if reached(ends, written) || time.Now().After(until) {
			return starts, ends, nil
		}
		select {
		case <-ctx.Done():
			return starts, ends, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func reached(ends, written topiclog.Offsets) bool {
	for t := range written {
		for p := range written[t] {
			if ends[t][p] < written[t][p] {
				return false
			}
		}
	}
	return true
}

func (k kafka) Commits(ctx context.Context, group string) ([]topiclog.Commit, error) {
	return k.c.CommittedOffsets(ctx, group, schemas.TopicEvents)
}

func (k kafka) Cursor(ctx context.Context, span topiclog.Span) Cursor {
	return k.c.Cursor(ctx, span, topiclog.Committed)
}
