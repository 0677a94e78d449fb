package processor_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
)

// TestLargeBatch: a batch of some KiB that would unpack to more than a lane may hold stops its partition loudly
// and alone (X9); the neighbour makes dead letters of its garbage.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ManualFlushing(),
		kgo.ProducerBatchMaxBytes(64<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	batch := func(p int32, n, size int) {
		for range n {
			cl.Produce(t.Context(), &kgo.Record{
				Topic: f.topics.Name(schemas.TopicEvents), Partition: p, Key: []byte("7"), Value: bytes.Repeat([]byte{0xff}, size),
			}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := cl.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	batch(0, 12, 1<<20)
	batch(1, 32, 1<<20)
	x := f.start("a").x
	f.await("the dead letters, and a stop", func() bool {
		return len(f.letters(schemas.TopicInviteDead)) >= 12 && len(x.Status().Stopped) == 1
	})
	s := x.Status()
	stop := s.Stopped[0]
	if stop.Partition != 1 || stop.Rule != "X9" || !strings.Contains(stop.Found, "a larger one at offsets") {
		t.Errorf("got %v", stop)
	}
	if len(s.Working) != 1 || s.Working[0] != 0 {
		t.Errorf("%v work", s.Working)
	}
}
