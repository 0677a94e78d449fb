package topiclog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
)

// packed sends n records of 1 MiB as one batch of some KiB.
func packed(t *testing.T, cfg Config, topic string, n int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ManualFlushing(),
		kgo.ProducerBatchMaxBytes(64<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for range n {
		cl.Produce(t.Context(), &kgo.Record{Topic: topic, Partition: 1, Value: bytes.Repeat([]byte{0xff}, mib)}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestLargeBatch: a batch within the bound is read, one that would unpack to more ends the reader with a sentence (X9), at once.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, cfg Config) {
		c := dial(t, cfg)
		topics(t, c)
		packed(t, cfg, c.Name(schemas.TopicEvents), 12)
		packed(t, cfg, c.Name(schemas.TopicEvents), 32)
		want := fmt.Sprintf("rule X9: expected every batch of %s/1 to unpack to 16777216 bytes at most, found a larger one at offsets 12 to 43",
			c.Name(schemas.TopicEvents))
		for name, read := range map[string]func(fn func(*Record) error) error{
			"read": func(fn func(*Record) error) error { return c.Read(t.Context(), schemas.TopicEvents, ReadOptions{}, fn) },
			"follow": func(fn func(*Record) error) error {
				return c.Follow(t.Context(), schemas.TopicEvents, make([]int64, testPartitions), fn)
			},
		} {
			seen := 0
			err := read(func(*Record) error {
				if seen++; seen > 12 {
					return errors.New("the large batch was unpacked")
				}
				return nil
			})
			if !errors.Is(err, kgo.ErrMaxDecompress) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
			if seen != 12 {
				t.Errorf("%s saw %d records, want the 12 before", name, seen)
			}
		}
	})
}
