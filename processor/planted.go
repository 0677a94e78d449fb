package processor

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What planted bugs do that takes more than a line. Each is called under mutant.On alone, so that no release holds it.

// trustAbort takes an abort without an error for the end of the matter, and publishes the same steps again, though the commit that it
// follows may have come through (mutant.AbortTrusted, X6).
func (p *publisher) trustAbort(err error) error {
	if p.f.cl.EndTransaction(p.f.ctx, kgo.TryAbort) != nil {
		return err
	}
	if _, err := p.door(); err != nil {
		return err
	}
	if err := p.send(); err != nil {
		return err
	}
	return p.f.cl.EndTransaction(p.f.ctx, kgo.TryCommit)
}

// commitBeside commits the offsets beside the transaction (mutant.OffsetsOutside, X4).
func (x *Processor) commitBeside(ctx context.Context, l lease, t *kmsg.TxnOffsetCommitRequestTopic) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = x.cfg.Group, l.member, l.generation, &x.cfg.Instance
	to := kmsg.NewOffsetCommitRequestTopic()
	to.Topic, to.TopicID = t.Topic, t.TopicID
	for _, p := range t.Partitions {
		at := kmsg.NewOffsetCommitRequestTopicPartition()
		at.Partition, at.Offset, at.LeaderEpoch, at.Metadata = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata
		to.Partitions = append(to.Partitions, at)
	}
	req.Topics = append(req.Topics, to)
	resp, err := req.RequestWith(ctx, x.plain)
	if err != nil {
		return err
	}
	for _, rt := range resp.Topics {
		for _, rp := range rt.Partitions {
			if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitMax lets a simulation end.
const awaitMax = 100 * time.Second

// await waits in the callback of a revoke until nobody works on the partition (mutant.RevokeWaits, X7).
func (f *life) await(p int32) {
	f.lane.mu.Lock()
	part := f.open[p]
	f.lane.mu.Unlock()
	if part == nil {
		return
	}
	part.halt(errGone)
	select {
	case <-part.rested():
	case <-time.After(awaitMax):
	}
}
