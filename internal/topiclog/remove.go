package topiclog

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"hongbao/schemas"
)

// ErrNoPrefix refuses to remove the topics that have no prefix: those are the real ones.
var ErrNoPrefix = errors.New("topiclog: topics without a prefix are never removed")

// Remove deletes all topics under the prefix, for benchmarks and tests. Missing ones are no error.
func (c *Client) Remove(ctx context.Context) error {
	if c.cfg.Prefix == "" {
		return ErrNoPrefix
	}
	names := make([]string, 0, schemas.Topics)
	for t := range schemas.Topics {
		names = append(names, c.Name(t))
	}
	answers, err := c.adm.DeleteTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("topiclog: remove topics of %s: %w", c.cfg.Prefix, err)
	}
	for _, a := range answers {
		if a.Err != nil && !errors.Is(a.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("topiclog: remove topic %s: %w", a.Topic, a.Err)
		}
	}
	return nil
}
