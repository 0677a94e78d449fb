package topiclog

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// leaders remembers who leads which partition, until somebody says that it is wrong.
type leaders struct {
	mu     sync.Mutex
	topics map[string]topicLeaders
}

type topicLeaders struct {
	id [16]byte
	of map[int32]int32
}

// leader asks without the lock: a broker that does not answer one reader must not hold up another whose context has ended.
func (c *Client) leader(ctx context.Context, topic string, partition int32) (broker int32, id [16]byte, err error) {
	t, ok := c.knownLeaders(topic)
	if !ok {
		if t, err = c.askLeaders(ctx, topic); err != nil {
			return 0, id, err
		}
		c.setLeaders(topic, t)
	}
	broker, ok = t.of[partition]
	if !ok {
		return 0, id, fmt.Errorf("%s/%d: %w", topic, partition, kerr.UnknownTopicOrPartition)
	}
	return broker, t.id, nil
}

func (c *Client) knownLeaders(topic string) (topicLeaders, bool) {
	c.leaders.mu.Lock()
	defer c.leaders.mu.Unlock()
	t, ok := c.leaders.topics[topic]
	return t, ok
}

func (c *Client) setLeaders(topic string, t topicLeaders) {
	c.leaders.mu.Lock()
	defer c.leaders.mu.Unlock()
	if c.leaders.topics == nil {
		c.leaders.topics = make(map[string]topicLeaders)
	}
	c.leaders.topics[topic] = t
}

func (c *Client) forgetLeaders(topic string) {
	c.leaders.mu.Lock()
	defer c.leaders.mu.Unlock()
	delete(c.leaders.topics, topic)
}

func (c *Client) askLeaders(ctx context.Context, topic string) (topicLeaders, error) {
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = new(topic)
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, c.kc)
	if err != nil {
		return topicLeaders{}, fmt.Errorf("metadata of %s: %w", topic, err)
	}
	if len(resp.Topics) != 1 {
		return topicLeaders{}, fmt.Errorf("metadata of %s: the broker answered for %d topics", topic, len(resp.Topics))
	}
	t := &resp.Topics[0]
	if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
		return topicLeaders{}, fmt.Errorf("metadata of %s: %w", topic, err)
	}
	out := topicLeaders{id: t.TopicID, of: make(map[int32]int32, len(t.Partitions))}
	for _, p := range t.Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return topicLeaders{}, fmt.Errorf("metadata of %s/%d: %w", topic, p.Partition, err)
		}
		out.of[p.Partition] = p.Leader
	}
	return out, nil
}
