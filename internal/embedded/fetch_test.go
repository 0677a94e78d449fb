package embedded

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// abortedIn writes a transaction that is aborted, two batches long, and one that is committed; then it asks read_committed for more
// than one batch and less than all, and returns how many batches came and how many aborted transactions were named with them.
func abortedIn(t *testing.T, brokers []string) (bytes, aborted int) {
	t.Helper()
	ctx := t.Context()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.TransactionalID("writer"), kgo.DefaultProduceTopic("t"),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if _, err := adm.CreateTopics(ctx, 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	for _, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := cl.ProduceSync(ctx, kgo.StringRecord(strings.Repeat("x", 1000))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cl.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	found, err := adm.ListTopics(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 1500
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID, rt.Partitions = "t", found["t"].ID, append(rt.Partitions, p)
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MinBytes, req.IsolationLevel, req.Topics = 1500, 1, 1, append(req.Topics, rt)
	kresp, err := cl.Broker(int(found["t"].Partitions[0].Leader)).RetriableRequest(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	rp := &kresp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	return len(rp.RecordBatches), len(rp.AbortedTransactions)
}

// TestFullFetchNamesAborted: however little a fetch asks for, what it brings of an aborted transaction is named as aborted.
func TestFullFetchNamesAborted(t *testing.T) {
	t.Parallel()
	bytes, aborted := abortedIn(t, start(t, Config{}).Brokers())
	if bytes == 0 || bytes > 1500 || aborted != 1 {
		t.Errorf("%d bytes, %d aborted transactions named", bytes, aborted)
	}
}

// TestFullFetchOfKfake holds what GuardFetches is there for: kfake by itself names none. Once it does, this test fails and the
// guard may go.
func TestFullFetchOfKfake(t *testing.T) {
	t.Parallel()
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	if bytes, aborted := abortedIn(t, kafka.ListenAddrs()); bytes == 0 || aborted != 0 {
		t.Errorf("%d bytes, %d aborted transactions named: kfake is mended, GuardFetches is of no more use", bytes, aborted)
	}
}
