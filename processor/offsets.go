package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hongbao/internal/mutant"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// noOffset is what OffsetFetch says where nothing was ever committed.
const noOffset = -1

// committed is the group's committed offset of one partition with its metadata (X4).
type committed struct {
	offset int64 // noOffset: none
	meta   schemas.Metadata
}

// fetchCommitted asks for the committed offset of invite.events[p] with RequireStable, reading every
// error code: kerr.UnstableOffsetCommit comes with offset -1 and no metadata and is not a first start (X5c).
func (x *Processor) fetchCommitted(ctx context.Context, cl *kgo.Client, p int32) (committed, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.RequireStable = x.cfg.Group, !mutant.On(mutant.OffsetBeforeFence)
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = x.cfg.Group
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.TopicID, t.Partitions = x.routes.names[schemas.TopicEvents], x.eventsID, []int32{p}
	g.Topics = append(g.Topics, t)
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return committed{}, fmt.Errorf("fetch committed offset of partition %d: %w", p, err)
	}
	if len(resp.Groups) != 1 {
		return committed{}, fmt.Errorf("fetch committed offset of partition %d: %d groups answered", p, len(resp.Groups))
	}
	rg := resp.Groups[0]
	if err := kerr.ErrorForCode(rg.ErrorCode); err != nil {
		return committed{}, err
	}
	for _, rt := range rg.Topics {
		for _, rp := range rt.Partitions {
			if rp.Partition == p {
				return readCommitted(&rp)
			}
		}
	}
	return committed{offset: noOffset}, nil
}

func readCommitted(rp *kmsg.OffsetFetchResponseGroupTopicPartition) (committed, error) {
	if err := kerr.ErrorForCode(rp.ErrorCode); err != nil && !mutant.On(mutant.UnstableFirst) {
		return committed{}, err
	}
	c := committed{offset: rp.Offset}
	if rp.Offset < 0 {
		return committed{offset: noOffset}, nil
	}
	text := ""
	if rp.Metadata != nil {
		text = *rp.Metadata
	}
	meta, err := schemas.ParseMetadata(text)
	if err != nil {
		return committed{}, &Stop{
			Partition: rp.Partition, Rule: "X4", Expected: "metadata of this program beside the committed offset",
			Found:  fmt.Sprintf("offset %d with %q", rp.Offset, text),
			Remedy: "another program commits under this group name: give hongbao a group of its own (--group)",
		}
	}
	c.meta = meta
	return c, nil
}

// What ListOffsets calls the two ends of a partition.
const (
	logEnd   = -1
	logStart = -2
)

// listTimeoutMS keeps an answer that got lost from holding up a takeover for long: the client waits 10 s longer. Its default is 30 s.
const listTimeoutMS = 1000

func (x *Processor) factOffset(ctx context.Context, p int32, iso topiclog.Isolation, at int64) (int64, error) {
	all, err := x.listOffsets(ctx, p, iso, at, schemas.TopicFacts)
	return all[schemas.TopicFacts], err
}

// listOffsets asks where partition p of some topics begins or ends. It asks for p alone, and where the leaders are only
// when that has changed: at a restart every partition asks at the same moment.
func (x *Processor) listOffsets(ctx context.Context, p int32, iso topiclog.Isolation, at int64, topics ...schemas.Topic) (found [schemas.Topics]int64, err error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, int8(iso)
	req.TimeoutMillis = listTimeoutMS
	for _, t := range topics {
		found[t] = noOffset
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p, at
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic, rt.Partitions = x.routes.names[t], append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, x.plain)
	if err != nil {
		return found, fmt.Errorf("list offsets of partition %d: %w", p, err)
	}
	for _, rt := range resp.Topics {
		for _, rp := range rt.Partitions {
			if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
				return found, fmt.Errorf("list offsets of %s[%d]: %w", rt.Topic, rp.Partition, err)
			}
			for _, t := range topics {
				if x.routes.names[t] == rt.Topic && rp.Partition == p {
					found[t] = rp.Offset
				}
			}
		}
	}
	for _, t := range topics {
		if found[t] < 0 {
			return found, fmt.Errorf("list offsets: topic %s has no partition %d", x.routes.names[t], p)
		}
	}
	return found, nil
}

// commitOffsets is the door of a transaction: TxnOffsetCommit before any produce, which the broker would hold for some 25 ms while
// it still writes the last transaction's markers; the offsets are asked again every millisecond. It returns the first error of any partition.
// That they are taken proves no lease (X11): the broker takes them from a member that it is about to give up.
func (x *Processor) commitOffsets(ctx context.Context, cl *kgo.Client, txnID string, l lease, steps []*step) error {
	id, epoch, err := cl.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("producer id: %w", err)
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = txnID, x.cfg.Group, id, epoch
	req.MemberID, req.Generation, req.InstanceID = l.member, l.generation, &x.cfg.Instance
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic, t.TopicID = x.routes.names[schemas.TopicEvents], x.eventsID
	for _, s := range steps {
		t.Partitions = append(t.Partitions, offsetOf(s))
	}
	req.Topics = append(req.Topics, t)
	for {
		if mutant.On(mutant.OffsetsOutside) {
			return x.commitBeside(ctx, l, &t)
		}
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return fmt.Errorf("commit offsets in transaction: %w", err)
		}
		err = offsetsError(resp)
		switch {
		case err == nil, mutant.On(mutant.EndNilTrusted):
			return nil
		case errors.Is(err, kerr.ConcurrentTransactions), errors.Is(err, kerr.CoordinatorLoadInProgress),
			errors.Is(err, kerr.NotCoordinator), errors.Is(err, kerr.CoordinatorNotAvailable):
			if err := pause(ctx, time.Millisecond); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

func offsetOf(s *step) kmsg.TxnOffsetCommitRequestTopicPartition {
	at := &s.boundary
	meta := schemas.Metadata{Seq: at.Seq, Hash: at.Hash, Positions: at.Positions, ClockMS: at.ClockMS}
	b, _ := meta.AppendText(nil) // it never fails
	text := string(b)
	tp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	tp.Partition, tp.Offset, tp.LeaderEpoch, tp.Metadata = s.partition.id, at.Positions[schemas.TopicEvents], -1, &text
	return tp
}

func offsetsError(resp *kmsg.TxnOffsetCommitResponse) error {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}
