package processor

import (
	"errors"
	"testing"

	"hongbao/schemas"
)

// TestStartAt holds X5f where a takeover finds that the broker has lost what was not read: the client alone might pass it over (simulation, seed 1465).
func TestStartAt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		topic     schemas.Topic
		at, start int64
		want      int64 // -1: a stop
	}{
		{schemas.TopicEvents, 20, 0, 20},
		{schemas.TopicEvents, 20, 20, 20},
		{schemas.TopicEvents, 20, 35, -1},
		{schemas.TopicEvents, 20, 21, -1},
		{schemas.TopicEvents, 0, 35, 35},
		{schemas.TopicCommands, 3, 9, -1},
		{schemas.TopicRetry1s, 3, 9, 9},
		{schemas.TopicRetry30s, 3, 9, 9},
		{schemas.TopicControl, 3, 4, -1},
		{schemas.TopicControl, 3, 5, -1},
	} {
		at, err := startAt(1, c.topic, c.at, c.start)
		stop, stopped := errors.AsType[*Stop](err)
		switch {
		case c.want < 0 && (!stopped || stop.Rule != "X5f" || stop.Partition != 1):
			t.Errorf("%s read up to offset %d, log from %d: started at %d with %v; want a stop by X5f", c.topic, c.at, c.start, at, err)
		case c.want >= 0 && (err != nil || at != c.want):
			t.Errorf("%s read up to offset %d, log from %d: started at %d with %v; want %d", c.topic, c.at, c.start, at, err, c.want)
		}
	}
}
