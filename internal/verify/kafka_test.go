package verify

import (
	"context"
	"testing"

	"hongbao/internal/topiclog"
	"hongbao/internal/topiclog/topictest"
	"hongbao/schemas"
)

// upload writes a built log to a broker as hongbao would: by transactions, with an aborted one
// before the facts. Offsets come out as the log has them, because every event is a transaction
// of its own, whose marker takes the next offset.
func upload(t *testing.T, to *topictest.Log, log *memLog) {
	t.Helper()
	for topic := range schemas.Topics {
		for p, records := range log.topics[topic] {
			p := int32(p)
			switch topic {
			case schemas.TopicEvents:
				for _, r := range records {
					to.Write(topic, p, true, r)
				}
				continue
			case schemas.TopicFacts:
				to.Write(topic, p, false, &topiclog.Record{Value: []byte("an aborted fact")})
			}
			if len(records) > 0 {
				to.Write(topic, p, true, records...)
			}
		}
	}
	if err := to.Commit(t.Context(), group, schemas.TopicEvents, log.commits); err != nil {
		t.Fatal(err)
	}
}

func TestOnKafka(t *testing.T) {
	t.Parallel()
	to := topictest.Broker(t, worldPartitions)
	log := newScenario(t).build()
	upload(t, to, log)
	want, got := mustRun(t, config(log)), mustRun(t, config(OnKafka(to.Client)))
	if !got.OK || got.Facts != want.Facts || got.Events != want.Events {
		t.Errorf("%d facts and %d events, want %d and %d; report:\n%s", got.Facts, got.Events, want.Facts, want.Events, printed(t, got))
	}
}

func TestOnKafkaBroken(t *testing.T) {
	t.Parallel()
	to := topictest.Broker(t, worldPartitions)
	log := newScenario(t).build()
	*facts(log) = append((*facts(log))[:4:4], (*facts(log))[5:]...)
	upload(t, to, log)
	if got := mustRun(t, config(OnKafka(to.Client))); got.OK || !has(got, CheckFacts, "seq 6 follows seq 4") {
		t.Errorf("report:\n%s", printed(t, got))
	}
}

// An empty set of topics, before anything ran, is fine.
func TestOnKafkaEmpty(t *testing.T) {
	t.Parallel()
	to := topictest.Broker(t, worldPartitions)
	if got := mustRun(t, config(OnKafka(to.Client))); !got.OK || len(got.Partitions) != worldPartitions {
		t.Errorf("report:\n%s", printed(t, got))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, config(OnKafka(to.Client))); err == nil {
		t.Error("a cancelled run gave a report")
	}
}
