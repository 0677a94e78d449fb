package topiclog

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hongbao/schemas"
)

// Offsets holds one offset per partition, by topic. A topic that was not asked for is nil.
type Offsets [schemas.Topics][]int64

// Isolation says which records a reader sees.
type Isolation int8

// Isolation levels. Committed is what subscribers use: every message once, crash or not (X4).
const (
	Uncommitted Isolation = 0
	Committed   Isolation = 1
)

// Starts are the first offsets that the topics still hold.
func (c *Client) Starts(ctx context.Context, topics ...schemas.Topic) (Offsets, error) {
	return c.list(ctx, c.adm.ListStartOffsets, topics)
}

// Ends are the topics' ends: the last stable offsets for Committed, the high watermarks for
// Uncommitted (T2).
func (c *Client) Ends(ctx context.Context, iso Isolation, topics ...schemas.Topic) (Offsets, error) {
	if iso == Committed {
		return c.list(ctx, c.adm.ListCommittedOffsets, topics)
	}
	return c.list(ctx, c.adm.ListEndOffsets, topics)
}

type lister func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error)

func (c *Client) list(ctx context.Context, ask lister, topics []schemas.Topic) (Offsets, error) {
	var out Offsets
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = c.Name(t)
	}
	answers, err := ask(ctx, names...)
	if err != nil {
		return out, fmt.Errorf("topiclog: list offsets of %v: %w", names, err)
	}
	for _, t := range topics {
		name := c.Name(t)
		partitions := answers[name]
		if none, ok := partitions[-1]; ok || len(partitions) == 0 {
			err := none.Err
			if err == nil {
				err = kerr.UnknownTopicOrPartition
			}
			return out, fmt.Errorf("topiclog: topic %s: %w; `hongbao topics create` makes it", name, err)
		}
		offsets := make([]int64, len(partitions))
		for p, o := range partitions {
			if o.Err != nil {
				return out, fmt.Errorf("topiclog: offsets of %s/%d: %w", name, p, o.Err)
			}
			if int(p) >= len(offsets) {
				return out, fmt.Errorf("topiclog: topic %s answers for partition %d of %d", name, p, len(offsets))
			}
			offsets[p] = o.Offset
		}
		out[t] = offsets
	}
	return out, nil
}

// Commit is what a group committed for one partition.
type Commit struct {
	Offset   int64 // -1: nothing was ever committed
	Metadata string
}

// CommittedOffsets reads what group committed for every partition of the topic, with
// RequireStable (X5c): it waits while a transaction on them is open, at most 20 s.
func (c *Client) CommittedOffsets(ctx context.Context, group string, t schemas.Topic) ([]Commit, error) {
	starts, err := c.Starts(ctx, t)
	if err != nil {
		return nil, err
	}
	var commits []Commit
	err = patiently(ctx, passing, func(ctx context.Context) (err error) { // UNSTABLE_OFFSET_COMMIT is one of the codes that pass
		commits, err = c.offsetFetch(ctx, group, c.Name(t), len(starts[t]))
		return err
	})
	return commits, err
}

func (c *Client) offsetFetch(ctx context.Context, group, topic string, partitions int) ([]Commit, error) {
	rt := kmsg.NewOffsetFetchRequestTopic()
	rt.Topic = topic
	for p := range partitions {
		rt.Partitions = append(rt.Partitions, int32(p))
	}
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	req.RequireStable = true
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, c.kc)
	if err != nil {
		return nil, fmt.Errorf("topiclog: fetch offsets of group %s: %w", group, err)
	}
	code := resp.ErrorCode
	if len(resp.Groups) > 0 {
		code = resp.Groups[0].ErrorCode
	}
	// Brokers differ on a group that never was: some answer with offsets -1, some with this code.
	if err := kerr.ErrorForCode(code); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("topiclog: fetch offsets of group %s: %w", group, err)
	}
	out := make([]Commit, partitions)
	for p := range out {
		out[p].Offset = -1
	}
	for _, t := range answered(resp) {
		if t.Topic != topic {
			continue
		}
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("topiclog: committed offset of group %s on %s/%d: %w", group, topic, p.Partition, err)
			}
			if int(p.Partition) >= partitions {
				continue
			}
			out[p.Partition].Offset = p.Offset
			if p.Metadata != nil {
				out[p.Partition].Metadata = *p.Metadata
			}
		}
	}
	return out, nil
}

// answered is the one form of both generations of the answer: by group since version 8.
func answered(resp *kmsg.OffsetFetchResponse) []kmsg.OffsetFetchResponseGroupTopic {
	if len(resp.Groups) > 0 {
		return resp.Groups[0].Topics
	}
	out := make([]kmsg.OffsetFetchResponseGroupTopic, len(resp.Topics))
	for i, t := range resp.Topics {
		out[i].Topic = t.Topic
		for _, p := range t.Partitions {
			out[i].Partitions = append(out[i].Partitions, kmsg.OffsetFetchResponseGroupTopicPartition{
				Partition: p.Partition, Offset: p.Offset, Metadata: p.Metadata, ErrorCode: p.ErrorCode,
			})
		}
	}
	return out
}

// Commit writes a group's committed offsets with their metadata; partitions with offset -1 are
// left alone. The group must be empty: a living one commits for itself, and the broker says so.
func (c *Client) Commit(ctx context.Context, group string, t schemas.Topic, commits []Commit) error {
	var offsets kadm.Offsets
	for p, o := range commits {
		if o.Offset >= 0 {
			offsets.Add(kadm.Offset{Topic: c.Name(t), Partition: int32(p), At: o.Offset, LeaderEpoch: -1, Metadata: o.Metadata})
		}
	}
	if err := c.adm.CommitAllOffsets(ctx, group, offsets); err != nil {
		return fmt.Errorf("topiclog: commit offsets of group %s on %s: %w", group, c.Name(t), err)
	}
	return nil
}
