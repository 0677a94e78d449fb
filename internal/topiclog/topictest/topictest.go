// Package topictest gives tests a broker inside the process with hongbao's topics on it, and
// writes whole transactions to them, aborted ones too. For tests alone.
package topictest

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/embedded"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// Broker starts a broker with the ten topics for as long as the test runs.
func Broker(tb testing.TB, partitions int32) *Log {
	tb.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cluster.Close)
	embedded.GuardFetches(cluster)
	c, err := topiclog.Dial(tb.Context(), topiclog.Config{Brokers: cluster.ListenAddrs()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	if _, err := c.Create(tb.Context(), topiclog.Options{Partitions: partitions}); err != nil {
		tb.Fatal(err)
	}
	kc, err := kgo.NewClient(
		kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.TransactionalID("hongbao/topictest"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(4<<20),
	)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(kc.Close)
	return &Log{Client: c, tb: tb, producer: kc}
}

// Log is the broker's topics, with one transactional producer.
type Log struct {
	*topiclog.Client

	tb       testing.TB
	producer *kgo.Client
}

// Write writes records to one partition in one transaction, committed or aborted. Its marker
// takes the offset after them. Records are copied; their offsets are the broker's.
func (l *Log) Write(t schemas.Topic, partition int32, commit bool, records ...*topiclog.Record) {
	l.tb.Helper()
	if err := l.producer.BeginTransaction(); err != nil {
		l.tb.Fatal(err)
	}
	for _, r := range records {
		out := &kgo.Record{Topic: t.String(), Partition: partition, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
		if err := l.producer.ProduceSync(l.tb.Context(), out).FirstErr(); err != nil {
			l.tb.Fatal(err)
		}
	}
	if err := l.producer.EndTransaction(l.tb.Context(), kgo.TransactionEndTry(commit)); err != nil {
		l.tb.Fatal(err)
	}
}

// Trim removes the records of a partition below an offset, as retention does.
func (l *Log) Trim(t schemas.Topic, partition int32, below int64) {
	l.tb.Helper()
	var gone kadm.Offsets
	gone.AddOffset(t.String(), partition, below, -1)
	answers, err := kadm.NewClient(l.producer).DeleteRecords(l.tb.Context(), gone)
	if err = errors.Join(err, answers.Error()); err != nil {
		l.tb.Fatal(err)
	}
}
