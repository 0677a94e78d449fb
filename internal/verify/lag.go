package verify

import (
	"context"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// readLag counts the records of every input that lie at or above the position read so far, as of
// the moment before the committed offsets were read. Counting records and not offsets, because
// the markers of transactions are offsets too.
func (v *run) readLag(ctx context.Context) error {
	for _, p := range v.parts {
		for t := range schemas.Topic(schemas.Inputs) {
			from := p.meta.Positions[t]
			if t == schemas.TopicEvents {
				from = p.committed
			}
			err := v.each(ctx, t, p.id, from, v.early[t][p.id], func(*topiclog.Record) { v.lag++ })
			if err != nil {
				return err
			}
		}
	}
	return nil
}
