package verify

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// upload writes a built log to a broker as hongbao would: by transactions, with aborted ones
// between. Offsets come out as the log has them, because every event is a transaction of its own,
// whose marker takes the next offset.
func upload(t *testing.T, brokers []string, log *memLog) {
	t.Helper()
	kc, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.TransactionalID("hongbao/test"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(4<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer kc.Close()
	write := func(topic schemas.Topic, p int, end kgo.TransactionEndTry, records ...*topiclog.Record) {
		t.Helper()
		if err := kc.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			out := &kgo.Record{Topic: topic.String(), Partition: int32(p), Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
			if err := kc.ProduceSync(t.Context(), out).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := kc.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	for topic := range schemas.Topics {
		for p, records := range log.topics[topic] {
			switch topic {
			case schemas.TopicEvents:
				for _, r := range records {
					write(topic, p, kgo.TryCommit, r)
				}
				continue
			case schemas.TopicFacts:
				write(topic, p, kgo.TryAbort, &topiclog.Record{Value: []byte("an aborted fact")})
			}
			if len(records) > 0 {
				write(topic, p, kgo.TryCommit, records...)
			}
		}
	}
	var offsets kadm.Offsets
	for p, c := range log.commits {
		offsets.Add(kadm.Offset{Topic: schemas.TopicEvents.String(), Partition: int32(p), At: c.Offset, LeaderEpoch: -1, Metadata: c.Metadata})
	}
	if err := kadm.NewClient(kc).CommitAllOffsets(t.Context(), group, offsets); err != nil {
		t.Fatal(err)
	}
}

func broker(t *testing.T) (*topiclog.Client, []string) {
	t.Helper()
	cluster := kfake.MustCluster(kfake.NumBrokers(1))
	t.Cleanup(cluster.Close)
	c, err := topiclog.Dial(t.Context(), topiclog.Config{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.Create(t.Context(), topiclog.Options{Partitions: worldPartitions}); err != nil {
		t.Fatal(err)
	}
	return c, cluster.ListenAddrs()
}

func TestOnKafka(t *testing.T) {
	t.Parallel()
	c, brokers := broker(t)
	sc := newScenario(t)
	log := sc.build()
	upload(t, brokers, log)
	want, got := mustRun(t, config(log)), mustRun(t, config(OnKafka(c)))
	if !got.OK || got.Facts != want.Facts || got.Events != want.Events {
		t.Errorf("%d facts and %d events, want %d and %d; report:\n%s", got.Facts, got.Events, want.Facts, want.Events, printed(t, got))
	}
}

func TestOnKafkaBroken(t *testing.T) {
	t.Parallel()
	c, brokers := broker(t)
	log := newScenario(t).build()
	*facts(log) = append((*facts(log))[:4:4], (*facts(log))[5:]...)
	upload(t, brokers, log)
	if got := mustRun(t, config(OnKafka(c))); got.OK || !has(got, CheckFacts, "seq 6 follows seq 4") {
		t.Errorf("report:\n%s", printed(t, got))
	}
}

// An empty set of topics, before anything ran, is fine.
func TestOnKafkaEmpty(t *testing.T) {
	t.Parallel()
	c, _ := broker(t)
	if got := mustRun(t, config(OnKafka(c))); !got.OK || len(got.Partitions) != worldPartitions {
		t.Errorf("report:\n%s", printed(t, got))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, config(OnKafka(c))); err == nil {
		t.Error("a cancelled run gave a report")
	}
}
